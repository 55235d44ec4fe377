import { Anchor, Card, Group, SimpleGrid, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Metrics } from "../../api/types";
import { count } from "../../parts/format";

function Level({ label, value, about }: { label: ReactNode; value: ReactNode; about: ReactNode }) {
  return (
    <div>
      <Text size="xs" c="dimmed" fw={600} component="div">
        {label}
      </Text>
      <Text fz={20} fw={700} component="div">
        {value}
      </Text>
      <Text size="xs" c="dimmed" component="div">
        {about}
      </Text>
    </div>
  );
}

/** What waits now. */
export function Queues({ metrics }: { metrics: Metrics }) {
  const { queues } = metrics;
  return (
    <Card withBorder component="section" aria-label="Now">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          Now
        </Title>
      </Group>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="md">
        {queues && (
          <>
            <Level
              label="Queue depth"
              value={count(queues.delivery.waiting)}
              about="deliveries to make"
            />
            <Level
              label="In flight"
              value={count(queues.delivery.in_flight)}
              about={`or kept back for a retry; ${count(queues.delivery.delayed)} delayed`}
            />
            <Level
              label="Dead-letter queue"
              value={count(queues.dead_letters.waiting + queues.dead_letters.in_flight)}
              about={
                <Anchor component={Link} href="/dead-letters" inherit>
                  messages of all tenants
                </Anchor>
              }
            />
          </>
        )}
        <Level
          label="Breakers open"
          value={count(metrics.open_breakers)}
          about={
            <Anchor component={Link} href="/endpoints" inherit>
              of {count(metrics.total_subscribers)} endpoints
            </Anchor>
          }
        />
        <Level
          label="Delivered to"
          value={count(metrics.active_subscribers)}
          about="endpoints neither paused nor disabled"
        />
      </SimpleGrid>
    </Card>
  );
}

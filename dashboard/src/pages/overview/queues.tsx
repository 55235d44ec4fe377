import { Anchor, Card, Group, SimpleGrid, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Backlog, Metrics } from "../../api/types";
import { count } from "../../parts/format";
import { Time } from "../../parts/time";

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
export function Queues({ metrics, backlog }: { metrics: Metrics; backlog: Backlog | undefined }) {
  const { queues } = metrics;
  const waiting = backlog?.waiting ?? [];
  const of = (...statuses: string[]) => {
    const some = waiting.filter((one) => statuses.includes(one.status));
    const more = some.some((one) => one.more);
    return `${count(some.reduce((sum, one) => sum + one.count, 0))}${more ? "+" : ""}`;
  };
  const oldest = waiting
    .filter((one) => one.oldest_at)
    .sort((one, other) => (one.oldest_at ?? "").localeCompare(other.oldest_at ?? ""))[0];
  return (
    <Card withBorder component="section" aria-label="Now">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          Now
        </Title>
      </Group>
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="md">
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
        {backlog && (
          <>
            <Level
              label="Retrying"
              value={of("pending", "retrying", "parked")}
              about={
                <Anchor component={Link} href="/deliveries?status=retrying" inherit>
                  wait for their next attempt
                </Anchor>
              }
            />
            <Level
              label="Held back"
              value={of("held")}
              about={
                <Anchor component={Link} href="/deliveries?status=held" inherit>
                  by a breaker or a pause
                </Anchor>
              }
            />
            <Level
              label="Oldest waiting"
              value={<Time at={oldest?.oldest_at} relative none="–" />}
              about={
                oldest?.oldest ? (
                  <Anchor component={Link} href={`/deliveries/${oldest.oldest}`} inherit>
                    {oldest.status}: look at it
                  </Anchor>
                ) : (
                  "nothing has failed and waits"
                )
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

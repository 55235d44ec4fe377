import { Anchor, Card, Progress, Table, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { useGet } from "../../api/hooks";
import type { Page, Stats, SubscriberHealth } from "../../api/types";
import { count, milliseconds, percent } from "../../parts/format";

const FEW = 8;

/** The endpoints of the time: those with the most trouble first, then the busiest. */
export function Endpoints({ stats }: { stats: Stats }) {
  const health = useGet<Page<SubscriberHealth>>("/endpoints/health", { limit: 200 });
  const groups = stats.groups?.data ?? [];
  if (groups.length === 0) return null;
  const names = new Map(health.data?.data.map((one) => [one.endpoint_id, one]));
  const worst = [...groups].sort(
    (one, other) =>
      other.dead - one.dead ||
      other.failed_attempts - one.failed_attempts ||
      other.delivered - one.delivered,
  );
  return (
    <Card withBorder padding={0} component="section" aria-label="Endpoints of this time">
      <Title order={2} size="h5" p="md" pb="xs">
        Endpoints of this time
      </Title>
      <Table.ScrollContainer
        minWidth={620}
        type="native"
        tabIndex={0}
        role="region"
        aria-label="Endpoints of this time, table"
      >
        <Table verticalSpacing="xs" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Endpoint</Table.Th>
              <Table.Th ta="right">Delivered</Table.Th>
              <Table.Th ta="right">Failed attempts</Table.Th>
              <Table.Th ta="right">Dead</Table.Th>
              <Table.Th ta="right">p95</Table.Th>
              <Table.Th w={160}>Requests accepted</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {worst.slice(0, FEW).map((group) => {
              const known = names.get(group.key);
              const rate = group.attempt_success_rate;
              return (
                <Table.Tr key={group.key}>
                  <Table.Td maw={320}>
                    <Anchor component={Link} href={`/endpoints/${group.key}`} size="sm" fw={600}>
                      {known?.name || known?.endpoint_url || group.key}
                    </Anchor>
                    {known?.name && (
                      <Text size="xs" c="dimmed" truncate>
                        {known.endpoint_url}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{count(group.delivered)}</Table.Td>
                  <Table.Td ta="right">{count(group.failed_attempts)}</Table.Td>
                  <Table.Td ta="right">{count(group.dead)}</Table.Td>
                  <Table.Td ta="right">{milliseconds(group.latency.p95_ms)}</Table.Td>
                  <Table.Td>
                    <Text size="xs">{percent(rate)}</Text>
                    <Progress
                      value={(rate ?? 0) * 100}
                      size="sm"
                      color={rate == null || rate >= 0.99 ? "teal" : rate >= 0.9 ? "yellow" : "red"}
                      aria-label={`Requests accepted: ${percent(rate)}`}
                    />
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}

import { Card, Group, SimpleGrid, Skeleton, Text, Title } from "@mantine/core";
import { useGet } from "../../../api/hooks";
import type { Stats } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { count, milliseconds, percent } from "../../../parts/format";
import { OutcomesChart } from "../../../parts/outcomes-chart";
import { bounds, useRange } from "../../../parts/range";
import { RangePicker } from "../../../parts/range-picker";

/** What came of requests to an endpoint. */
export function Results({ id }: { id: string }) {
  const [range, setRange] = useRange("24h");
  const { from, to } = bounds(range);
  const stats = useGet<Stats>(
    "/stats",
    { from, to, endpoint_id: id },
    { every: 30_000, keep: true },
  );
  const totals = stats.data?.totals;
  const figures = totals && [
    ["Success rate", percent(totals.success_rate)],
    ["Delivered", count(totals.delivered)],
    ["Failed attempts", count(totals.failed_attempts)],
    ["Dead", count(totals.dead)],
    ["p50", milliseconds(totals.latency.p50_ms)],
    ["p95", milliseconds(totals.latency.p95_ms)],
  ];
  return (
    <Card withBorder component="section" aria-label="Results">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          Results
        </Title>
        <RangePicker value={range} onChange={setRange} />
      </Group>
      {stats.error && <ErrorState error={stats.error} retry={() => stats.refetch()} />}
      {!stats.data && !stats.error && <Skeleton height={260} />}
      {figures && (
        <SimpleGrid cols={{ base: 3, sm: 6 }} spacing="xs" mb="md">
          {figures.map(([label, value]) => (
            <div key={label}>
              <Text size="xs" c="dimmed" fw={600}>
                {label}
              </Text>
              <Text fw={700} size="lg">
                {value}
              </Text>
            </div>
          ))}
        </SimpleGrid>
      )}
      {stats.data && <OutcomesChart stats={stats.data} height={200} />}
    </Card>
  );
}

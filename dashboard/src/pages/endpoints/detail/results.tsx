import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { Card, Group, SimpleGrid, Skeleton, Text, Title } from "@mantine/core";
import dayjs from "dayjs";
import { useGet } from "../../../api/hooks";
import type { Stats } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { count, milliseconds, percent } from "../../../parts/format";
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
  const form =
    stats.data?.interval === "minute"
      ? "HH:mm"
      : stats.data?.interval === "hour"
        ? "D MMM HH:mm"
        : "D MMM";
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
      {stats.data && (
        <div aria-hidden>
          <AreaChart
            h={200}
            dataKey="at"
            type="stacked"
            curveType="monotone"
            withLegend
            withDots={false}
            fillOpacity={0.35}
            areaChartProps={{ accessibilityLayer: false }}
            legendProps={{ itemSorter: null, verticalAlign: "bottom" }}
            valueFormatter={count}
            data={stats.data.series.map((point) => ({
              at: dayjs(point.at).format(form),
              Delivered: point.delivered,
              Retried: point.retried,
              Dead: point.dead,
            }))}
            series={[
              { name: "Delivered", color: "teal.6" },
              { name: "Retried", color: "yellow.6" },
              { name: "Dead", color: "red.6" },
            ]}
          />
        </div>
      )}
    </Card>
  );
}

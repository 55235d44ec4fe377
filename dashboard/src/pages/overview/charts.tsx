import { LineChart } from "@mantine/charts";
import { Card, SimpleGrid, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { Stats } from "../../api/types";
import { count, milliseconds } from "../../parts/format";
import { OutcomesChart, stepLabel } from "../../parts/outcomes-chart";

function Framed({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <Card withBorder component="section" aria-label={title}>
      <Title order={2} size="h5">
        {title}
      </Title>
      <Text size="xs" c="dimmed" mb="sm">
        {about}
      </Text>
      {children}
    </Card>
  );
}

/** The same numbers for those who do not see the charts. */
function Told({ caption, head, rows }: { caption: string; head: string[]; rows: string[][] }) {
  return (
    <table className="visually-hidden">
      <caption>{caption}</caption>
      <thead>
        <tr>
          {head.map((text) => (
            <th key={text}>{text}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row[0]}>
            {row.map((text, nth) => (
              <td key={head[nth]}>{text}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Charts({ stats }: { stats: Stats }) {
  const points = stats.series.map((point) => ({
    at: stepLabel(point.at, stats.interval),
    Delivered: point.delivered,
    Retried: point.retried,
    Dead: point.dead,
    p50: point.latency.p50_ms ?? null,
    p95: point.latency.p95_ms ?? null,
    p99: point.latency.p99_ms ?? null,
  }));
  const step = `per ${stats.interval}`;
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      <Framed
        title="Outcomes"
        about={`Deliveries accepted, failed attempts tried again, and given up, ${step}`}
      >
        <OutcomesChart stats={stats} height={240} />
        <Told
          caption={`Outcomes ${step}`}
          head={["At", "Delivered", "Retried", "Dead"]}
          rows={points.map((p) => [p.at, count(p.Delivered), count(p.Retried), count(p.Dead)])}
        />
      </Framed>
      <Framed title="Latency" about={`How long accepted requests took, ${step}`}>
        <div aria-hidden>
          <LineChart
            h={240}
            data={points}
            dataKey="at"
            curveType="monotone"
            withLegend
            withDots={points.filter((point) => point.p50 !== null).length <= 40}
            lineChartProps={{ accessibilityLayer: false }}
            legendProps={{ itemSorter: null, verticalAlign: "bottom" }}
            connectNulls={false}
            valueFormatter={milliseconds}
            series={[
              { name: "p50", color: "teal.6" },
              { name: "p95", color: "indigo.6" },
              { name: "p99", color: "grape.6" },
            ]}
          />
        </div>
        <Told
          caption={`Latency ${step}`}
          head={["At", "p50", "p95", "p99"]}
          rows={points.map((p) => [
            p.at,
            milliseconds(p.p50),
            milliseconds(p.p95),
            milliseconds(p.p99),
          ])}
        />
      </Framed>
    </SimpleGrid>
  );
}

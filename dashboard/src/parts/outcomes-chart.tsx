import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import dayjs from "dayjs";
import type { Stats } from "../api/types";
import { count } from "./format";

/** What a step is called below a chart. */
export function stepLabel(at: string, interval: Stats["interval"]): string {
  const time = dayjs(at);
  if (interval === "minute") return time.format("HH:mm");
  return time.format(interval === "hour" ? "D MMM HH:mm" : "D MMM");
}

/** What became of deliveries, step by step. Those who do not see it are told in another way. */
export function OutcomesChart({ stats, height }: { stats: Stats; height: number }) {
  return (
    <div aria-hidden>
      <AreaChart
        h={height}
        dataKey="at"
        type="stacked"
        curveType="monotone"
        withLegend
        withDots={false}
        withGradient={false}
        fillOpacity={0.75}
        // A line for what is not there would look like much of it.
        strokeWidth={0}
        areaChartProps={{ accessibilityLayer: false }}
        legendProps={{ itemSorter: null, verticalAlign: "bottom" }}
        valueFormatter={count}
        data={stats.series.map((point) => ({
          at: stepLabel(point.at, stats.interval),
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
  );
}

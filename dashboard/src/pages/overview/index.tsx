import "@mantine/charts/styles.css";
import { Skeleton, Stack, Text } from "@mantine/core";
import { useGet } from "../../api/hooks";
import type { Backlog, Metrics, Stats } from "../../api/types";
import { ErrorState } from "../../parts/error-state";
import { PageHeader } from "../../parts/page-header";
import { bounds, useRange } from "../../parts/range";
import { RangePicker } from "../../parts/range-picker";
import { Attention } from "./attention";
import { Beginning } from "./beginning";
import { Charts } from "./charts";
import { Endpoints } from "./endpoints";
import { Figures } from "./figures";
import { Queues } from "./queues";

/** How often what is shown is asked for anew. */
const EVERY = 15_000;

export default function OverviewPage() {
  const [range, setRange] = useRange();
  const { from, to } = bounds(range);
  const own = "from" in range;
  const stats = useGet<Stats>(
    "/stats",
    { from, to, group_by: "endpoint" },
    { every: own ? false : EVERY, keep: true },
  );
  const backlog = useGet<Backlog>("/stats/backlog", {}, { every: EVERY });
  const metrics = useGet<Metrics>("/metrics", {}, { every: EVERY });
  return (
    <>
      <PageHeader
        title="Overview"
        about="Whether events arrive, to whom they do not, and what waits."
        actions={<RangePicker value={range} onChange={setRange} />}
      />
      <Stack gap="md">
        {metrics.data?.total_events === 0 && <Beginning />}
        <Attention stats={stats.data} backlog={backlog.data} />
        {stats.error && <ErrorState error={stats.error} retry={() => stats.refetch()} />}
        {stats.data ? (
          <>
            <Figures counts={stats.data.totals} />
            <Charts stats={stats.data} />
          </>
        ) : (
          !stats.error && <Skeleton height={420} />
        )}
        {metrics.error && <ErrorState error={metrics.error} retry={() => metrics.refetch()} />}
        {metrics.data && <Queues metrics={metrics.data} backlog={backlog.data} />}
        {stats.data && <Endpoints stats={stats.data} />}
        <Text size="xs" c="dimmed">
          Counts are written now and then: they may be a minute behind. The attempts of a delivery
          are exact.
        </Text>
      </Stack>
    </>
  );
}

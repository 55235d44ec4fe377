import { Text } from "@mantine/core";
import { useGet } from "../../api/hooks";
import type { Stats } from "../../api/types";
import { count } from "../../parts/format";
import { bounds } from "../../parts/range";
import styles from "./recent.module.css";

const HEIGHT = 26;

/** A bar an hour of the last day: accepted below, failed above. */
export function Recent({ id }: { id: string }) {
  const { from, to } = bounds({ minutes: 24 * 60 });
  const hour = (at: string) => `${at.slice(0, 14)}00:00Z`;
  const stats = useGet<Stats>(
    "/stats",
    { endpoint_id: id, from: hour(from), to, interval: "hour" },
    { every: 300_000, keep: true },
  );
  const points = stats.data?.series.slice(-24);
  if (!points) return <div style={{ height: HEIGHT }} />;
  const { delivered, failed_attempts: failed } = stats.data?.totals ?? points[0] ?? {};
  if (!delivered && !failed) {
    return (
      <Text size="xs" c="dimmed">
        nothing sent
      </Text>
    );
  }
  const most = Math.max(...points.map((point) => point.delivered + point.failed_attempts), 1);
  const size = (value: number) => (value === 0 ? 0 : Math.max(2, (value / most) * HEIGHT));
  return (
    <svg
      className={styles.bars}
      width={24 * 6}
      height={HEIGHT}
      role="img"
      aria-label={`Last 24 hours: ${count(delivered)} delivered, ${count(failed)} attempts failed`}
    >
      {points.map((point, nth) => {
        const good = size(point.delivered);
        const bad = size(point.failed_attempts);
        return (
          <g key={point.at}>
            <rect x={nth * 6} y={HEIGHT - 1} width={4} height={1} className={styles.none} />
            <rect x={nth * 6} y={HEIGHT - good} width={4} height={good} className={styles.good} />
            <rect
              x={nth * 6}
              y={Math.max(0, HEIGHT - good - bad)}
              width={4}
              height={bad}
              className={styles.bad}
            />
          </g>
        );
      })}
    </svg>
  );
}

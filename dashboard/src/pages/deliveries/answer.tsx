import { Text } from "@mantine/core";
import type { Delivery } from "../../api/types";
import { milliseconds } from "../../parts/format";

/** What the last attempt was answered with, and how long that took. */
export function LastAnswer({ delivery }: { delivery: Pick<Delivery, "attempt_log"> }) {
  const last = delivery.attempt_log.at(-1);
  if (!last) {
    return (
      <Text size="sm" c="dimmed">
        none yet
      </Text>
    );
  }
  return (
    <Text size="sm" style={{ whiteSpace: "nowrap" }}>
      {last.status_code ?? last.error?.kind ?? "–"}{" "}
      <Text span size="xs" c="dimmed">
        in {milliseconds(last.latency_ms)}
      </Text>
    </Text>
  );
}

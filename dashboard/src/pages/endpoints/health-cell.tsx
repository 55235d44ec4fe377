import { Group, Text } from "@mantine/core";
import { useGet } from "../../api/hooks";
import type { Health, SubscriberHealth } from "../../api/types";
import { percent } from "../../parts/format";
import { Status } from "../../parts/status";

/** Below this share of accepted requests, something is not well. */
const GOOD = 0.95;

interface Props {
  id: string;
  known: SubscriberHealth | undefined;
  /** Whether those that are known have been asked for: only then it is asked for by itself. */
  ready: boolean;
}

/** How an endpoint is doing, in a word and a number. */
export function HealthCell({ id, known, ready }: Props) {
  const own = useGet<Health>(`/endpoints/${id}/health`, {}, { enabled: ready && !known });
  const health = known ?? own.data;
  if (!health)
    return (
      <Text size="xs" c="dimmed">
        {own.error ? "not known" : "…"}
      </Text>
    );
  const { breaker, consecutive_failures: failures, last_hour: hour } = health;
  const shaky = hour.success_rate != null && hour.success_rate < GOOD;
  const label =
    breaker.state === "closed"
      ? failures > 0
        ? `failed ${failures}×`
        : shaky
          ? "fails at times"
          : "well"
      : `breaker ${breaker.state.replace("_", " ")}`;
  const state =
    breaker.state !== "closed" ? breaker.state : failures > 0 || shaky ? "retrying" : "active";
  return (
    <Group gap={6} wrap="nowrap">
      <Status state={state} label={label} />
      <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
        {hour.success_rate == null ? "no requests" : percent(hour.success_rate)}
      </Text>
    </Group>
  );
}

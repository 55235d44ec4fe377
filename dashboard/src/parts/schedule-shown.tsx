import { Group, Text } from "@mantine/core";
import type { Retry } from "../api/types";
import { duration } from "./format";
import { schedule } from "./schedule";
import styles from "./schedule-shown.module.css";

function spread({ jitter }: Retry): string {
  if (typeof jitter !== "number") return `, up to ${jitter.added_seconds} s later`;
  return jitter > 0 ? `, ±${Math.round(jitter * 100)} %` : "";
}

/** When attempts are made, one after the other. */
export function ScheduleShown({ retry }: { retry: Retry }) {
  const steps = schedule(retry);
  const last = steps.at(-1);
  if (!last) return null;
  return (
    <div>
      <Group gap={6} component="ol" className={styles.steps} aria-label="Resulting schedule">
        {steps.map(({ attempt, wait, at }) => (
          <li key={attempt} className={styles.step} title={`${duration(at)} after the event`}>
            <Text span size="xs" fw={600}>
              {attempt}.
            </Text>{" "}
            <Text span size="xs">
              {wait === 0 ? "at once" : `+ ${duration(wait)}`}
            </Text>
          </li>
        ))}
      </Group>
      <Text size="xs" c="dimmed" mt={4}>
        {steps.length} {steps.length === 1 ? "attempt" : "attempts"}
        {last.at > 0 && `, the last ${duration(last.at)} after the event`}
        {spread(retry)}; a Retry-After of the answer counts more.
      </Text>
    </div>
  );
}

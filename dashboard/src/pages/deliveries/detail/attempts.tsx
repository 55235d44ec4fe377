import { Badge, Card, Code, Group, Text, Timeline, Title } from "@mantine/core";
import { IconCheck, IconClock, IconX } from "@tabler/icons-react";
import type { Delivery } from "../../../api/types";
import { milliseconds } from "../../../parts/format";
import { Time } from "../../../parts/time";

type Attempt = Delivery["attempt_log"][number];

function Answer({ attempt }: { attempt: Attempt }) {
  const failed = attempt.error !== undefined && attempt.error !== null;
  const name = attempt.status_code ? `HTTP ${attempt.status_code}` : (attempt.error?.kind ?? "–");
  return (
    <Group gap="xs">
      <Text size="sm" fw={600}>
        Attempt {attempt.number}
      </Text>
      <Badge color={failed ? "red" : "teal"} variant="light" radius="sm" tt="none">
        {name}
      </Badge>
      <Text size="xs" c="dimmed">
        in {milliseconds(attempt.latency_ms)}
      </Text>
    </Group>
  );
}

/** Every attempt, oldest first, and the next one. */
export function Attempts({ delivery }: { delivery: Delivery }) {
  const log = delivery.attempt_log;
  return (
    <Card withBorder component="section" aria-label="Attempts">
      <Title order={2} size="h5" mb="md">
        Attempts
      </Title>
      {log.length === 0 && !delivery.next_attempt_at && (
        <Text size="sm" c="dimmed">
          No request has been made for it.
        </Text>
      )}
      <Timeline active={log.length} bulletSize={24} lineWidth={2}>
        {log.map((attempt) => {
          const failed = Boolean(attempt.error);
          return (
            <Timeline.Item
              key={`${attempt.cycle}.${attempt.number}.${attempt.at}`}
              color={failed ? "red" : "teal"}
              bullet={
                failed ? <IconX size={14} aria-hidden /> : <IconCheck size={14} aria-hidden />
              }
              title={<Answer attempt={attempt} />}
            >
              <Text size="xs" c="dimmed">
                <Time at={attempt.at} />
                {attempt.cycle > 0 && `, replay ${attempt.cycle}`}
              </Text>
              {attempt.error?.detail && <Text size="sm">{attempt.error.detail}</Text>}
              {attempt.response && (
                <Code
                  block
                  mt={4}
                  tabIndex={0}
                  aria-label={`Answer to attempt ${attempt.number}`}
                  style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}
                >
                  {attempt.response}
                </Code>
              )}
            </Timeline.Item>
          );
        })}
        {delivery.next_attempt_at && (
          <Timeline.Item
            bullet={<IconClock size={14} aria-hidden />}
            title={<Text size="sm">Next attempt</Text>}
          >
            <Text size="xs" c="dimmed">
              <Time at={delivery.next_attempt_at} relative />
            </Text>
          </Timeline.Item>
        )}
      </Timeline>
    </Card>
  );
}

import { Alert, Button, Group, Progress, Stack, Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { call } from "../api/client";
import { useAct } from "../api/hooks";
import { ErrorState } from "../parts/error-state";
import { count } from "../parts/format";
import { type Job, useJob, WORDS } from "./job";

interface Props {
  id: string;
  /** How many it means, if that was counted before. */
  expected?: number | undefined;
}

/** How far a job has got, until it is over. */
export function JobProgress({ id, expected }: Props) {
  const client = useQueryClient();
  const [over, setOver] = useState(false);
  const { data: job, error, refetch } = useJob(id, !over);
  const running = job?.status === "running";
  useEffect(() => {
    if (!job || job.status === "running") return;
    setOver(true);
    // The lists are others now.
    client.invalidateQueries({ predicate: ({ queryKey: [path] }) => path !== `/jobs/${id}` });
  }, [job, client, id]);
  const stop = useAct(() => call<Job>("POST", `/jobs/${id}/cancel`), {
    changes: [`/jobs/${id}`],
    done: "It is called off: what is done stays done.",
  });
  if (error) return <ErrorState error={error} retry={() => refetch()} />;
  if (!job) return <Progress value={0} animated aria-label="Progress" />;
  const words = WORDS[job.action];
  const whole = Math.max(expected ?? 0, job.matched, 1);
  const share = running ? Math.min(99, (job.done / whole) * 100) : 100;
  return (
    <Stack gap="xs" aria-live="polite">
      <Group justify="space-between">
        <Text size="sm" fw={600}>
          {running ? `${words.going}…` : job.status === "cancelled" ? "Called off" : "Finished"}
        </Text>
        <Text size="sm" data-testid="job-count">
          {count(job.done)} of {count(Math.max(expected ?? 0, job.matched))} {words.past}
        </Text>
      </Group>
      <Progress
        value={share}
        animated={running}
        color={job.status === "cancelled" ? "gray" : running ? undefined : "teal"}
        aria-label={`${words.going}: ${Math.round(share)} percent`}
      />
      {running ? (
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            At most {count(job.rate_per_second)} a second. It goes on if you close this page.
          </Text>
          <Button
            size="xs"
            variant="default"
            loading={stop.isPending}
            onClick={() => stop.mutate()}
          >
            Call it off
          </Button>
        </Group>
      ) : (
        job.status === "finished" && (
          <Alert color="teal" icon={<IconCheck />} p="xs">
            {count(job.done)} {job.done === 1 ? "delivery was" : "deliveries were"} {words.past}.
          </Alert>
        )
      )}
    </Stack>
  );
}

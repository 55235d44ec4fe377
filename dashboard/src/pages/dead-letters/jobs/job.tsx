import { Card, Code, Skeleton, Stack } from "@mantine/core";
import { useGet } from "../../../api/hooks";
import { type Job, WORDS } from "../../../jobs/job";
import { JobProgress } from "../../../jobs/progress";
import { Copyable } from "../../../parts/copyable";
import { ErrorState } from "../../../parts/error-state";
import { Facts } from "../../../parts/facts";
import { count } from "../../../parts/format";
import { PageHeader } from "../../../parts/page-header";
import { Time } from "../../../parts/time";
import { filterText } from "./list";

const PARENT = { href: "/dead-letters/jobs", label: "Replays and other jobs" };

export function JobPage({ id }: { id: string }) {
  const job = useGet<Job>(`/jobs/${id}`);
  if (job.error) {
    return (
      <>
        <PageHeader title="Job" parent={PARENT} />
        <ErrorState error={job.error} retry={() => job.refetch()} />
      </>
    );
  }
  if (!job.data) return <Skeleton height={320} />;
  const shown = job.data;
  const words = WORDS[shown.action];
  return (
    <>
      <PageHeader
        title={shown.dry_run ? `Count of what to ${shown.action}` : words.now}
        parent={PARENT}
      />
      <Stack gap="md" maw={760}>
        {!shown.dry_run && (
          <Card withBorder>
            <JobProgress id={id} />
          </Card>
        )}
        <Facts
          title="Job"
          rows={[
            ["Id", <Copyable key="id" value={shown.id} what="job id" />],
            ["Which", <Code key="which">{filterText(shown.filter)}</Code>],
            ["Looked at", count(shown.examined)],
            ["Meant", count(shown.matched)],
            ...(shown.dry_run ? [] : ([["Done", count(shown.done)]] as [string, string][])),
            ["Rate", `at most ${count(shown.rate_per_second)} a second`],
            ["By", shown.by || "–"],
            ["Note", shown.note || "–"],
            ["Begun", <Time key="begun" at={shown.created_at} />],
            [
              "Over",
              <Time key="over" at={shown.finished_at ?? shown.cancelled_at} none="not yet" />,
            ],
          ]}
        />
      </Stack>
    </>
  );
}

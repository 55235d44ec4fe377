import { Anchor, Code } from "@mantine/core";
import { Link } from "wouter";
import { usePages } from "../../../api/hooks";
import { type Job, WORDS } from "../../../jobs/job";
import { EmptyState } from "../../../parts/empty-state";
import { count } from "../../../parts/format";
import { PageHeader } from "../../../parts/page-header";
import { PagedTable } from "../../../parts/paged-table";
import { Status } from "../../../parts/status";
import { Time } from "../../../parts/time";

/** What a filter means, on a line. */
export function filterText(filter: Record<string, unknown>): string {
  if (filter.all) return "all";
  return Object.entries(filter)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.length : value}`)
    .join("  ");
}

export function JobsPage() {
  const pages = usePages<Job>("/jobs", { limit: 50 }, { every: 5_000 });
  return (
    <>
      <PageHeader
        title="Replays and other jobs"
        about="What was done to many deliveries at once, newest first. A count without a change is a job too."
        parent={{ href: "/dead-letters", label: "Dead letters" }}
      />
      <PagedTable
        label="Jobs"
        pages={pages}
        id={(row) => row.id}
        minWidth={760}
        empty={
          <EmptyState title="No jobs yet">
            Replay a group of <Link href="/dead-letters">dead letters</Link>: how far it has got is
            shown here.
          </EmptyState>
        }
        columns={[
          {
            title: "What",
            cell: (row) => (
              <Anchor component={Link} href={`/dead-letters/jobs/${row.id}`} size="sm" fw={600}>
                {row.dry_run ? `Count for ${row.action}` : WORDS[row.action].now}
              </Anchor>
            ),
          },
          {
            title: "Status",
            cell: (row) => (
              <Status state={row.status === "finished" ? "done" : row.status} label={row.status} />
            ),
          },
          {
            title: "Done",
            align: "right",
            cell: (row) =>
              row.dry_run
                ? `${count(row.matched)} counted`
                : `${count(row.done)} of ${count(row.matched)}`,
          },
          { title: "Which", cell: (row) => <Code>{filterText(row.filter)}</Code> },
          { title: "By", cell: (row) => row.by || "–" },
          { title: "Begun", cell: (row) => <Time at={row.created_at} relative /> },
        ]}
      />
    </>
  );
}

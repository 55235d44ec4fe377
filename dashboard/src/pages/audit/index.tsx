import { Badge, Button, Checkbox, Select, Text } from "@mantine/core";
import { usePages } from "../../api/hooks";
import type { Answer } from "../../api/types";
import { FilterBar } from "../../filters/bar";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { When } from "../../filters/when";
import { EmptyState } from "../../parts/empty-state";
import { PageHeader } from "../../parts/page-header";
import { PagedTable } from "../../parts/paged-table";
import { Time } from "../../parts/time";
import { useSession } from "../../session/session";

type Entry = Answer<"listAudit">["data"][number];

const OUTCOMES: Record<string, { color: string; means: string }> = {
  done: { color: "teal", means: "It was done" },
  begun: { color: "yellow", means: "It was begun, and nothing tells what came of it" },
  failed: { color: "orange", means: "It was allowed, but failed, or was not valid" },
  refused: { color: "red", means: "Its caller may not do this, or is not known" },
};
const NAMES = ["actor", "action", "outcome", "resource", "from", "to", "deployment"] as const;

export default function AuditPage() {
  const { values, set, isAny, clear } = useFilters(NAMES);
  const { caller } = useSession();
  const pages = usePages<Entry>("/audit", { ...values, limit: 50 });
  return (
    <>
      <PageHeader
        title="Audit log"
        about="Who changed what, and when, and who was refused. Newest first."
      />
      <FilterBar label="Filter the audit log">
        <SearchField
          label="Who: key:hk_…, console, anonymous"
          placeholder="key:hk_…, console"
          value={values.actor}
          onChange={(actor) => set({ actor })}
        />
        <SearchField
          label="What: a method and a path with its parts left open"
          placeholder="DELETE /endpoints/{id}"
          value={values.action}
          onChange={(action) => set({ action })}
          width={220}
        />
        <SearchField
          label="About what: a resource, or what is below it"
          placeholder="endpoints/ep_…"
          value={values.resource}
          onChange={(resource) => set({ resource })}
        />
        <Select
          w={150}
          aria-label="Outcome"
          placeholder="Any outcome"
          clearable
          clearButtonProps={{ "aria-label": "Any outcome" }}
          data={Object.keys(OUTCOMES)}
          value={values.outcome || null}
          onChange={(outcome) => set({ outcome })}
        />
        <When from={values.from} to={values.to} onChange={set} />
        {caller.all_tenants && (
          <Checkbox
            label="Of no tenant"
            checked={values.deployment === "true"}
            onChange={(event) => set({ deployment: event.currentTarget.checked ? "true" : "" })}
          />
        )}
        {isAny && (
          <Button variant="subtle" size="sm" onClick={clear}>
            Clear
          </Button>
        )}
      </FilterBar>
      <PagedTable
        label="Audit log"
        pages={pages}
        id={(row) => row.id}
        minWidth={820}
        empty={
          isAny ? (
            <EmptyState title="No entry is like that">Change or clear the filter above.</EmptyState>
          ) : (
            <EmptyState title="Nothing has been changed yet">
              Every call that changes something, and every refused one, is noted here.
            </EmptyState>
          )
        }
        columns={[
          { title: "When", cell: (row) => <Time at={row.at} /> },
          {
            title: "Who",
            cell: (row) => (
              <div>
                <Text size="sm" ff="monospace">
                  {row.actor}
                </Text>
                {row.source_ip && (
                  <Text size="xs" c="dimmed">
                    from {row.source_ip}
                  </Text>
                )}
              </div>
            ),
          },
          {
            title: "What",
            cell: (row) => (
              <div style={{ maxWidth: 420 }}>
                <Text size="sm">{row.action}</Text>
                <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                  {row.resource}
                </Text>
              </div>
            ),
          },
          {
            title: "Outcome",
            cell: (row) => (
              <Badge
                variant="light"
                radius="sm"
                tt="none"
                color={OUTCOMES[row.outcome]?.color ?? "gray"}
                title={OUTCOMES[row.outcome]?.means}
              >
                {row.outcome}
                {row.status ? ` ${row.status}` : ""}
              </Badge>
            ),
          },
        ]}
      />
    </>
  );
}

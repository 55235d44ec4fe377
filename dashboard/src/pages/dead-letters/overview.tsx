import { Button, SegmentedControl } from "@mantine/core";
import { IconHistory, IconRefresh } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { FilterBar } from "../../filters/bar";
import { EndpointSelect } from "../../filters/endpoint-select";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { When } from "../../filters/when";
import { type Bulk, BulkModal } from "../../jobs/bulk";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { GroupsView } from "./groups";
import { Letters } from "./letters";

const NAMES = ["view", "endpoint_id", "event_type", "failure", "q", "from", "to"] as const;

export function OverviewPage() {
  const { values, set, isAny, clear } = useFilters(NAMES);
  const [, go] = useLocation();
  const [bulk, setBulk] = useState<Bulk | null>(null);
  const { view, ...filter } = values;
  const filtered = Object.values(filter).some(Boolean);
  return (
    <>
      <PageHeader
        title="Dead letters"
        about="What was given up, by what failed where. Mend what failed, then replay what waits for it."
        actions={
          <>
            <Button
              variant="default"
              leftSection={<IconHistory size={16} aria-hidden />}
              onClick={() => go("/dead-letters/jobs")}
            >
              Replays
            </Button>
            <ScopeButton
              scope="manage"
              leftSection={<IconRefresh size={16} aria-hidden />}
              onClick={() =>
                setBulk({
                  action: "replay",
                  filter: { ...filter, resolved: false },
                  about: filtered ? "dead letters that the filter means" : "all dead letters",
                })
              }
            >
              {filtered ? "Replay all of these…" : "Replay all…"}
            </ScopeButton>
          </>
        }
      />
      <FilterBar label="Filter dead letters">
        <SegmentedControl
          data-whole
          aria-label="Shown as"
          size="sm"
          value={view || "groups"}
          onChange={(next) => set({ view: next === "groups" ? "" : next })}
          data={[
            { value: "groups", label: "Groups" },
            { value: "letters", label: "One by one" },
            { value: "resolved", label: "Resolved" },
          ]}
        />
        <EndpointSelect
          value={values.endpoint_id}
          onChange={(endpoint_id) => set({ endpoint_id })}
        />
        <SearchField
          label="Failure, such as http_5xx or timeout"
          placeholder="http_5xx, timeout"
          value={values.failure}
          onChange={(failure) => set({ failure })}
          width={170}
        />
        <SearchField
          label="Event type"
          placeholder="order.created"
          value={values.event_type}
          onChange={(event_type) => set({ event_type })}
        />
        <SearchField
          label="Text in the words of failures and answers"
          placeholder="Text of an answer"
          value={values.q}
          onChange={(q) => set({ q })}
        />
        <When from={values.from} to={values.to} onChange={set} />
        {isAny && (
          <Button variant="subtle" size="sm" onClick={clear}>
            Clear
          </Button>
        )}
      </FilterBar>
      {view === "letters" || view === "resolved" ? (
        <Letters filter={{ ...filter, ...(view === "resolved" && { resolved: true }) }} />
      ) : (
        <GroupsView
          filter={filter}
          filtered={filtered}
          act={setBulk}
          show={({ endpoint_id, failure }) => set({ view: "letters", endpoint_id, failure })}
        />
      )}
      <BulkModal bulk={bulk} close={() => setBulk(null)} />
    </>
  );
}

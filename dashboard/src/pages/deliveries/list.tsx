import { Anchor, Button, Menu, Select, Text } from "@mantine/core";
import { IconBan, IconDots, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { usePages } from "../../api/hooks";
import type { Delivery } from "../../api/types";
import { FilterBar } from "../../filters/bar";
import { EndpointSelect, useEndpointNames } from "../../filters/endpoint-select";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { When } from "../../filters/when";
import { type Bulk, BulkModal } from "../../jobs/bulk";
import type { Action } from "../../jobs/job";
import { EmptyState } from "../../parts/empty-state";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { PagedTable } from "../../parts/paged-table";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";
import { useSession } from "../../session/session";
import { LastAnswer } from "./answer";
import { ExportButton } from "./export-button";

const NAMES = [
  "status",
  "endpoint_id",
  "event_type",
  "failure",
  "q",
  "event_id",
  "from",
  "to",
] as const;
const STATUSES = ["pending", "retrying", "parked", "held", "delivered", "dead", "cancelled"];
/** An event's id, or a delivery's. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_\S+)?$/i;

const BULKS: { action: Action; label: string; icon: typeof IconRefresh }[] = [
  { action: "retry", label: "Retry all of these…", icon: IconRefresh },
  { action: "cancel", label: "Cancel all of these…", icon: IconBan },
  { action: "delete", label: "Delete all of these…", icon: IconTrash },
];

export function ListPage() {
  const { values, set, isAny, clear } = useFilters(NAMES);
  const [, go] = useLocation();
  const { may } = useSession();
  const names = useEndpointNames();
  const [bulk, setBulk] = useState<Bulk | null>(null);
  const pages = usePages<Delivery>("/deliveries", { ...values, limit: 50 }, { every: 10_000 });
  const search = (text: string) => {
    if (!ID.test(text)) set({ q: text, event_id: "" });
    else if (text.includes("_")) go(`/deliveries/${text}`);
    else set({ event_id: text, q: "" });
  };
  return (
    <>
      <PageHeader
        title="Deliveries"
        about="Every event to every endpoint that wanted it, newest first, and what came of it."
        actions={
          <>
            <ExportButton filter={values} />
            {may("manage") ? (
              <Menu position="bottom-end" withArrow>
                <Menu.Target>
                  <Button variant="default" leftSection={<IconDots size={16} aria-hidden />}>
                    All of these
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  {BULKS.map(({ action, label, icon: Icon }) => (
                    <Menu.Item
                      key={action}
                      color={action === "retry" ? undefined : "red"}
                      leftSection={<Icon size={16} aria-hidden />}
                      onClick={() => setBulk({ action, filter: values, about: "deliveries" })}
                    >
                      {label}
                    </Menu.Item>
                  ))}
                </Menu.Dropdown>
              </Menu>
            ) : (
              <ScopeButton
                scope="manage"
                variant="default"
                leftSection={<IconDots size={16} aria-hidden />}
              >
                All of these
              </ScopeButton>
            )}
          </>
        }
      />
      <FilterBar label="Filter deliveries">
        <SearchField
          label="Search the words of failures and answers, or an id"
          placeholder="Text of a failure, or id"
          value={values.event_id || values.q}
          onChange={search}
          width={220}
        />
        <Select
          w={150}
          aria-label="Status"
          placeholder="Any status"
          clearable
          clearButtonProps={{ "aria-label": "Any status" }}
          data={STATUSES}
          value={values.status || null}
          onChange={(status) => set({ status })}
        />
        <EndpointSelect
          value={values.endpoint_id}
          onChange={(endpoint_id) => set({ endpoint_id })}
        />
        <SearchField
          label="Event type"
          placeholder="order.created"
          value={values.event_type}
          onChange={(event_type) => set({ event_type })}
        />
        <SearchField
          label="Failure, such as http_5xx or timeout"
          placeholder="http_5xx, timeout"
          value={values.failure}
          onChange={(failure) => set({ failure })}
          width={170}
        />
        <When from={values.from} to={values.to} onChange={set} />
        {isAny && (
          <Button variant="subtle" size="sm" onClick={clear}>
            Clear
          </Button>
        )}
      </FilterBar>
      <PagedTable
        label="Deliveries"
        pages={pages}
        id={(row) => row.id}
        minWidth={760}
        empty={
          isAny ? (
            <EmptyState title="No delivery is like that">
              Change or clear the filter above. Deliveries are kept as long as their events.
            </EmptyState>
          ) : (
            <EmptyState title="Nothing has been delivered yet">
              <Link href="/endpoints/new">Make an endpoint</Link>, then{" "}
              <Link href="/events/new">send an event</Link>: its deliveries are listed here within a
              second.
            </EmptyState>
          )
        }
        columns={[
          {
            title: "Event type",
            cell: (row) => (
              <Anchor component={Link} href={`/deliveries/${row.id}`} size="sm" fw={600}>
                {row.event_type}
              </Anchor>
            ),
          },
          {
            title: "Endpoint",
            cell: (row) => (
              <Text size="sm" maw={260} truncate title={row.endpoint_id}>
                {names.get(row.endpoint_id) ?? row.endpoint_id}
              </Text>
            ),
          },
          { title: "Status", cell: (row) => <Status state={row.status} /> },
          { title: "Attempts", align: "right", cell: (row) => row.attempts },
          { title: "Last answer", cell: (row) => <LastAnswer delivery={row} /> },
          {
            title: "Next",
            cell: (row) => <Time at={row.next_attempt_at} relative none="–" />,
          },
          { title: "Accepted", cell: (row) => <Time at={row.created_at} relative /> },
        ]}
      />
      <BulkModal bulk={bulk} close={() => setBulk(null)} />
    </>
  );
}

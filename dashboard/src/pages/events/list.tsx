import { Anchor, Button, Group, Text } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { usePages } from "../../api/hooks";
import type { Answer } from "../../api/types";
import { FilterBar } from "../../filters/bar";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { When } from "../../filters/when";
import { EmptyState } from "../../parts/empty-state";
import { count } from "../../parts/format";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { PagedTable } from "../../parts/paged-table";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";

type Row = Answer<"listEvents">["data"][number];

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function SendButton() {
  const [, go] = useLocation();
  return (
    <ScopeButton
      scope="publish"
      leftSection={<IconSend size={16} aria-hidden />}
      onClick={() => go("/events/new")}
    >
      Send an event
    </ScopeButton>
  );
}

export function ListPage() {
  const { values, set, isAny, clear } = useFilters(["event_type", "alias", "from", "to"] as const);
  const [, go] = useLocation();
  const pages = usePages<Row>("/events", { ...values, limit: 50 }, { every: 10_000 });
  return (
    <>
      <PageHeader
        title="Events"
        about="What was published, newest first, and how many endpoints wanted it."
        actions={<SendButton />}
      />
      <FilterBar label="Filter events">
        <SearchField
          label="Event type, or a pattern such as order.*"
          placeholder="order.*"
          value={values.event_type}
          onChange={(event_type) => set({ event_type })}
        />
        <SearchField
          label="An event's id, or the one that its sender gave it"
          placeholder="Id, yours or ours"
          value={values.alias}
          onChange={(id) => (ID.test(id) ? go(`/events/${id}`) : set({ alias: id }))}
          width={230}
        />
        <When from={values.from} to={values.to} onChange={set} />
        {isAny && (
          <Button variant="subtle" size="sm" onClick={clear}>
            Clear
          </Button>
        )}
      </FilterBar>
      <PagedTable
        label="Events"
        pages={pages}
        id={(row) => row.id}
        empty={
          isAny ? (
            <EmptyState title="No event is like that">
              Change or clear the filter above. A sender's own id is known for 24 hours; an event is
              kept for the deployment's RetentionDays.
            </EmptyState>
          ) : (
            <EmptyState title="No events yet" action={<SendButton />}>
              Post one with <code>POST /api/v1/events</code>, or send one from here.
            </EmptyState>
          )
        }
        columns={[
          {
            title: "Event type",
            cell: (row) => (
              <Group gap="xs" wrap="nowrap">
                <Anchor component={Link} href={`/events/${row.id}`} size="sm" fw={600}>
                  {row.event_type}
                </Anchor>
                {row.deliver_at && new Date(row.deliver_at) > new Date() && (
                  <Status state="scheduled" />
                )}
              </Group>
            ),
          },
          {
            title: "Id",
            cell: (row) => (
              <Text size="xs" ff="monospace" maw={320} truncate title={row.id}>
                {row.alias ?? row.id}
              </Text>
            ),
          },
          {
            title: "Endpoints",
            align: "right",
            cell: (row) =>
              row.delivery_count === 0 ? (
                <Text size="sm" c="dimmed">
                  none wanted it
                </Text>
              ) : (
                count(row.delivery_count)
              ),
          },
          {
            title: "Goes out",
            cell: (row) => <Time at={row.deliver_at} relative none="at once" />,
          },
          { title: "Accepted", cell: (row) => <Time at={row.timestamp} relative /> },
        ]}
      />
    </>
  );
}

import { Anchor, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { useGet, usePages } from "../../api/hooks";
import type { Endpoint, Page, SubscriberHealth } from "../../api/types";
import { EmptyState } from "../../parts/empty-state";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { PagedTable } from "../../parts/paged-table";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";
import { HealthCell } from "./health-cell";
import { Recent } from "./recent";

/** A row asks for its own recent results: no more of them than are looked at. */
const ROWS = 25;

function NewButton() {
  const [, go] = useLocation();
  return (
    <ScopeButton
      scope="manage"
      leftSection={<IconPlus size={16} aria-hidden />}
      onClick={() => go("/endpoints/new")}
    >
      New endpoint
    </ScopeButton>
  );
}

/** A text field that lets one finish typing before it asks. */
function Searched(props: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (text: string) => void;
}) {
  const [text, setText] = useState(props.value);
  const tell = useDebouncedCallback(props.onChange, 300);
  return (
    <TextInput
      size="sm"
      aria-label={props.label}
      placeholder={props.placeholder}
      leftSection={<IconSearch size={15} aria-hidden />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
    />
  );
}

export function ListPage() {
  const [search, setSearch] = useSearchParams();
  const asked = {
    text: search.get("text") ?? "",
    state: search.get("state") ?? "",
    metadata: search.get("metadata") ?? "",
  };
  const ask = (name: keyof typeof asked, value: string) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        return after;
      },
      { replace: true },
    );
  const pages = usePages<Endpoint>("/endpoints", { ...asked, limit: ROWS }, { every: 30_000 });
  const health = useGet<Page<SubscriberHealth>>(
    "/endpoints/health",
    { limit: 200 },
    { every: 15_000 },
  );
  const known = new Map(health.data?.data.map((one) => [one.endpoint_id, one]));
  const filtered = Object.values(asked).some(Boolean);
  return (
    <>
      <PageHeader
        title="Endpoints"
        about="Where events go: URLs, what they want of events, and how they are doing."
        actions={<NewButton />}
      />
      <Group mb="md" gap="sm" role="search" aria-label="Filter endpoints">
        <Searched
          label="Search name, description and URL"
          placeholder="Name, URL"
          value={asked.text}
          onChange={(text) => ask("text", text)}
        />
        <Select
          w={150}
          aria-label="State"
          placeholder="Any state"
          clearable
          clearButtonProps={{ "aria-label": "Any state" }}
          data={["active", "paused", "disabled"]}
          value={asked.state || null}
          onChange={(state) => ask("state", state ?? "")}
        />
        <Searched
          label="Metadata, as key or key:value"
          placeholder="team:billing"
          value={asked.metadata}
          onChange={(metadata) => ask("metadata", metadata)}
        />
      </Group>
      <PagedTable
        label="Endpoints"
        pages={pages}
        id={(row) => row.id}
        minWidth={820}
        empty={
          filtered ? (
            <EmptyState title="No endpoint is like that">
              Change the filter above, or look at another tenant.
            </EmptyState>
          ) : (
            <EmptyState title="No endpoints yet" action={<NewButton />}>
              Events are delivered to endpoints: a URL, and the event types it wants. Make the first
              one.
            </EmptyState>
          )
        }
        columns={[
          {
            title: "Endpoint",
            cell: (row) => (
              <div style={{ minWidth: 200, maxWidth: 380 }}>
                <Anchor component={Link} href={`/endpoints/${row.id}`} fw={600} size="sm">
                  {row.name || row.url}
                </Anchor>
                <Text size="xs" c="dimmed" truncate title={row.url}>
                  {row.name ? row.url : row.description || row.id}
                </Text>
              </div>
            ),
          },
          { title: "State", cell: (row) => <Status state={row.state} /> },
          {
            title: "Health",
            cell: (row) => (
              <HealthCell id={row.id} known={known.get(row.id)} ready={!!health.data} />
            ),
          },
          { title: "Last 24 h", cell: (row) => <Recent id={row.id} />, width: 170 },
          {
            title: "Events",
            cell: (row) => (
              <Text size="xs" maw={200} truncate title={row.event_types.join(", ")}>
                {row.event_types.slice(0, 3).join(", ")}
                {row.event_types.length > 3 && ` and ${row.event_types.length - 3} more`}
              </Text>
            ),
          },
          { title: "Made", cell: (row) => <Time at={row.created_at} relative /> },
        ]}
      />
    </>
  );
}

import { Badge, Group, Switch, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { call } from "../../api/client";
import { useAct, usePages } from "../../api/hooks";
import type { Answer } from "../../api/types";
import { FilterBar } from "../../filters/bar";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { confirm } from "../../parts/confirm";
import { EmptyState } from "../../parts/empty-state";
import { count } from "../../parts/format";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { PagedTable } from "../../parts/paged-table";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";
import { useSession } from "../../session/session";
import { NewKey } from "./new-key";

type Key = Answer<"listKeys">["data"][number];

function Limits({ row }: { row: Key }) {
  const limits = [
    row.networks.length > 0 && `from ${row.networks.join(", ")}`,
    row.requests_per_second && `${count(row.requests_per_second)} calls a second`,
  ].filter(Boolean);
  return (
    <Text size="xs" c={limits.length ? undefined : "dimmed"} maw={220}>
      {limits.join("; ") || "none"}
    </Text>
  );
}

function Revoke({ row }: { row: Key }) {
  const revoke = useAct(() => call("DELETE", `/api-keys/${row.id}`), {
    done: "The key is revoked. It may work for 10 seconds more.",
    changes: ["/api-keys"],
  });
  if (row.status !== "active") return null;
  return (
    <ScopeButton
      scope="admin"
      size="compact-xs"
      variant="light"
      color="red"
      onClick={() =>
        confirm({
          title: `Revoke ${row.name || row.id}?`,
          children:
            "Whoever uses it is refused from then on. A revoked key cannot be brought back: make another first, and change over.",
          act: "Revoke",
          danger: true,
          onYes: () => revoke.mutate(),
        })
      }
    >
      Revoke
    </ScopeButton>
  );
}

export default function ApiKeysPage() {
  const { values, set } = useFilters(["prefix", "all_tenants"] as const);
  const { caller } = useSession();
  const [making, setMaking] = useState(false);
  const pages = usePages<Key>("/api-keys", { ...values, limit: 50 });
  const make = (
    <ScopeButton
      scope="admin"
      leftSection={<IconPlus size={16} aria-hidden />}
      onClick={() => setMaking(true)}
    >
      New key
    </ScopeButton>
  );
  return (
    <>
      <PageHeader
        title="API keys"
        about="What lets back ends and people in, and what each may do. Give each its own, with no more scopes than it needs."
        actions={make}
      />
      <FilterBar label="Filter keys">
        <SearchField
          label="The beginning of a key's id"
          placeholder="hk_…"
          value={values.prefix}
          onChange={(prefix) => set({ prefix })}
        />
        {caller.all_tenants && (
          <Switch
            label="Those for all tenants"
            checked={values.all_tenants === "true"}
            onChange={(event) => set({ all_tenants: event.currentTarget.checked ? "true" : "" })}
          />
        )}
      </FilterBar>
      <PagedTable
        label="API keys"
        pages={pages}
        id={(row) => row.id}
        minWidth={820}
        empty={
          <EmptyState title="No keys here" action={make}>
            {values.prefix
              ? "No key's id begins like that."
              : "Make one for each back end that publishes, and for each person who looks."}
          </EmptyState>
        }
        columns={[
          {
            title: "Key",
            cell: (row) => (
              <div>
                <Text size="sm" fw={600}>
                  {row.name || "without a name"}
                </Text>
                <Text size="xs" c="dimmed" ff="monospace">
                  {row.id}…{row.last4}
                </Text>
              </div>
            ),
          },
          { title: "Status", cell: (row) => <Status state={row.status} /> },
          {
            title: "May",
            cell: (row) => (
              <Group gap={4} wrap="nowrap">
                {row.scopes.map((scope) => (
                  <Badge
                    key={scope}
                    size="sm"
                    radius="sm"
                    variant="default"
                    tt="none"
                    miw="max-content"
                  >
                    {scope}
                  </Badge>
                ))}
              </Group>
            ),
          },
          { title: "Limits", cell: (row) => <Limits row={row} /> },
          {
            title: "Made",
            cell: (row) => (
              <div>
                <Time at={row.created_at} relative />
                <Text size="xs" c="dimmed">
                  by {row.created_by}
                </Text>
              </div>
            ),
          },
          { title: "Ends", cell: (row) => <Time at={row.revoked_at ?? row.expires_at} relative /> },
          { title: "Revoke", hidden: true, align: "right", cell: (row) => <Revoke row={row} /> },
        ]}
      />
      {making && <NewKey close={() => setMaking(false)} />}
    </>
  );
}

import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Query } from "../../api/client";
import { usePages } from "../../api/hooks";
import type { DeadLetters } from "../../api/types";
import { useEndpointNames } from "../../filters/endpoint-select";
import { EmptyState } from "../../parts/empty-state";
import { PagedTable } from "../../parts/paged-table";
import { Time } from "../../parts/time";
import { RowActions } from "./row-actions";

export type DeadLetter = DeadLetters["data"][number];

/** Dead letters one by one. */
export function Letters({ filter }: { filter: Query }) {
  const names = useEndpointNames();
  const pages = usePages<DeadLetter>("/dead-letters", { ...filter, limit: 50 }, { every: 10_000 });
  return (
    <PagedTable
      label="Dead letters"
      pages={pages}
      id={(row) => row.delivery_id}
      minWidth={820}
      empty={
        <EmptyState title="No dead letter is like that">
          Change or clear the filter above.
        </EmptyState>
      }
      columns={[
        {
          title: "Event type",
          cell: (row) => (
            <Anchor component={Link} href={`/dead-letters/${row.delivery_id}`} size="sm" fw={600}>
              {row.event_type}
            </Anchor>
          ),
        },
        {
          title: "Endpoint",
          cell: (row) => (
            <Text size="sm" maw={220} truncate title={row.endpoint_id}>
              {names.get(row.endpoint_id) ?? row.endpoint_id}
            </Text>
          ),
        },
        {
          title: "Why",
          cell: (row) => (
            <Text size="sm" maw={280} lineClamp={2}>
              {row.failure_reason}
            </Text>
          ),
        },
        { title: "Attempts", align: "right", cell: (row) => row.attempts },
        { title: "Given up", cell: (row) => <Time at={row.ended_at} relative /> },
        { title: "What to do", hidden: true, cell: (row) => <RowActions letter={row} /> },
      ]}
    />
  );
}

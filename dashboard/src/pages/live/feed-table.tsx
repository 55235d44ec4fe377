/** The attempts, newest first. */

import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Endpoint } from "../../api/types";
import { type Attempt, keyOf } from "./attempts";
import { OutcomeBadge } from "./outcome-badge";

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 1,
});

interface Props {
  rows: Attempt[];
  endpoints: Map<string, Endpoint>;
}

export function FeedTable({ rows, endpoints }: Props) {
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table striped verticalSpacing={4} aria-label="Attempts, newest first">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Time</Table.Th>
            <Table.Th>Outcome</Table.Th>
            <Table.Th>Event type</Table.Th>
            <Table.Th>Endpoint</Table.Th>
            <Table.Th>Attempt</Table.Th>
            <Table.Th>Answer</Table.Th>
            <Table.Th ta="right">Latency</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Row key={keyOf(row)} row={row} endpoint={endpoints.get(row.endpoint_id)} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ row, endpoint }: { row: Attempt; endpoint: Endpoint | undefined }) {
  return (
    <Table.Tr data-delivery={row.delivery_id}>
      <Table.Td>
        <time dateTime={row.at} title={`${row.at.replace("T", " ").replace("Z", "")} UTC`}>
          {CLOCK.format(new Date(row.at))}
        </time>
      </Table.Td>
      <Table.Td>
        <OutcomeBadge outcome={row.outcome} />
      </Table.Td>
      <Table.Td>
        <Anchor component={Link} href={`/deliveries/${row.delivery_id}`} size="sm">
          {row.event_type}
        </Anchor>
      </Table.Td>
      <Table.Td>
        <Text size="sm" truncate maw={280} title={endpoint?.url ?? row.endpoint_id}>
          {endpoint?.name || endpoint?.url || row.endpoint_id}
        </Text>
      </Table.Td>
      <Table.Td>{row.attempt}</Table.Td>
      <Table.Td>{row.status_code ?? row.failure ?? ""}</Table.Td>
      <Table.Td ta="right">{row.latency_ms} ms</Table.Td>
    </Table.Tr>
  );
}

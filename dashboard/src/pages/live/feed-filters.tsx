/** What of the feed is shown. */

import { Group, Select, TextInput } from "@mantine/core";
import type { Endpoint } from "../../api/types";
import { type FeedFilter, isPattern, type Outcome } from "./attempts";

const OUTCOMES: { value: Outcome; label: string }[] = [
  { value: "delivered", label: "delivered" },
  { value: "retrying", label: "will retry" },
  { value: "dead", label: "dead" },
  { value: "cancelled", label: "cancelled" },
];

interface Props {
  filter: FeedFilter;
  endpoints: Endpoint[];
  onChange: (filter: FeedFilter) => void;
}

export function FeedFilters({ filter, endpoints, onChange }: Props) {
  const typed = filter.eventType;
  return (
    <Group align="flex-start" gap="sm">
      <Select
        label="Endpoint"
        placeholder="All"
        clearable
        searchable
        w={260}
        data={endpoints.map((endpoint) => ({
          value: endpoint.id,
          label: endpoint.name || endpoint.url,
        }))}
        value={filter.endpointId || null}
        onChange={(value) => onChange({ ...filter, endpointId: value ?? "" })}
      />
      <TextInput
        label="Event type"
        placeholder="order.*"
        w={180}
        value={typed}
        error={typed && !isPattern(typed) ? "such as order.created or order.*" : undefined}
        onChange={(event) => onChange({ ...filter, eventType: event.currentTarget.value.trim() })}
      />
      <Select
        label="Outcome"
        placeholder="All"
        clearable
        w={150}
        data={OUTCOMES}
        value={filter.outcome || null}
        onChange={(value) => onChange({ ...filter, outcome: (value as Outcome | null) ?? "" })}
      />
    </Group>
  );
}

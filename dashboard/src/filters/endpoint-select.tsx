import { Select } from "@mantine/core";
import { useGet } from "../api/hooks";
import type { Endpoint, Page } from "../api/types";

/** The first 200 endpoints by their ids. */
export function useEndpointNames(): Map<string, string> {
  const listed = useGet<Page<Endpoint>>("/endpoints", { limit: 200 });
  return new Map(listed.data?.data.map((one) => [one.id, one.name || one.url]));
}

interface Props {
  value: string;
  onChange: (id: string) => void;
}

/** Chooses an endpoint to look at. */
export function EndpointSelect({ value, onChange }: Props) {
  const names = useEndpointNames();
  const data = [...names].map(([id, label]) => ({ value: id, label }));
  if (value && !names.has(value)) data.push({ value, label: value });
  return (
    <Select
      w={210}
      aria-label="Endpoint"
      placeholder="Any endpoint"
      searchable
      clearable
      clearButtonProps={{ "aria-label": "Any endpoint" }}
      nothingFoundMessage="No endpoint is called so"
      data={data}
      value={value || null}
      onChange={(id) => onChange(id ?? "")}
    />
  );
}

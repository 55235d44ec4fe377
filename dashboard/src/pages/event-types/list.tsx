import { Anchor, Badge, Button, Card, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconPlus, IconUpload } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { useGet } from "../../api/hooks";
import type { Page } from "../../api/types";
import { SearchField } from "../../filters/search-field";
import { useFilters } from "../../filters/use-filters";
import { EmptyState } from "../../parts/empty-state";
import { ErrorState } from "../../parts/error-state";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { type EventType, place } from "./entry";
import { Strict } from "./strict";

function Actions() {
  const [, go] = useLocation();
  return (
    <>
      <ScopeButton
        scope="manage"
        variant="default"
        leftSection={<IconUpload size={16} aria-hidden />}
        onClick={() => go("/event-types/import")}
      >
        Import
      </ScopeButton>
      <ScopeButton
        scope="manage"
        leftSection={<IconPlus size={16} aria-hidden />}
        onClick={() => go("/event-types/new")}
      >
        New event type
      </ScopeButton>
    </>
  );
}

function Row({ type }: { type: EventType }) {
  return (
    <Group justify="space-between" gap="xs" py={6} wrap="nowrap" align="flex-start">
      <div style={{ minWidth: 0 }}>
        <Anchor component={Link} href={place(type.name)} fw={600} size="sm" ff="monospace">
          {type.name}
        </Anchor>
        <Text size="sm" c="dimmed">
          {type.description || "Nothing is said about it."}
        </Text>
      </div>
      <Group gap={4} wrap="wrap" justify="flex-end">
        {type.schema !== null && type.schema !== undefined && (
          <Badge variant="light" color="blue" radius="sm" tt="none">
            schema
          </Badge>
        )}
        {type.example !== null && type.example !== undefined && (
          <Badge variant="default" radius="sm" tt="none">
            example
          </Badge>
        )}
        {type.deprecated && (
          <Badge variant="light" color="yellow" radius="sm" tt="none">
            deprecated
          </Badge>
        )}
      </Group>
    </Group>
  );
}

export function ListPage() {
  const { values, set } = useFilters(["q", "after"] as const);
  const types = useGet<Page<EventType>>("/event-types", {
    limit: 200,
    after: values.after,
  });
  const wanted = values.q.toLowerCase();
  const shown = (types.data?.data ?? []).filter(
    (one) =>
      one.name.toLowerCase().includes(wanted) || one.description.toLowerCase().includes(wanted),
  );
  const groups = new Map<string, EventType[]>();
  for (const one of shown) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  const next = types.data?.next;
  return (
    <>
      <PageHeader
        title="Event types"
        about="The catalogue: what is published, what it means, and what its payloads look like."
        actions={<Actions />}
      />
      <Stack gap="md">
        <Strict />
        <Group role="search" aria-label="Filter event types">
          <SearchField
            label="Text in names and descriptions"
            placeholder="Name, description"
            value={values.q}
            onChange={(q) => set({ q })}
            width={240}
          />
        </Group>
        {types.error && <ErrorState error={types.error} retry={() => types.refetch()} />}
        {types.isPending && !types.error && <Skeleton height={280} />}
        {types.data && shown.length === 0 && (
          <EmptyState
            title={wanted ? "No event type is like that" : "The catalogue is empty"}
            action={wanted ? undefined : <Actions />}
          >
            {wanted
              ? "Change the search above."
              : "Events of any type are taken all the same. Tell of your types here, so that whoever receives them knows what they mean, and mistakes are refused in strict mode."}
          </EmptyState>
        )}
        {[...groups].map(([group, members]) => (
          <Card withBorder key={group} component="section" aria-label={group || "Others"}>
            <Title order={2} size="h5" mb={4}>
              {group || (groups.size > 1 ? "Others" : "All")}
            </Title>
            {members.map((one) => (
              <Row key={one.name} type={one} />
            ))}
          </Card>
        ))}
        {(next || values.after) && (
          <Group justify="flex-end">
            {values.after && (
              <Button size="xs" variant="default" onClick={() => set({ after: "" })}>
                First page
              </Button>
            )}
            {next && (
              <Button size="xs" variant="default" onClick={() => set({ after: next })}>
                Next page
              </Button>
            )}
          </Group>
        )}
      </Stack>
    </>
  );
}

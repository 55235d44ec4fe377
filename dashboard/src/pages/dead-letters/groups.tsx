import { Alert, Anchor, Badge, Button, Card, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconMoodSmile, IconRefresh } from "@tabler/icons-react";
import { Link } from "wouter";
import type { Query } from "../../api/client";
import { useGet } from "../../api/hooks";
import { useEndpointNames } from "../../filters/endpoint-select";
import type { Bulk } from "../../jobs/bulk";
import { EmptyState } from "../../parts/empty-state";
import { ErrorState } from "../../parts/error-state";
import { count } from "../../parts/format";
import { ScopeButton } from "../../parts/needs-scope";
import { Time } from "../../parts/time";
import { advice } from "./advice";

interface DeadLetterGroup {
  endpoint_id: string;
  failure: string;
  reason: string;
  count: number;
  oldest_at: string;
  newest_at: string;
  example_id: string;
}

interface Groups {
  data: DeadLetterGroup[];
  complete: boolean;
  counted: number;
  looked_back_to: string | null;
}

interface Props {
  filter: Query;
  filtered: boolean;
  act: (bulk: Bulk) => void;
  /** Shows a group's dead letters one by one. */
  show: (group: { endpoint_id: string; failure: string }) => void;
}

/** Dead letters by what failed where: what to mend, and a replay of what waits for it. */
export function GroupsView({ filter, filtered, act, show }: Props) {
  const names = useEndpointNames();
  const groups = useGet<Groups>("/dead-letters/groups", filter, { every: 10_000, keep: true });
  if (groups.error) return <ErrorState error={groups.error} retry={() => groups.refetch()} />;
  if (!groups.data) return <Skeleton height={280} />;
  const { data, complete, counted, looked_back_to } = groups.data;
  if (data.length === 0 && complete) {
    return filtered ? (
      <EmptyState title="No dead letter is like that">Change or clear the filter above.</EmptyState>
    ) : (
      <EmptyState title="No dead letters" icon={<IconMoodSmile size={26} />}>
        Everything was delivered, is under way, or was dealt with. What is given up is shown here,
        with what to do about it.
      </EmptyState>
    );
  }
  return (
    <Stack gap="sm" aria-busy={groups.isPlaceholderData}>
      {!complete && (
        <Alert color="yellow" title={`The newest ${count(counted)} were counted`}>
          There are more: those of events before <Time at={looked_back_to} /> are not in these
          numbers. A replay of a group means all of it, and counts it first.
        </Alert>
      )}
      {data.map((group) => {
        const { endpoint_id, failure } = group;
        const means = { ...filter, endpoint_id, failure, resolved: false };
        const to = names.get(endpoint_id) ?? endpoint_id;
        const bulk = (action: Bulk["action"]): Bulk => ({
          action,
          filter: means as Bulk["filter"],
          about: `what failed at ${to}`,
        });
        return (
          <Card
            withBorder
            key={`${endpoint_id} ${failure}`}
            component="section"
            aria-label={`${group.reason} at ${to}`}
          >
            <Group justify="space-between" align="flex-start" gap="sm">
              <Stack gap={4} style={{ minWidth: 0, flex: "1 1 320px" }}>
                <Group gap="xs">
                  <Badge color="red" variant="light" size="lg" radius="sm">
                    {count(group.count)}
                  </Badge>
                  <Text fw={650} style={{ overflowWrap: "anywhere" }}>
                    {group.reason}
                  </Text>
                </Group>
                <Text size="sm" style={{ overflowWrap: "anywhere" }}>
                  at{" "}
                  <Anchor component={Link} href={`/endpoints/${endpoint_id}`} inherit>
                    {to}
                  </Anchor>
                </Text>
                <Text size="sm" c="dimmed">
                  {advice(failure)}
                </Text>
                <Text size="xs" c="dimmed">
                  Events from <Time at={group.oldest_at} /> to <Time at={group.newest_at} />
                </Text>
              </Stack>
              <Group gap="xs">
                <ScopeButton
                  scope="manage"
                  size="xs"
                  leftSection={<IconRefresh size={14} aria-hidden />}
                  onClick={() => act(bulk("replay"))}
                >
                  Replay…
                </ScopeButton>
                <ScopeButton
                  scope="manage"
                  size="xs"
                  variant="default"
                  onClick={() => act(bulk("resolve"))}
                >
                  Resolve…
                </ScopeButton>
                <ScopeButton
                  scope="manage"
                  size="xs"
                  variant="default"
                  onClick={() => act(bulk("delete"))}
                >
                  Delete…
                </ScopeButton>
                <Button size="xs" variant="subtle" onClick={() => show(group)}>
                  One by one
                </Button>
                <Anchor component={Link} href={`/dead-letters/${group.example_id}`} size="xs">
                  The newest
                </Anchor>
              </Group>
            </Group>
          </Card>
        );
      })}
    </Stack>
  );
}

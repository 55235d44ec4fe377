import { Alert, Anchor, Card, Grid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { confirm } from "../../parts/confirm";
import { ErrorState } from "../../parts/error-state";
import { Facts } from "../../parts/facts";
import { Listing } from "../../parts/json-view";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { Time } from "../../parts/time";
import { apiPath, type EventType, place } from "./entry";

const PARENT = { href: "/event-types", label: "Event types" };

function Json({ title, value, none }: { title: string; value: unknown; none: string }) {
  const given = value !== null && value !== undefined;
  return (
    <Card withBorder component="section" aria-label={title}>
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      {given ? (
        <Listing label={title} text={JSON.stringify(value, null, 2)} />
      ) : (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      )}
    </Card>
  );
}

export function DetailPage({ name }: { name: string }) {
  const [, go] = useLocation();
  const type = useGet<EventType>(apiPath(name));
  const remove = useAct(() => call("DELETE", apiPath(name)), {
    done: "The event type is deleted.",
    changes: ["/settings"],
    onDone: () => go("/event-types"),
  });
  if (type.error) {
    return (
      <>
        <PageHeader title={name} parent={PARENT} />
        <ErrorState error={type.error} retry={() => type.refetch()} />
      </>
    );
  }
  if (!type.data) return <Skeleton height={360} />;
  const shown = type.data;
  return (
    <>
      <PageHeader
        title={shown.name}
        about={shown.description || undefined}
        parent={PARENT}
        actions={
          <>
            <ScopeButton
              scope="manage"
              leftSection={<IconPencil size={16} aria-hidden />}
              onClick={() => go(place(name, "edit"))}
            >
              Edit
            </ScopeButton>
            <ScopeButton
              scope="manage"
              variant="default"
              leftSection={<IconTrash size={16} aria-hidden />}
              onClick={() =>
                confirm({
                  title: `Delete ${name}?`,
                  children:
                    "In strict mode its events are refused from then on. To only discourage its use, edit it and say that it is deprecated.",
                  act: "Delete",
                  danger: true,
                  onYes: () => remove.mutate(),
                })
              }
            >
              Delete
            </ScopeButton>
          </>
        }
      />
      <Stack gap="md">
        {shown.deprecated && (
          <Alert color="yellow" title="Deprecated">
            Nobody should begin to use it.
          </Alert>
        )}
        <Grid gap="md">
          <Grid.Col span={{ base: 12, lg: 8 }}>
            <Stack gap="md">
              <Json
                title="Example"
                value={shown.example}
                none="None is given: edit it to add one."
              />
              <Json
                title="Schema"
                value={shown.schema}
                none="None is given: any payload is taken, in strict mode too."
              />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, lg: 4 }}>
            <Facts
              title="Event type"
              rows={[
                ["Group", shown.group || "none"],
                ["Retries", shown.retry ? "its own schedule" : "as endpoints say"],
                ["Told of", <Time key="made" at={shown.created_at} />],
                ["Changed", <Time key="changed" at={shown.updated_at} />],
                [
                  "Events",
                  <Anchor
                    component={Link}
                    key="events"
                    size="sm"
                    href={`/events?event_type=${encodeURIComponent(name)}`}
                  >
                    Those of this type
                  </Anchor>,
                ],
              ]}
            />
          </Grid.Col>
        </Grid>
      </Stack>
    </>
  );
}

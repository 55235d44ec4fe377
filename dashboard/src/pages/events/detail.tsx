import { Anchor, Card, Grid, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { IconBan, IconCopyPlus } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import type { Answer } from "../../api/types";
import { useEndpointNames } from "../../filters/endpoint-select";
import { confirm } from "../../parts/confirm";
import { Copyable } from "../../parts/copyable";
import { EmptyState } from "../../parts/empty-state";
import { ErrorState } from "../../parts/error-state";
import { Facts } from "../../parts/facts";
import { Listing } from "../../parts/json-view";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";

type Event = Answer<"getEvent">;
type Cancelled = Answer<"cancelEvent">;

const PARENT = { href: "/events", label: "Events" };
const OVER = ["delivered", "dead", "cancelled"];

function Deliveries({ event }: { event: Event }) {
  const names = useEndpointNames();
  return (
    <Card withBorder component="section" aria-label="Deliveries">
      <Title order={2} size="h5" mb="xs">
        Deliveries
      </Title>
      {event.deliveries.length === 0 ? (
        <EmptyState title="No endpoint wanted it">
          Its type, or its payload, is in no endpoint's event types and filter.{" "}
          <Link href={`/events/new?like=${event.id}`}>Try what would reach whom</Link>.
        </EmptyState>
      ) : (
        <Table.ScrollContainer
          minWidth={420}
          type="native"
          tabIndex={0}
          role="region"
          aria-label="Deliveries, table"
        >
          <Table verticalSpacing="xs" highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Endpoint</Table.Th>
                <Table.Th>Status</Table.Th>
                <Table.Th ta="right">Attempts</Table.Th>
                <Table.Th>Last attempt</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {event.deliveries.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    <Anchor component={Link} href={`/deliveries/${one.id}`} size="sm" fw={600}>
                      {names.get(one.endpoint_id) ?? one.endpoint_id}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <Status state={one.status} />
                  </Table.Td>
                  <Table.Td ta="right">{one.attempts}</Table.Td>
                  <Table.Td fz="sm">
                    <Time at={one.last_attempt_at} relative none="none yet" />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}

export function DetailPage({ id }: { id: string }) {
  const [, go] = useLocation();
  const event = useGet<Event>(`/events/${id}`, {}, { every: 3_000 });
  const cancel = useAct(() => call<Cancelled>("POST", `/events/${id}/cancel`), {
    done: ({ cancelled }) => `${cancelled} of its deliveries are called off.`,
    changes: ["/events", "/deliveries"],
  });
  if (event.error) {
    return (
      <>
        <PageHeader title="Event" parent={PARENT} />
        <ErrorState error={event.error} retry={() => event.refetch()} />
      </>
    );
  }
  if (!event.data) return <Skeleton height={420} />;
  const shown = event.data;
  const under = shown.deliveries.filter((one) => !OVER.includes(one.status)).length;
  const waits = shown.deliver_at ? new Date(shown.deliver_at) > new Date() : false;
  return (
    <>
      <PageHeader
        title={shown.event_type}
        parent={PARENT}
        badge={waits && <Status state="scheduled" size="md" />}
        actions={
          <>
            <ScopeButton
              scope="publish"
              variant="default"
              leftSection={<IconCopyPlus size={16} aria-hidden />}
              onClick={() => go(`/events/new?like=${shown.id}`)}
            >
              Send one like it
            </ScopeButton>
            {under > 0 && (
              <ScopeButton
                scope="manage"
                color="red"
                variant="light"
                leftSection={<IconBan size={16} aria-hidden />}
                onClick={() =>
                  confirm({
                    title: "Call this event off?",
                    children: `${under} of its deliveries are not over: their endpoints do not get it.`,
                    act: "Call it off",
                    danger: true,
                    onYes: () => cancel.mutate(),
                  })
                }
              >
                Call it off
              </ScopeButton>
            )}
          </>
        }
      />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Stack gap="md">
            <Deliveries event={shown} />
            <Card withBorder component="section" aria-label="Payload">
              <Title order={2} size="h5" mb="xs">
                Payload
              </Title>
              <Listing label="Payload" text={JSON.stringify(shown.payload, null, 2)} />
            </Card>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Facts
            title="Event"
            rows={[
              ["Id", <Copyable key="id" value={shown.id} what="event id" />],
              [
                "Sender's own id",
                shown.alias ? <Copyable key="alias" value={shown.alias} what="own id" /> : "none",
              ],
              ["Accepted", <Time key="at" at={shown.timestamp} />],
              ["Goes out", <Time key="due" at={shown.deliver_at} none="at once" />],
              ["Endpoints", shown.deliveries.length],
            ]}
          >
            {shown.cloud_event && (
              <>
                <Text size="xs" c="dimmed" mt="sm" mb={4}>
                  Posted as a CloudEvent
                </Text>
                <Listing
                  label="CloudEvent attributes"
                  text={JSON.stringify(shown.cloud_event, null, 2)}
                />
              </>
            )}
          </Facts>
        </Grid.Col>
      </Grid>
    </>
  );
}

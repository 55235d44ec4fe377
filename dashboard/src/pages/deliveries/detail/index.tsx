import { Alert, Anchor, Grid, Skeleton, Stack } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { Link } from "wouter";
import { useGet } from "../../../api/hooks";
import type { Delivery, Endpoint } from "../../../api/types";
import { Copyable } from "../../../parts/copyable";
import { ErrorState } from "../../../parts/error-state";
import { Facts } from "../../../parts/facts";
import { PageHeader } from "../../../parts/page-header";
import { Status } from "../../../parts/status";
import { Time } from "../../../parts/time";
import { Actions } from "./actions";
import { Attempts } from "./attempts";
import { RequestCard } from "./request";

const PARENT = { href: "/deliveries", label: "Deliveries" };

/** What a state means for whoever waits for the delivery. */
function Meaning({ delivery }: { delivery: Delivery }) {
  const texts: Record<string, string> = {
    held:
      delivery.reason === "endpoint_paused"
        ? "Its endpoint is paused: it goes out when that is resumed."
        : "Its endpoint failed too often in a row: it goes out once a probe succeeds.",
    parked: "It waits in the table for its time, and goes out within a minute of it.",
    dead: "It was given up. Mend what failed, then replay it.",
    cancelled: "It was called off. It can be sent all the same, by force.",
  };
  const text = texts[delivery.status];
  if (!text) return null;
  return (
    <Alert
      color={delivery.status === "dead" ? "red" : "blue"}
      variant="light"
      icon={<IconInfoCircle />}
      title={delivery.status === "dead" ? "Dead letter" : undefined}
    >
      {text}
    </Alert>
  );
}

export function DetailPage({ id }: { id: string }) {
  const delivery = useGet<Delivery>(`/deliveries/${id}`, {}, { every: 3_000 });
  const endpointId = delivery.data?.endpoint_id;
  const endpoint = useGet<Endpoint>(
    `/endpoints/${endpointId}`,
    {},
    { enabled: endpointId !== undefined },
  );
  if (delivery.error) {
    return (
      <>
        <PageHeader title="Delivery" parent={PARENT} />
        <ErrorState error={delivery.error} retry={() => delivery.refetch()} />
      </>
    );
  }
  if (!delivery.data) return <Skeleton height={420} />;
  const shown = delivery.data;
  const to = endpoint.data ? endpoint.data.name || endpoint.data.url : shown.endpoint_id;
  return (
    <>
      <PageHeader
        title={`${shown.event_type} to ${to}`}
        parent={PARENT}
        badge={<Status state={shown.status} size="md" />}
        actions={<Actions delivery={shown} />}
      />
      <Stack gap="md">
        <Meaning delivery={shown} />
        <Grid gap="md">
          <Grid.Col span={{ base: 12, lg: 8 }}>
            <Stack gap="md">
              <Attempts delivery={shown} />
              <RequestCard delivery={shown} endpoint={endpoint.data} />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, lg: 4 }}>
            <Facts
              title="Delivery"
              rows={[
                ["Id", <Copyable key="id" value={shown.id} what="delivery id" short={24} />],
                [
                  "Event",
                  <Anchor component={Link} key="event" href={`/events/${shown.event_id}`} size="sm">
                    {shown.event_id}
                  </Anchor>,
                ],
                [
                  "Endpoint",
                  <Anchor
                    component={Link}
                    key="endpoint"
                    href={`/endpoints/${shown.endpoint_id}`}
                    size="sm"
                  >
                    {to}
                  </Anchor>,
                ],
                ["Accepted", <Time key="at" at={shown.created_at} />],
                ["Attempts", `${shown.attempts} in this cycle, ${shown.attempt_log.length} in all`],
                ["Cycle", shown.cycle === 0 ? "the first" : `replayed ${shown.cycle} times`],
                ["Next attempt", <Time key="next" at={shown.next_attempt_at} none="–" />],
                ["Ended", <Time key="ended" at={shown.ended_at} none="not yet" />],
                ["Why", shown.reason?.replaceAll("_", " ") ?? "–"],
              ]}
            />
          </Grid.Col>
        </Grid>
      </Stack>
    </>
  );
}

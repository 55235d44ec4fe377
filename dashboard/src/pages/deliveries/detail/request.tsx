import { Alert, Card, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { call } from "../../../api/client";
import { useGet } from "../../../api/hooks";
import type { Problem } from "../../../api/problem";
import type { Answer, Delivery, Endpoint } from "../../../api/types";
import { ErrorState } from "../../../parts/error-state";
import { Listing, pretty } from "../../../parts/json-view";
import { useSession } from "../../../session/session";

type Preview = Answer<"previewRequest">;
type Event = Answer<"getEvent">;

/** The request, put together again from the event as it is stored. */
function Signed({ delivery }: { delivery: Delivery }) {
  const path = `/endpoints/${delivery.endpoint_id}/preview`;
  const request = useQuery<Preview, Problem>({
    queryKey: [path, delivery.event_id],
    queryFn: () => call<Preview>("POST", path, { body: { event_id: delivery.event_id } }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (request.error) return <ErrorState error={request.error} retry={() => request.refetch()} />;
  if (!request.data) return <Skeleton height={220} />;
  const { method, url, headers, body } = request.data;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
        {method} {url}
      </Text>
      <Listing label="Headers of the request" text={lines.join("\n")} />
      <Listing label="Body of the request" text={pretty(body)} />
      <Text size="xs" c="dimmed">
        To the byte what is sent, but for the time: each attempt has its own webhook-timestamp, and
        so its own webhook-signature. Here they are of now. The body is shown indented. What is
        secret is masked.
      </Text>
    </Stack>
  );
}

/** What somebody who may not see signatures can see: the payload. */
function PayloadOnly({ delivery }: { delivery: Delivery }) {
  const event = useGet<Event>(`/events/${delivery.event_id}`);
  return (
    <Stack gap="xs">
      <Alert color="blue" variant="light">
        The signed request needs the scope <code>manage</code>: whoever sees it could send it. This
        is the event's payload.
      </Alert>
      {event.error && <ErrorState error={event.error} retry={() => event.refetch()} />}
      {event.data && <Listing label="Payload" text={JSON.stringify(event.data.payload, null, 2)} />}
    </Stack>
  );
}

/** The request as the endpoint gets it. */
export function RequestCard(props: { delivery: Delivery; endpoint: Endpoint | undefined }) {
  const { may } = useSession();
  return (
    <Card withBorder component="section" aria-label="Request">
      <Title order={2} size="h5" mb="sm">
        Request
      </Title>
      {may("manage") ? (
        <Signed delivery={props.delivery} />
      ) : (
        <PayloadOnly delivery={props.delivery} />
      )}
    </Card>
  );
}

import { Alert, Anchor, Button, Code, Group, JsonInput, Loader, Stack, Text } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { call, get } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import { asProblem, Problem } from "../../../api/problem";
import type { Answer, Delivery, Endpoint } from "../../../api/types";
import { parsed } from "../form/json";

type Sent = Answer<"testEndpoint", 202>;

/** Sends a test event to one endpoint, and shows what it answered. */
export function TestSend({ endpoint }: { endpoint: Endpoint }) {
  const [payload, setPayload] = useState("");
  const send = useAct<void, Sent>(
    async () => {
      const given = parsed("payload", payload);
      return call<Sent>("POST", `/endpoints/${endpoint.id}/test`, {
        body: given === null ? {} : { payload: given },
      });
    },
    { changes: ["/deliveries"], quiet: () => true },
  );
  const problem = send.error && asProblem(send.error);
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">
        A hookpost.test event to this endpoint alone, whatever it is subscribed to; signed, retried
        and logged like any other.
      </Text>
      <JsonInput
        label="Payload"
        description="A greeting unless given"
        placeholder='{"hello": "world"}'
        autosize
        minRows={2}
        maxRows={12}
        value={payload}
        onChange={setPayload}
        error={problem?.of("payload")}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      />
      <Group>
        <Button
          size="xs"
          loading={send.isPending}
          leftSection={<IconSend size={14} aria-hidden />}
          onClick={() => send.mutate()}
        >
          Send the test event
        </Button>
      </Group>
      {problem && (
        <Alert color="red" title={problem.title} role="alert">
          {problem.detail}
        </Alert>
      )}
      {send.data && <Outcome id={send.data.delivery_id} key={send.data.delivery_id} />}
    </Stack>
  );
}

const OVER = ["delivered", "dead", "cancelled"];

/** What became of it: asked for until it is over. */
function Outcome({ id }: { id: string }) {
  const delivery = useQuery<Delivery | null, Problem>({
    queryKey: ["test", id],
    queryFn: ({ signal }) =>
      get<Delivery>(`/deliveries/${id}`, {}, signal).catch((error: unknown) => {
        // It is on its way, and has no record yet.
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }),
    refetchInterval: ({ state }) => (OVER.includes(state.data?.status ?? "") ? false : 800),
  });
  const last = delivery.data?.attempt_log.at(-1);
  const link = (
    <Anchor component={Link} href={`/deliveries/${id}`} size="sm">
      Its delivery, with every attempt
    </Anchor>
  );
  if (!last) {
    return (
      <Group gap="xs" role="status">
        <Loader size="xs" />
        <Text size="sm">On its way… {delivery.data?.reason?.replaceAll("_", " ")}</Text>
        {link}
      </Group>
    );
  }
  const well = delivery.data?.status === "delivered";
  const answered = last.status_code
    ? `answered ${last.status_code}`
    : (last.error?.kind ?? "failed").replaceAll("_", " ");
  return (
    <Alert
      color={well ? "teal" : "red"}
      variant="light"
      role="status"
      title={`${well ? "Accepted" : "Not accepted"}: ${answered} in ${last.latency_ms} ms`}
    >
      <Stack gap={6}>
        {last.error && <Text size="sm">{last.error.detail}</Text>}
        {last.response && (
          <Code block tabIndex={0} aria-label="The answer's beginning">
            {last.response}
          </Code>
        )}
        <Text size="sm">
          {!well && delivery.data?.next_attempt_at && `Attempt ${last.number}; it is tried again. `}
          {link}
        </Text>
      </Stack>
    </Alert>
  );
}

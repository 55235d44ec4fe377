import {
  Autocomplete,
  Button,
  Card,
  Grid,
  Group,
  JsonInput,
  Skeleton,
  Stack,
  TextInput,
} from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconEye, IconSend } from "@tabler/icons-react";
import dayjs from "dayjs";
import { useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { asProblem, remedy } from "../../api/problem";
import type { Answer, Page } from "../../api/types";
import { ErrorState } from "../../parts/error-state";
import { RequireScope, ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { TimeField } from "../../parts/time-field";
import { useSession } from "../../session/session";
import { Reach } from "./reach";

type Event = Answer<"getEvent">;
type Match = Answer<"matchEvent">;

interface Known {
  name: string;
  example: unknown;
}

const SAMPLE = { order_id: "ORD-001", amount: 42.5, currency: "EUR" };
const FIELDS = ["event_type", "payload", "id", "deliver_at"];

/** What is wrong with a text that is to be JSON. */
function trouble(text: string): string | null {
  try {
    return JSON.parse(text) === null ? "must not be null" : null;
  } catch (error) {
    return error instanceof Error ? error.message : "is not JSON";
  }
}

function Form({ like }: { like: Event | undefined }) {
  const [, go] = useLocation();
  const { may } = useSession();
  const types = useGet<Page<Known>>("/event-types", { limit: 200 });
  const [type, setType] = useState(like?.event_type ?? "order.created");
  const [payload, setPayload] = useState(JSON.stringify(like?.payload ?? SAMPLE, null, 2));
  const [own, setOwn] = useState("");
  const [due, setDue] = useState<string | null>(null);
  const wrong = trouble(payload);
  const body = () => ({ event_type: type.trim(), payload: JSON.parse(payload) });
  const send = useAct<void, { id: string }>(
    () =>
      call("POST", "/events", {
        body: {
          ...body(),
          ...(own.trim() && { id: own.trim() }),
          ...(due && { deliver_at: dayjs(due).toISOString() }),
        },
      }),
    {
      changes: ["/events", "/deliveries", "/metrics"],
      quiet: (problem) => problem.errors.some(({ field }) => FIELDS.includes(field)),
      onDone: ({ id }) => {
        go(`/events/${id}`);
        notifications.show({ color: "teal", message: "Accepted. Its deliveries are under way." });
      },
    },
  );
  const match = useAct<void, Match>(
    () => call<Match>("POST", "/endpoints/match", { body: body() }),
    { changes: [] },
  );
  const problem = send.error && asProblem(send.error);
  const known = types.data?.data ?? [];
  const choose = (name: string) => {
    setType(name);
    const example = known.find((one) => one.name === name)?.example;
    if (example && !like) setPayload(JSON.stringify(example, null, 2));
  };
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 7 }}>
        <Card withBorder>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!wrong) send.mutate();
            }}
          >
            <Stack>
              <Autocomplete
                label="Event type"
                required
                data={known.map((one) => one.name)}
                value={type}
                onChange={setType}
                onOptionSubmit={choose}
                error={problem?.of("event_type")}
              />
              <JsonInput
                label="Payload"
                description="Any JSON but null: passed through as it is"
                required
                autosize
                minRows={8}
                maxRows={24}
                formatOnBlur
                value={payload}
                onChange={setPayload}
                error={wrong ?? problem?.of("payload")}
                styles={{
                  input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 },
                }}
              />
              <Group grow align="flex-start">
                <TextInput
                  label="Your own id"
                  description="Sent twice, it is taken once"
                  value={own}
                  onChange={(event) => setOwn(event.currentTarget.value)}
                  error={problem?.of("id")}
                />
                <TimeField
                  label="Goes out"
                  description="At once, unless chosen"
                  value={due}
                  onChange={setDue}
                  error={problem?.of("deliver_at")}
                />
              </Group>
              <Group justify="flex-end">
                {may("read") && (
                  <Button
                    variant="default"
                    disabled={wrong !== null}
                    loading={match.isPending}
                    leftSection={<IconEye size={16} aria-hidden />}
                    onClick={() => match.mutate()}
                  >
                    Whom would it reach?
                  </Button>
                )}
                <ScopeButton
                  scope="publish"
                  type="submit"
                  disabled={wrong !== null || type.trim() === ""}
                  loading={send.isPending}
                  leftSection={<IconSend size={16} aria-hidden />}
                >
                  Send it
                </ScopeButton>
              </Group>
            </Stack>
          </form>
        </Card>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 5 }}>
        <div aria-live="polite">
          {match.data && <Reach match={match.data} />}
          {problem && problem.errors.length === 0 && (
            <ErrorState error={problem} retryLabel={remedy(problem)} />
          )}
        </div>
      </Grid.Col>
    </Grid>
  );
}

export function NewPage() {
  const [search] = useSearchParams();
  const like = search.get("like");
  const event = useGet<Event>(`/events/${like}`, {}, { enabled: like !== null });
  return (
    <RequireScope scope="publish">
      <PageHeader
        title="Send an event"
        about="As a back end would: every endpoint that wants it gets it. To try one endpoint only, use its test send."
        parent={{ href: "/events", label: "Events" }}
      />
      {event.error && <ErrorState error={event.error} retry={() => event.refetch()} />}
      {like !== null && event.isLoading ? (
        <Skeleton height={420} />
      ) : (
        <Form like={event.data} key={event.data?.id ?? "new"} />
      )}
    </RequireScope>
  );
}

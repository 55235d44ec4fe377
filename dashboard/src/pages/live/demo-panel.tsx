/** The button that shows what Hookpost does, and the one that clears up after it. */

import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { call, get } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { useSession } from "../../session/session";
import type { Attempt } from "./attempts";
import { cleanUp, DEMO_ENDPOINTS, type DemoApi, type DemoRun, receiverOf, runDemo } from "./demo";

interface DeploymentInfo {
  version: string;
  live: boolean;
  test_receiver_url: string | null;
}

interface EventDeliveries {
  deliveries: { id: string; status: string }[];
}

const API: DemoApi = {
  get: (path) => get(path),
  post: (path, body) => call("POST", path, { body }),
  delete: (path) => call<void>("DELETE", path),
};

const OVER = ["delivered", "dead", "cancelled"];

/** The deliveries of a demonstration that are over: asked for, as whoever has just begun to watch may miss their attempts. */
function useOver(run: DemoRun | null): string[] {
  const events = [...new Set(run?.deliveries.map((id) => id.slice(0, id.indexOf("_"))))];
  const asked = useQuery({
    queryKey: ["demo", events],
    enabled: run !== null,
    refetchInterval: ({ state }) => (state.data?.length === run?.deliveries.length ? false : 1_500),
    queryFn: async () => {
      const all = await Promise.all(events.map((id) => get<EventDeliveries>(`/events/${id}`)));
      const deliveries = all.flatMap((event) => event.deliveries);
      return deliveries.filter(({ status }) => OVER.includes(status)).map(({ id }) => id);
    },
  });
  return asked.data ?? [];
}

/** How far a demonstration has got, by what the feed has shown and what was asked for. */
export function progressOf(
  run: DemoRun,
  rows: readonly Attempt[],
  over: readonly string[],
): { ended: number; of: number } {
  const shown = rows.filter((row) => row.outcome !== "retrying").map((row) => row.delivery_id);
  const ended = new Set([...shown, ...over]);
  return {
    ended: run.deliveries.filter((delivery) => ended.has(delivery)).length,
    of: run.deliveries.length,
  };
}

export function DemoPanel({ rows }: { rows: readonly Attempt[] }) {
  const session = useSession();
  const about = useGet<DeploymentInfo>("/deployment");
  const [typed, setTyped] = useState("");
  const [run, setRun] = useState<DemoRun | null>(null);
  const known = about.data?.test_receiver_url ?? null;
  const receiver = known === null ? receiverOf(typed) : { url: known };
  const play = useAct((url: string) => runDemo(API, url), { onDone: setRun });
  const over = useOver(run);
  const clear = useAct(() => cleanUp(API), {
    done: (count) => `${count} endpoints of the demo were deleted`,
    onDone: () => setRun(null),
  });
  if (!session.may("manage") || !session.may("publish")) {
    return (
      <Text size="sm" c="dimmed">
        The demo makes endpoints and posts events: sign in with a key that has the scopes manage and
        publish to run it.
      </Text>
    );
  }
  const progress = run && progressOf(run, rows, over);
  return (
    <Stack gap="xs">
      {known === null && about.data && (
        <TextInput
          label="Address of a test receiver"
          description="This deployment has none of its own (TestReceiverUrl). Give one that answers /success, /flaky and /fail, such as the local system's."
          placeholder="https://receiver.example.com"
          value={typed}
          error={typed && "problem" in receiver ? receiver.problem : undefined}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      <Group gap="sm">
        <Button
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          loading={play.isPending}
          disabled={!about.data || "problem" in receiver}
          onClick={() => "url" in receiver && play.mutate(receiver.url)}
        >
          Run demo
        </Button>
        <Button
          variant="default"
          leftSection={<IconTrash size={16} aria-hidden />}
          loading={clear.isPending}
          onClick={() => clear.mutate()}
        >
          Clean up the demo
        </Button>
      </Group>
      <Text size="sm" c="dimmed">
        Makes {DEMO_ENDPOINTS.length} endpoints that accept, fail once, and are down, and posts
        three events to all of them.
      </Text>
      {progress && (
        <Alert
          color={progress.ended === progress.of ? "teal" : "blue"}
          role="status"
          title={progress.ended === progress.of ? "The demo is over" : "The demo is running"}
        >
          {progress.ended} of {progress.of} deliveries have come to their end: green were accepted,
          yellow will be tried again, red were given up and are dead letters now.
        </Alert>
      )}
    </Stack>
  );
}

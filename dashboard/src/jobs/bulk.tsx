import {
  Alert,
  Anchor,
  Button,
  Code,
  Group,
  Loader,
  Modal,
  NumberInput,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useCallback, useEffect, useState } from "react";
import { Link } from "wouter";
import { asProblem } from "../api/problem";
import { ErrorState } from "../parts/error-state";
import { count } from "../parts/format";
import { type Action, begin, type Filter, type Job, meant, useJob, WORDS } from "./job";
import { JobProgress } from "./progress";

export interface Bulk {
  action: Action;
  filter: Filter;
  /** What is meant, in words: "3 dead letters of shop". */
  about?: string;
}

/** Requests a second that a replay begins with, and at most. */
const RATE = { first: 50, most: 10_000 };

const WARNINGS: Partial<Record<Action, string>> = {
  cancel: "What is called off is not delivered. It can be sent later only one by one, by force.",
  delete: "What is deleted cannot be replayed, and no list shows it any more.",
};

/** Does something to all deliveries of a filter: counts first, asks, and shows how far it is. */
export function BulkModal({ bulk, close }: { bulk: Bulk | null; close: () => void }) {
  return (
    <Modal
      opened={bulk !== null}
      onClose={close}
      title={bulk ? `${WORDS[bulk.action].now} ${bulk.about ?? "deliveries"}` : ""}
      size="lg"
    >
      {bulk && <Steps key={JSON.stringify(bulk)} bulk={bulk} close={close} />}
    </Modal>
  );
}

function Steps({ bulk, close }: { bulk: Bulk; close: () => void }) {
  const { action, filter } = bulk;
  const words = WORDS[action];
  const sends = action === "replay" || action === "retry";
  const [counting, setCounting] = useState<Job | null>(null);
  const [job, setJob] = useState<Job | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [rate, setRate] = useState<number | string>(RATE.first);
  const [note, setNote] = useState("");
  const countThem = useCallback(() => {
    setProblem(null);
    begin({ action, filter, dryRun: true }).then(setCounting, setProblem);
  }, [action, filter]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is opened
  useEffect(countThem, []);
  const dry = useJob(counting?.id, counting?.status === "running");
  const counted = dry.data ?? counting;
  const ready = counted !== null && counted.status !== "running";
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      setJob(
        await begin({
          action,
          filter,
          dryRun: false,
          rate: sends ? Number(rate) : undefined,
          note: note || undefined,
        }),
      );
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  const named = Object.entries(meant(filter)).map(([name, value]) => `${name}=${value}`);
  if (job) {
    return (
      <Stack>
        <JobProgress id={job.id} expected={counted?.matched} />
        <Group justify="space-between">
          <Anchor component={Link} href={`/dead-letters/jobs/${job.id}`} size="sm" onClick={close}>
            The job's own page
          </Anchor>
          <Button variant="default" onClick={close}>
            Close
          </Button>
        </Group>
      </Stack>
    );
  }
  return (
    <Stack>
      <Text size="sm" component="div">
        What is meant: <Code>{named.join("  ")}</Code>
      </Text>
      {problem !== null && <ErrorState error={problem} retry={countThem} />}
      <Group aria-live="polite" gap="xs" mih={28}>
        {ready ? (
          <Text fw={600} data-testid="bulk-count">
            {count(counted.matched)} {counted.matched === 1 ? "delivery" : "deliveries"}
          </Text>
        ) : (
          problem === null && (
            <>
              <Loader size="xs" aria-label="Counting" />
              <Text size="sm">
                Counting… {counted ? `${count(counted.examined)} looked at` : ""}
              </Text>
            </>
          )
        )}
      </Group>
      {ready && counted.matched === 0 && (
        <Text size="sm" c="dimmed">
          Nothing that is meant can be {words.past}: close this, and change the filter.
        </Text>
      )}
      {sends && (
        <NumberInput
          label="At most so many a second"
          description="A receiver that has just come back is soon down again under everything at once."
          min={1}
          max={RATE.most}
          allowDecimal={false}
          clampBehavior="strict"
          value={rate}
          onChange={setRate}
        />
      )}
      {action === "resolve" && (
        <TextInput
          label="Note"
          description="What to remember of it: shown with each"
          maxLength={1024}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
      )}
      {WARNINGS[action] && <Alert color="yellow">{WARNINGS[action]}</Alert>}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          {action === "cancel" ? "Leave them" : "Cancel"}
        </Button>
        <Button
          color={action === "delete" || action === "cancel" ? "red" : undefined}
          disabled={!ready || counted.matched === 0 || (sends && !(Number(rate) >= 1))}
          loading={busy}
          onClick={run}
        >
          {words.now} {ready ? count(counted.matched) : ""}
        </Button>
      </Group>
    </Stack>
  );
}

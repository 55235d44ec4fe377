import { Alert, Anchor, Button, Group, Modal, Skeleton, Stack, Textarea } from "@mantine/core";
import { IconBulb, IconCheck, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { confirm } from "../../parts/confirm";
import { Copyable } from "../../parts/copyable";
import { ErrorState } from "../../parts/error-state";
import { Facts } from "../../parts/facts";
import { ScopeButton } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { Status } from "../../parts/status";
import { Time } from "../../parts/time";
import { Attempts } from "../deliveries/detail/attempts";
import { advice } from "./advice";
import type { DeadLetter } from "./letters";

const PARENT = { href: "/dead-letters", label: "Dead letters" };

/** The name of what failed, as a filter says it. */
function failureOf(letter: DeadLetter): string {
  const waited = ["expired", "endpoint_disabled", "event_missing"];
  if (letter.reason && waited.includes(letter.reason)) return letter.reason;
  const failed = letter.attempt_log.filter((attempt) => attempt.error).at(-1);
  return failed?.error?.kind ?? letter.reason ?? "";
}

function Actions({ letter }: { letter: DeadLetter }) {
  const [, go] = useLocation();
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const path = `/dead-letters/${letter.delivery_id}`;
  const replay = useAct(() => call("POST", `${path}/replay`), {
    done: "It is replayed: this is its delivery.",
    changes: ["/deliveries", "/metrics"],
    onDone: () => go(`/deliveries/${letter.delivery_id}`),
  });
  const resolve = useAct(() => call("POST", `${path}/resolve`, { body: { note } }), {
    done: "It is dealt with.",
    changes: ["/dead-letters"],
    onDone: () => setOpen(false),
  });
  const remove = useAct(() => call("DELETE", path), {
    done: "The dead letter is deleted.",
    changes: ["/metrics"],
    onDone: () => go("/dead-letters"),
  });
  return (
    <>
      <ScopeButton
        scope="manage"
        loading={replay.isPending}
        leftSection={<IconRefresh size={16} aria-hidden />}
        onClick={() => replay.mutate()}
      >
        Replay
      </ScopeButton>
      {!letter.resolved && (
        <ScopeButton
          scope="manage"
          variant="default"
          leftSection={<IconCheck size={16} aria-hidden />}
          onClick={() => setOpen(true)}
        >
          Resolve
        </ScopeButton>
      )}
      <ScopeButton
        scope="manage"
        variant="default"
        leftSection={<IconTrash size={16} aria-hidden />}
        onClick={() =>
          confirm({
            title: "Delete this dead letter?",
            children: "It cannot be replayed any more. To keep it, resolve it.",
            act: "Delete",
            danger: true,
            onYes: () => remove.mutate(),
          })
        }
      >
        Delete
      </ScopeButton>
      <Modal opened={open} onClose={() => setOpen(false)} title="Resolve this dead letter">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            resolve.mutate();
          }}
        >
          <Stack>
            <Textarea
              label="Note"
              description="How it was dealt with. No replay by filter means it any more."
              maxLength={1024}
              autosize
              minRows={2}
              value={note}
              onChange={(event) => setNote(event.currentTarget.value)}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setOpen(false)}>
                Cancel
              </Button>
              <Button type="submit" loading={resolve.isPending}>
                Resolve
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}

export function DetailPage({ id }: { id: string }) {
  const letter = useGet<DeadLetter>(`/dead-letters/${id}`);
  if (letter.error) {
    return (
      <>
        <PageHeader title="Dead letter" parent={PARENT} />
        <ErrorState error={letter.error} retry={() => letter.refetch()} />
        <Anchor component={Link} href={`/deliveries/${id}`} size="sm">
          Was it replayed? Look at its delivery
        </Anchor>
      </>
    );
  }
  if (!letter.data) return <Skeleton height={420} />;
  const shown = letter.data;
  return (
    <>
      <PageHeader
        title={shown.failure_reason}
        parent={PARENT}
        badge={<Status state={shown.resolved ? "resolved" : "dead"} size="md" />}
        actions={<Actions letter={shown} />}
      />
      <Stack gap="md">
        <Alert color="blue" variant="light" icon={<IconBulb />} title="What to do">
          {advice(failureOf(shown))}
        </Alert>
        <Facts
          title="Dead letter"
          rows={[
            ["Delivery", <Copyable key="id" value={shown.delivery_id} what="delivery id" />],
            [
              "Event",
              <Anchor component={Link} key="event" href={`/events/${shown.event_id}`} size="sm">
                {shown.event_type}
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
                {shown.endpoint_id}
              </Anchor>,
            ],
            ["Given up", <Time key="ended" at={shown.ended_at} />],
            ["Why", shown.reason?.replaceAll("_", " ") ?? "–"],
            ...(shown.resolved
              ? ([
                  ["Resolved", <Time key="resolved" at={shown.resolved_at} />],
                  ["By", shown.resolved_by ?? "–"],
                  ["Note", shown.note ?? "–"],
                ] as [string, React.ReactNode][])
              : []),
          ]}
        />
        <Attempts delivery={shown} />
        <Anchor component={Link} href={`/deliveries/${id}`} size="sm">
          Its delivery, with the request
        </Anchor>
      </Stack>
    </>
  );
}

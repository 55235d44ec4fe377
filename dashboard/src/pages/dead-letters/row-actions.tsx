import { Group } from "@mantine/core";
import { call } from "../../api/client";
import { useAct } from "../../api/hooks";
import { ScopeButton } from "../../parts/needs-scope";
import type { DeadLetter } from "./letters";

const CHANGES = ["/dead-letters", "/deliveries", "/metrics"];

/** What can be done to one dead letter, in its row. */
export function RowActions({ letter }: { letter: DeadLetter }) {
  const path = `/dead-letters/${letter.delivery_id}`;
  const replay = useAct(() => call("POST", `${path}/replay`), {
    done: "It is replayed.",
    changes: CHANGES,
  });
  const resolve = useAct(() => call("POST", `${path}/resolve`), {
    done: "It is dealt with.",
    changes: CHANGES,
  });
  return (
    <Group gap="xs" wrap="nowrap" justify="flex-end">
      <ScopeButton
        scope="manage"
        size="compact-xs"
        variant="light"
        loading={replay.isPending}
        onClick={() => replay.mutate()}
      >
        Replay
      </ScopeButton>
      {!letter.resolved && (
        <ScopeButton
          scope="manage"
          size="compact-xs"
          variant="default"
          loading={resolve.isPending}
          onClick={() => resolve.mutate()}
        >
          Resolve
        </ScopeButton>
      )}
    </Group>
  );
}

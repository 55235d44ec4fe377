import { IconBan, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useLocation } from "wouter";
import { call } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import type { Delivery } from "../../../api/types";
import { confirm } from "../../../parts/confirm";
import { ScopeButton } from "../../../parts/needs-scope";

const CHANGES = ["/deliveries", "/dead-letters", "/events"];
const OVER = ["delivered", "dead", "cancelled"];

/** What can be done to a delivery. */
export function Actions({ delivery }: { delivery: Delivery }) {
  const [, go] = useLocation();
  const { id, status } = delivery;
  const retry = useAct(
    (force: boolean) => call("POST", `/deliveries/${id}/retry`, { body: { force } }),
    { done: "It goes out now.", changes: CHANGES },
  );
  const cancel = useAct(() => call("POST", `/deliveries/${id}/cancel`), {
    done: "It is called off.",
    changes: CHANGES,
  });
  const remove = useAct(() => call("DELETE", `/deliveries/${id}`), {
    done: "The delivery is deleted.",
    changes: ["/dead-letters"],
    onDone: () => go("/deliveries"),
  });
  const forced = status === "delivered" || status === "cancelled";
  const over = OVER.includes(status);
  return (
    <>
      <ScopeButton
        scope="manage"
        loading={retry.isPending}
        leftSection={<IconRefresh size={16} aria-hidden />}
        onClick={() =>
          forced
            ? confirm({
                title: status === "delivered" ? "Send it once more?" : "Send it all the same?",
                children:
                  "The endpoint gets the same event with the same webhook-id: one that remembers ids takes it for the duplicate that it is.",
                act: "Send it",
                onYes: () => retry.mutate(true),
              })
            : retry.mutate(false)
        }
      >
        {status === "dead" ? "Replay" : forced ? "Send again" : "Retry now"}
      </ScopeButton>
      {!over && (
        <ScopeButton
          scope="manage"
          variant="default"
          leftSection={<IconBan size={16} aria-hidden />}
          onClick={() =>
            confirm({
              title: "Call this delivery off?",
              children: "The endpoint does not get the event, unless it is sent by force later.",
              act: "Call it off",
              danger: true,
              onYes: () => cancel.mutate(),
            })
          }
        >
          Cancel
        </ScopeButton>
      )}
      {over && (
        <ScopeButton
          scope="manage"
          variant="default"
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={() =>
            confirm({
              title: "Delete this delivery?",
              children: "No list shows it any more, and it cannot be sent again.",
              act: "Delete",
              danger: true,
              onYes: () => remove.mutate(),
            })
          }
        >
          Delete
        </ScopeButton>
      )}
    </>
  );
}

import { Menu } from "@mantine/core";
import {
  IconDots,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
  IconPower,
  IconTrash,
} from "@tabler/icons-react";
import { useLocation } from "wouter";
import { call } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import type { Endpoint } from "../../../api/types";
import { confirm } from "../../../parts/confirm";
import { ScopeButton } from "../../../parts/needs-scope";
import { useSession } from "../../../session/session";

type State = "enable" | "disable" | "pause" | "resume";

const DONE: Record<State, string> = {
  enable: "Enabled: events are delivered within seconds.",
  disable: "Disabled: its events become dead letters.",
  pause: "Paused: its events wait.",
  resume: "Resumed: what waited goes out within a minute.",
};

/** What can be done to an endpoint as a whole. */
export function Actions({ endpoint }: { endpoint: Endpoint }) {
  const { id, state } = endpoint;
  const [, go] = useLocation();
  const { may } = useSession();
  const turn = useAct((what: State) => call("POST", `/endpoints/${id}/${what}`), {
    done: (_, what) => DONE[what],
  });
  const remove = useAct(() => call("DELETE", `/endpoints/${id}`), {
    done: "The endpoint is deleted.",
    onDone: () => go("/endpoints"),
    changes: ["/endpoints/health", "/metrics"],
  });
  const disable = () =>
    confirm({
      title: "Disable this endpoint?",
      children:
        "Its events become dead letters at once, and so does what waits for it. They can be replayed once it is enabled. To hold them instead, pause it.",
      act: "Disable",
      danger: true,
      onYes: () => turn.mutate("disable"),
    });
  const pausing = state === "paused" ? "resume" : "pause";
  return (
    <>
      {endpoint.managed_by ? null : (
        <ScopeButton
          scope="manage"
          leftSection={<IconPencil size={16} aria-hidden />}
          onClick={() => go(`/endpoints/${id}/edit`)}
        >
          Edit
        </ScopeButton>
      )}
      {state === "disabled" ? (
        <ScopeButton
          scope="manage"
          variant="default"
          leftSection={<IconPower size={16} aria-hidden />}
          loading={turn.isPending}
          onClick={() => turn.mutate("enable")}
        >
          Enable
        </ScopeButton>
      ) : (
        <ScopeButton
          scope="manage"
          variant="default"
          loading={turn.isPending}
          leftSection={
            pausing === "pause" ? (
              <IconPlayerPause size={16} aria-hidden />
            ) : (
              <IconPlayerPlay size={16} aria-hidden />
            )
          }
          onClick={() => turn.mutate(pausing)}
        >
          {pausing === "pause" ? "Pause" : "Resume"}
        </ScopeButton>
      )}
      {may("manage") && (
        <Menu position="bottom-end" withArrow>
          <Menu.Target>
            <ScopeButton scope="manage" variant="default" px="xs" aria-label="More to do">
              <IconDots size={18} />
            </ScopeButton>
          </Menu.Target>
          <Menu.Dropdown>
            {state !== "disabled" && (
              <Menu.Item leftSection={<IconPower size={16} aria-hidden />} onClick={disable}>
                Disable…
              </Menu.Item>
            )}
            <Menu.Item
              color="red"
              leftSection={<IconTrash size={16} aria-hidden />}
              onClick={() =>
                confirm({
                  title: "Delete this endpoint?",
                  children: `${endpoint.name || endpoint.url} gets nothing any more, and what waits for it is called off. This cannot be undone.`,
                  act: "Delete the endpoint",
                  danger: true,
                  onYes: () => remove.mutate(),
                })
              }
            >
              Delete…
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </>
  );
}

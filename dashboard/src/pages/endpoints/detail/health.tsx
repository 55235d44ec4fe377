import { Button, Group, NumberInput, Popover, Stack } from "@mantine/core";
import { useState } from "react";
import { call } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import type { Health } from "../../../api/types";
import { Facts } from "../../../parts/facts";
import { count, duration, percent } from "../../../parts/format";
import { ScopeButton } from "../../../parts/needs-scope";
import { Status } from "../../../parts/status";
import { Time } from "../../../parts/time";

/** How an endpoint is doing, and its breaker by hand. */
export function HealthCard({ health }: { health: Health }) {
  const { breaker, last_hour: hour } = health;
  const rows: Parameters<typeof Facts>[0]["rows"] = [
    ["Breaker", <Status key="b" state={breaker.state} />],
  ];
  if (breaker.state !== "closed") {
    rows.push(
      ["Opened", <Time key="o" at={breaker.opened_at} relative />],
      ["Next probe", <Time key="n" at={breaker.next_probe_at} />],
      ["Pause", breaker.pause_seconds ? duration(breaker.pause_seconds) : "–"],
    );
    if (breaker.opened_by_hand) rows.push(["Opened by", "hand"]);
  }
  rows.push(["Failures in a row", count(health.consecutive_failures)]);
  if (health.failing_since)
    rows.push(["Failing since", <Time key="f" at={health.failing_since} relative />]);
  rows.push(
    [
      "Last hour",
      hour.success_rate == null
        ? "no requests"
        : `${percent(hour.success_rate)} accepted, ${count(hour.delivered)} delivered, ${count(hour.failed_attempts)} failed`,
    ],
    ["Last success", <Time key="s" at={health.last_success_at} relative />],
    ["Last failure", <Time key="l" at={health.last_failure_at} relative />],
  );
  return (
    <Facts title="Health" rows={rows}>
      <Group gap="xs" mt="sm">
        <Breaker id={health.endpoint_id} open={breaker.state !== "closed"} />
      </Group>
    </Facts>
  );
}

function Breaker({ id, open }: { id: string; open: boolean }) {
  const [asking, setAsking] = useState(false);
  const [minutes, setMinutes] = useState<number | string>(60);
  const close = useAct(() => call("POST", `/endpoints/${id}/breaker/close`), {
    done: "The breaker is closed: what waits goes out within a minute.",
    changes: ["/endpoints", "/metrics"],
  });
  const openIt = useAct(
    () =>
      call("POST", `/endpoints/${id}/breaker/open`, {
        body: { for_seconds: Math.round(Number(minutes) * 60) },
      }),
    {
      done: "The breaker is open: nothing goes out until the time is over.",
      changes: ["/endpoints", "/metrics"],
      onDone: () => setAsking(false),
    },
  );
  return (
    <>
      {open && (
        <ScopeButton
          scope="manage"
          size="xs"
          variant="default"
          loading={close.isPending}
          onClick={() => close.mutate()}
        >
          Close the breaker
        </ScopeButton>
      )}
      <Popover opened={asking} onChange={setAsking} trapFocus withArrow position="bottom-start">
        <Popover.Target>
          <ScopeButton
            scope="manage"
            size="xs"
            variant="default"
            onClick={() => setAsking(!asking)}
          >
            {open ? "Keep it open longer" : "Open the breaker"}
          </ScopeButton>
        </Popover.Target>
        <Popover.Dropdown>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              openIt.mutate();
            }}
          >
            <Stack gap="xs">
              <NumberInput
                label="Minutes"
                description="Then one request probes"
                min={1}
                max={1440}
                value={minutes}
                onChange={setMinutes}
                data-autofocus
              />
              <Button type="submit" size="xs" loading={openIt.isPending}>
                Hold everything back
              </Button>
            </Stack>
          </form>
        </Popover.Dropdown>
      </Popover>
    </>
  );
}

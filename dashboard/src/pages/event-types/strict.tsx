import { Card, Switch } from "@mantine/core";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { useSession } from "../../session/session";

interface Settings {
  strict_event_types: boolean;
}

/** Whether only events that the catalogue knows are taken. */
export function Strict() {
  const { may } = useSession();
  const settings = useGet<Settings>("/settings");
  const change = useAct(
    (strict_event_types: boolean) => call("PATCH", "/settings", { body: { strict_event_types } }),
    {
      changes: ["/settings"],
      done: (_, strict) =>
        strict
          ? "Strict: what the catalogue does not know is refused within seconds."
          : "Events of any type are taken again within seconds.",
    },
  );
  if (!settings.data) return null;
  return (
    <Card withBorder>
      <Switch
        label="Strict mode"
        description={`Only events of these types, whose payloads fit their schema, are taken; others are refused with 422.${may("manage") ? "" : " Changing it needs the scope manage."}`}
        checked={settings.data.strict_event_types}
        disabled={!may("manage") || change.isPending}
        onChange={(event) => change.mutate(event.currentTarget.checked)}
      />
    </Card>
  );
}

import { Button, Card, FileButton, Group, JsonInput, List, Stack } from "@mantine/core";
import { IconFileImport } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { call } from "../../api/client";
import { useAct } from "../../api/hooks";
import { asProblem } from "../../api/problem";
import type { Answer } from "../../api/types";
import { ErrorState } from "../../parts/error-state";
import { RequireScope } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";

type Import = Answer<"importEventTypes">;

const SAMPLE = JSON.stringify(
  {
    event_types: [
      {
        name: "order.created",
        group: "orders",
        description: "An order was placed",
        example: { id: 1 },
      },
    ],
  },
  null,
  2,
);

/** The list that a file holds: `{"event_types": [...]}`, or the list itself. */
function drafts(text: string): unknown {
  const read = JSON.parse(text);
  return Array.isArray(read) ? { event_types: read } : read;
}

function readable(text: string): boolean {
  try {
    drafts(text);
    return true;
  } catch {
    return false;
  }
}

export function ImportPage() {
  const [, go] = useLocation();
  const [text, setText] = useState(SAMPLE);
  const load = useAct<void, Import>(
    () => call<Import>("PATCH", "/event-types", { body: drafts(text) }),
    {
      quiet: () => true,
      done: ({ created, changed }) =>
        `${created} new and ${changed} known event types are told of.`,
      onDone: () => go("/event-types"),
    },
  );
  const right = readable(text);
  return (
    <RequireScope scope="manage">
      <PageHeader
        title="Import event types"
        about="All of them are taken, or none: types that are known already are told of anew."
        parent={{ href: "/event-types", label: "Event types" }}
      />
      <Card withBorder maw={820}>
        <Stack>
          <Group>
            <FileButton
              accept="application/json"
              onChange={(file) => file?.text().then(setText)}
              inputProps={{ "aria-label": "A JSON file" }}
            >
              {(props) => (
                <Button
                  {...props}
                  variant="default"
                  leftSection={<IconFileImport size={16} aria-hidden />}
                >
                  Choose a JSON file
                </Button>
              )}
            </FileButton>
          </Group>
          <JsonInput
            label="Event types"
            description="As `GET /api/v1/event-types` lists them"
            autosize
            minRows={10}
            maxRows={30}
            styles={{
              input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 },
            }}
            value={text}
            onChange={setText}
            error={right ? undefined : "is not JSON"}
          />
          {load.error && <ErrorState error={asProblem(load.error)} />}
          <List size="sm" c="dimmed">
            <List.Item>
              Each has a <code>name</code>, and may have a <code>description</code>,{" "}
              <code>group</code>, <code>schema</code>, <code>example</code>, <code>retry</code>,{" "}
              <code>deprecated</code>
            </List.Item>
            <List.Item>
              <code>retry_policies</code> beside <code>event_types</code>: retries by pattern
            </List.Item>
          </List>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => go("/event-types")}>
              Cancel
            </Button>
            <Button disabled={!right} loading={load.isPending} onClick={() => load.mutate()}>
              Import
            </Button>
          </Group>
        </Stack>
      </Card>
    </RequireScope>
  );
}

import {
  Alert,
  Button,
  Card,
  Checkbox,
  Group,
  JsonInput,
  Skeleton,
  Stack,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { call } from "../../api/client";
import { useAct, useGet } from "../../api/hooks";
import { asProblem } from "../../api/problem";
import { ErrorState } from "../../parts/error-state";
import { RequireScope } from "../../parts/needs-scope";
import { PageHeader } from "../../parts/page-header";
import { apiPath, type EventType, place } from "./entry";

const PARENT = { href: "/event-types", label: "Event types" };
const mono = { input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } };

function text(value: unknown): string {
  return value === null || value === undefined ? "" : JSON.stringify(value, null, 2);
}

/** What is wrong with a text that is to be JSON, or nothing at all. */
function trouble(given: string): string | null {
  if (given.trim() === "") return null;
  try {
    JSON.parse(given);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : "is not JSON";
  }
}

function TypeForm({ before }: { before: EventType | undefined }) {
  const [, go] = useLocation();
  const [name, setName] = useState(before?.name ?? "");
  const [description, setDescription] = useState(before?.description ?? "");
  const [group, setGroup] = useState(before?.group ?? "");
  const [schema, setSchema] = useState(text(before?.schema));
  const [example, setExample] = useState(text(before?.example));
  const [deprecated, setDeprecated] = useState(before?.deprecated ?? false);
  const save = useAct<void, EventType>(
    () => {
      const body = {
        name: name.trim(),
        description,
        group,
        deprecated,
        ...(schema.trim() && { schema: JSON.parse(schema) }),
        ...(example.trim() && { example: JSON.parse(example) }),
        ...(before?.retry && { retry: before.retry }),
      };
      return before
        ? call("PUT", apiPath(before.name), { body })
        : call("POST", "/event-types", { body });
    },
    {
      done: "Saved. It holds everywhere within seconds.",
      quiet: () => true,
      onDone: () => go(place(name.trim())),
    },
  );
  const problem = save.error && asProblem(save.error);
  const wrong = { schema: trouble(schema), example: trouble(example) };
  // A schema's or example's own fields are named below it.
  const told = (field: string) =>
    problem?.errors.find((error) => error.field === field || error.field.startsWith(`${field}.`))
      ?.rule;
  return (
    <Card withBorder maw={820}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!wrong.schema && !wrong.example) save.mutate();
        }}
      >
        <Stack>
          {problem && (
            <Alert color="red" title={problem.title} role="alert">
              {problem.detail}
            </Alert>
          )}
          <TextInput
            label="Name"
            required
            disabled={before !== undefined}
            description="As events are posted: order.created"
            maxLength={128}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={told("name")}
          />
          <Textarea
            label="Description"
            description="When it happens, and what it means"
            autosize
            minRows={2}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
            error={told("description")}
          />
          <TextInput
            label="Group"
            description="What it is shown with: orders"
            value={group}
            onChange={(event) => setGroup(event.currentTarget.value)}
            error={told("group")}
          />
          <JsonInput
            label="Example"
            description="A payload that fits the schema"
            autosize
            minRows={4}
            maxRows={18}
            formatOnBlur
            styles={mono}
            value={example}
            onChange={setExample}
            error={wrong.example ?? told("example")}
          />
          <JsonInput
            label="Schema"
            description="JSON Schema 2020-12: what payloads have to fit in strict mode"
            autosize
            minRows={6}
            maxRows={24}
            formatOnBlur
            styles={mono}
            value={schema}
            onChange={setSchema}
            error={wrong.schema ?? told("schema")}
          />
          <Checkbox
            label="Deprecated"
            description="Nobody should begin to use it"
            checked={deprecated}
            onChange={(event) => setDeprecated(event.currentTarget.checked)}
          />
          <Group justify="flex-end">
            <Button
              variant="default"
              onClick={() => go(before ? place(before.name) : "/event-types")}
            >
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={name.trim() === ""}>
              {before ? "Save" : "Make it"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Card>
  );
}

export function NewPage() {
  return (
    <RequireScope scope="manage">
      <PageHeader title="New event type" parent={PARENT} />
      <TypeForm before={undefined} />
    </RequireScope>
  );
}

export function EditPage({ name }: { name: string }) {
  const type = useGet<EventType>(apiPath(name));
  return (
    <RequireScope scope="manage">
      <PageHeader title={`Edit ${name}`} parent={{ href: place(name), label: name }} />
      {type.error && <ErrorState error={type.error} retry={() => type.refetch()} />}
      {type.data ? (
        <TypeForm before={type.data} key={type.data.updated_at} />
      ) : (
        !type.error && <Skeleton height={400} />
      )}
    </RequireScope>
  );
}

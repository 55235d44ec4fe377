import { Alert, Button, Code, Group, JsonInput, Stack, Text, TextInput } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import { useState } from "react";
import { call } from "../../../api/client";
import { useAct } from "../../../api/hooks";
import { asProblem } from "../../../api/problem";
import type { Answer } from "../../../api/types";
import { parsed } from "./json";

interface Props {
  id: string;
  /** Instead of the one that is stored. */
  template?: string;
  eventTypes: string[];
}

type Preview = Answer<"previewRequest">;

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** The request that an event would make, without sending it. */
export function BodyPreview({ id, template, eventTypes }: Props) {
  const first = eventTypes.find((type) => !type.includes("*")) ?? "order.created";
  const [type, setType] = useState(first);
  const [payload, setPayload] = useState('{\n  "id": "ORD-001",\n  "amount": 42.00\n}');
  const preview = useAct<void, Preview>(
    async () =>
      call<Preview>("POST", `/endpoints/${id}/preview`, {
        body: {
          event_type: type,
          payload: parsed("payload", payload) ?? {},
          ...(template !== undefined && { template: parsed("template", template) }),
        },
      }),
    { changes: [], quiet: () => true },
  );
  const problem = preview.error && asProblem(preview.error);
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600}>
        Preview
      </Text>
      <TextInput
        label="Event type"
        value={type}
        onChange={(event) => setType(event.currentTarget.value)}
        error={problem?.of("event_type")}
      />
      <JsonInput
        label="Payload"
        autosize
        minRows={3}
        maxRows={12}
        value={payload}
        onChange={setPayload}
        error={problem?.of("payload")}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      />
      <Group>
        <Button
          size="xs"
          variant="default"
          loading={preview.isPending}
          leftSection={<IconEye size={14} aria-hidden />}
          onClick={() => preview.mutate()}
        >
          Preview the request
        </Button>
      </Group>
      {problem && (
        <Alert color="red" title={problem.title} role="alert">
          {problem.detail}
        </Alert>
      )}
      {preview.data && (
        <div aria-live="polite">
          <Text size="xs" c="dimmed" mb={4}>
            {preview.data.method} {preview.data.url}
          </Text>
          <Code block tabIndex={0} aria-label="Headers of the request">
            {Object.entries(preview.data.headers)
              .map(([name, value]) => `${name}: ${value}`)
              .join("\n")}
          </Code>
          <Code block mt={6} tabIndex={0} aria-label="Body of the request">
            {pretty(preview.data.body)}
          </Code>
        </div>
      )}
    </Stack>
  );
}

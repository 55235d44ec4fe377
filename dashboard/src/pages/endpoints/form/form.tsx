import {
  Alert,
  Button,
  Checkbox,
  Collapse,
  Group,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
  useMatches,
} from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconAlertCircle } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { useGet } from "../../../api/hooks";
import { asProblem } from "../../../api/problem";
import type { DeploymentSettings, Page } from "../../../api/types";
import { Json, Pairs, Section, Side } from "./fields";
import { FieldTrouble } from "./json";
import { RetryFields } from "./retry-fields";
import { Rules } from "./rules";
import { place } from "./troubles";
import type { Values } from "./values";

interface Props {
  initial: Values;
  isNew: boolean;
  save: (values: Values) => Promise<void>;
  cancel: () => void;
  /** A preview of the body, where there is an endpoint to ask for one. */
  preview?: (values: Values) => ReactNode;
}

const CLASSES = ["2xx", "3xx", "4xx", "5xx"];

export function EndpointForm({ initial, isNew, save, cancel, preview }: Props) {
  const orientation = useMatches({ base: "vertical", xs: "horizontal" } as const);
  const form = useForm<Values>({ initialValues: initial });
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const deployment = useGet<DeploymentSettings>("/deployment");
  const types = useGet<Page<{ name: string }>>("/event-types", { limit: 200 });
  const known = types.data?.data.map((type) => type.name) ?? [];

  const submit = form.onSubmit(async (values) => {
    setTrouble(null);
    setBusy(true);
    try {
      await save(values);
    } catch (error) {
      const errors =
        error instanceof FieldTrouble
          ? [{ field: error.field, rule: error.rule }]
          : asProblem(error).errors;
      const placed = errors.map(({ field, rule }) => ({ at: place(field), field, rule }));
      form.setErrors(Object.fromEntries(placed.map(({ at, rule }) => [at, rule])));
      const told = asProblem(error);
      setTrouble(
        placed.length > 0
          ? placed.map(({ field, rule }) => `${field} ${rule}`).join("; ")
          : `${told.title}. ${told.detail}`,
      );
      // Once the fields show it.
      setTimeout(() => {
        const wrong = document.querySelector<HTMLElement>(
          "[data-endpoint-form] [aria-invalid=true]",
        );
        (wrong ?? document.getElementById("form-trouble"))?.focus();
      }, 50);
    } finally {
      setBusy(false);
    }
  });

  return (
    <form onSubmit={submit} noValidate data-endpoint-form>
      <Stack gap="md" maw={860}>
        {trouble && (
          <Alert
            id="form-trouble"
            tabIndex={-1}
            color="red"
            icon={<IconAlertCircle />}
            title="Not saved"
            role="alert"
          >
            {trouble}
          </Alert>
        )}
        <Section title="Where and what">
          <TextInput
            label="URL"
            required
            type="url"
            description="HTTPS, at a public address"
            placeholder="https://example.com/webhooks"
            {...form.getInputProps("url")}
          />
          <Side>
            <TextInput label="Name" description="For people" {...form.getInputProps("name")} />
            <TagsInput
              label="Event types"
              required
              description="order.created, order.*, or * for all; Enter after each"
              data={["*", ...known]}
              splitChars={[",", " "]}
              clearable
              clearButtonProps={{ "aria-label": "Clear event types" }}
              {...form.getInputProps("event_types")}
            />
          </Side>
          <Textarea
            label="Description"
            autosize
            minRows={2}
            {...form.getInputProps("description")}
          />
          <Pairs
            form={form}
            field="metadata"
            label="Metadata"
            description="What you want to remember about it, up to 50 texts. Endpoints are found by them."
            names="team"
            values="billing"
          />
          {isNew && (
            <Select
              label="State"
              allowDeselect={false}
              data={[
                { value: "active", label: "active: events are delivered" },
                { value: "paused", label: "paused: they wait until it is resumed" },
                { value: "disabled", label: "disabled: they become dead letters" },
              ]}
              {...form.getInputProps("state")}
            />
          )}
        </Section>

        <Section
          title="Filter and shape"
          about="Which of those events it gets, and the body that it gets."
        >
          <Json
            form={form}
            field="filter"
            label="Filter"
            description="An EventBridge event pattern over data. All of them without one."
            placeholder='{"data": {"amount": [{"numeric": [">", 100]}]}}'
          />
          <Json
            form={form}
            field="template"
            label="Template"
            description="JSON with expressions in its strings. The event itself without one."
            placeholder='{"text": "Order {{data.id}} of {{data.name | default: &apos;somebody&apos;}}"}'
          />
          {preview?.(form.values) ?? (
            <Text size="sm" c="dimmed">
              What it makes of an event can be tried on the endpoint's page once it is made.
            </Text>
          )}
        </Section>

        <Section title="Request" about="How it is signed and sent.">
          {isNew ? (
            <>
              <SegmentedControl
                aria-label="Signature"
                orientation={orientation}
                data={[
                  { value: "hmac", label: "HMAC-SHA256 (v1)" },
                  { value: "ed25519", label: "ed25519 (v1a)" },
                ]}
                {...form.getInputProps("signing")}
              />
              <PasswordInput
                label="Secret"
                description="Generated unless given: whsec_ and base64 of 24 to 64 bytes, 8 to 256 characters, or whsk_ for ed25519. It is shown once."
                autoComplete="new-password"
                {...form.getInputProps("secret")}
                error={form.errors.secret ?? form.errors.signing}
              />
            </>
          ) : (
            <Text size="sm" c="dimmed">
              Signed with {form.values.signing}. Secrets are changed by rotating them, on the
              endpoint's page.
            </Text>
          )}
          <Pairs
            form={form}
            field="headers"
            label="Headers"
            description="Sent with each request. Values are never shown again: *** stays what it was."
            names="X-Source"
            values="hookpost"
          />
          <Checkbox
            label="HTTP basic auth"
            {...form.getInputProps("auth.on", { type: "checkbox" })}
          />
          <Collapse expanded={form.values.auth.on}>
            <Side>
              <TextInput
                label="User name"
                autoComplete="off"
                {...form.getInputProps("auth.username")}
              />
              <PasswordInput
                label="Password"
                autoComplete="new-password"
                description={isNew ? undefined : "Say it again whenever you change the user name"}
                {...form.getInputProps("auth.password")}
              />
            </Side>
          </Collapse>
          <NumberInput
            label="Time-out"
            description="Seconds a request may take, 1 to 30"
            min={1}
            max={30}
            {...form.getInputProps("timeout_seconds")}
          />
        </Section>

        <Section title="Failures" about="What counts as one, and what happens then.">
          <RetryFields form={form} standard={deployment.data?.retry} />
          <Side>
            <TagsInput
              label="Never retry"
              description="Codes or classes that make a dead letter at once"
              placeholder="422, 4xx"
              data={CLASSES}
              splitChars={[",", " "]}
              {...form.getInputProps("no_retry_statuses")}
            />
            <TagsInput
              label="Retry all the same"
              description="Exceptions from those: 409, or 410 so that it does not disable"
              placeholder="409"
              splitChars={[",", " "]}
              {...form.getInputProps("retry_statuses")}
            />
          </Side>
          <Rules form={form} />
          <Side>
            <NumberInput
              label="Breaker opens after"
              description="Failures in a row, 1 to 1000"
              min={1}
              max={1000}
              {...form.getInputProps("breaker.failures")}
            />
            <NumberInput
              label="and stays open for"
              description="Seconds until the first probe, 1 to 900"
              min={1}
              max={900}
              {...form.getInputProps("breaker.pause_seconds")}
            />
          </Side>
        </Section>

        <Section title="Pace and order">
          <Side>
            <NumberInput
              label="Most requests a second"
              description="Across all instances; no limit if empty"
              min={1}
              {...form.getInputProps("rate_limit_per_second")}
            />
            <NumberInput
              label="Most requests at once"
              description="1 to 1000; no limit if empty"
              min={1}
              {...form.getInputProps("max_in_flight")}
            />
          </Side>
          <Checkbox
            label="Strictly in order"
            description="Each event waits until the one before is over. Slower: one at a time."
            {...form.getInputProps("ordered", { type: "checkbox" })}
          />
          {form.values.ordered && (
            <Select
              label="At a dead letter"
              allowDeselect={false}
              data={[
                { value: "skip", label: "skip it and go on" },
                { value: "block", label: "wait until it is replayed, resolved or deleted" },
              ]}
              {...form.getInputProps("on_dead_letter")}
            />
          )}
        </Section>
        <Group>
          <Button type="submit" loading={busy}>
            {isNew ? "Create endpoint" : "Save changes"}
          </Button>
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

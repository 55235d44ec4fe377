import { Input, NumberInput, SegmentedControl, Select, TagsInput, useMatches } from "@mantine/core";
import type { Retry } from "../../../api/types";
import { PRESETS, secondsOf } from "../../../parts/schedule";
import { ScheduleShown } from "../../../parts/schedule-shown";
import { type Form, Side } from "./fields";
import type { RetryValues } from "./values";

/** The schedule that the values make; null where the event type or the deployment decides. */
function meant(values: RetryValues): Retry | null {
  const jitter = Number(values.jitter || 0) / 100;
  switch (values.kind) {
    case "default":
      return null;
    case "preset":
      return PRESETS[values.preset] ?? null;
    case "backoff":
      return {
        initial_delay: Number(values.initial_delay || 0),
        multiplier: Number(values.multiplier || 1),
        max_delay: Number(values.max_delay || 0),
        max_attempts: Number(values.max_attempts || 0),
        jitter,
      };
    case "delays": {
      const delays = values.delays.map((text) => secondsOf(text) ?? 0);
      return { delays, max_attempts: delays.length, jitter };
    }
  }
}

export function RetryFields({ form, standard }: { form: Form; standard: Retry | undefined }) {
  const orientation = useMatches({ base: "vertical", xs: "horizontal" } as const);
  const values = form.values.retry;
  const shown = meant(values) ?? standard;
  const number = (field: keyof RetryValues, label: string, description: string, step = 1) => (
    <NumberInput
      label={label}
      description={description}
      min={0}
      step={step}
      decimalScale={2}
      {...form.getInputProps(`retry.${field}`)}
    />
  );
  return (
    <>
      <Input.Wrapper label="Retries" labelElement="div" error={form.errors.retry}>
        <SegmentedControl
          mt={4}
          orientation={orientation}
          display="flex"
          w="fit-content"
          maw="100%"
          aria-label="Retries"
          {...form.getInputProps("retry.kind")}
          data={[
            { value: "default", label: "As usual" },
            { value: "preset", label: "Named" },
            { value: "backoff", label: "Backoff" },
            { value: "delays", label: "List of waits" },
          ]}
        />
      </Input.Wrapper>
      {values.kind === "preset" && (
        <Select
          label="Schedule"
          data={Object.keys(PRESETS)}
          allowDeselect={false}
          {...form.getInputProps("retry.preset")}
        />
      )}
      {values.kind === "backoff" && (
        <>
          <Side>
            {number("initial_delay", "First wait", "Seconds before the first retry")}
            {number("multiplier", "Factor", "From one wait to the next", 0.5)}
            {number("max_delay", "Longest wait", "Seconds that no wait exceeds")}
          </Side>
          <Side>
            {number("max_attempts", "Attempts", "In all, 1 to 50")}
            {number("jitter", "Jitter", "Percent that a wait may be longer or shorter")}
          </Side>
        </>
      )}
      {values.kind === "delays" && (
        <>
          <TagsInput
            label="Waits"
            description="One before each attempt, the first included: 0s, 30s, 5m, 2h. Press Enter after each."
            allowDuplicates
            splitChars={[",", " "]}
            {...form.getInputProps("retry.delays")}
            error={
              form.errors["retry.delays"] ??
              (values.delays.some((text) => secondsOf(text) === null) &&
                "each must be seconds or a duration such as 5s, 30m, 2h")
            }
          />
          {number("jitter", "Jitter", "Percent that a wait may be longer or shorter")}
        </>
      )}
      {shown && (
        <div>
          {values.kind === "default" && (
            <Input.Description mb={4}>
              As the event type says, or else the deployment:
            </Input.Description>
          )}
          <ScheduleShown retry={shown} />
        </div>
      )}
    </>
  );
}

import { FieldTrouble, parsed } from "./json";
import { fresh, type Pair, type RetryValues, type Rule, type Values } from "./values";

export type Draft = Record<string, unknown>;

const numberOr = (value: number | string, none: null): number | null =>
  value === "" ? none : Number(value);

const status = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);

function map(field: string, pairs: Pair[]): Record<string, string> {
  const all = pairs.filter(({ key, value }) => key.trim() || value);
  const names = all.map(({ key }) => key.trim());
  if (names.some((name) => name === "")) throw new FieldTrouble(field, "each needs a name");
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
    throw new FieldTrouble(field, "each name can be there once");
  }
  return Object.fromEntries(all.map(({ key, value }) => [key.trim(), value]));
}

function retry(values: RetryValues): unknown {
  const jitter = values.jitter === "" ? undefined : Number(values.jitter) / 100;
  switch (values.kind) {
    case "default":
      return null;
    case "preset":
      return values.preset;
    case "backoff":
      return {
        initial_delay: numberOr(values.initial_delay, null) ?? undefined,
        multiplier: numberOr(values.multiplier, null) ?? undefined,
        max_delay: numberOr(values.max_delay, null) ?? undefined,
        max_attempts: numberOr(values.max_attempts, null) ?? undefined,
        jitter,
      };
    case "delays":
      return { delays: values.delays, jitter };
  }
}

function rule(values: Rule, nth: number): unknown {
  const when: Draft = {};
  if (values.status.length > 0) when.status = values.status.map(status);
  if (values.body_contains) when.body_contains = values.body_contains;
  if (values.pointer || values.equals) {
    const equals = parsed(`response_rules.${nth}.equals`, values.equals);
    when.body_json = { pointer: values.pointer, ...(values.equals.trim() && { equals }) };
  }
  // biome-ignore lint/suspicious/noThenProperty: the API's name for it
  return { when, then: values.meaning };
}

/** Every field as the API reads it. */
function whole(values: Values): Draft {
  const { auth } = values;
  return {
    name: values.name,
    url: values.url.trim(),
    description: values.description,
    event_types: values.event_types,
    filter: parsed("filter", values.filter),
    template: parsed("template", values.template),
    signing: values.signing,
    secret: values.secret || undefined,
    auth: auth.on ? { type: "basic", username: auth.username, password: auth.password } : null,
    headers: map("headers", values.headers),
    metadata: map("metadata", values.metadata),
    retry: retry(values.retry),
    retry_statuses: values.retry_statuses.map(status),
    no_retry_statuses: values.no_retry_statuses.map(status),
    response_rules: values.response_rules.map(rule),
    timeout_seconds: numberOr(values.timeout_seconds, null),
    rate_limit_per_second: numberOr(values.rate_limit_per_second, null),
    max_in_flight: numberOr(values.max_in_flight, null),
    breaker: {
      failures: numberOr(values.breaker.failures, null) ?? undefined,
      pause_seconds: numberOr(values.breaker.pause_seconds, null) ?? undefined,
    },
    ordered: values.ordered,
    on_dead_letter: values.ordered ? values.on_dead_letter : undefined,
    active: values.state !== "disabled",
    paused: values.state === "paused",
  };
}

/** What of a draft is not as it was. */
function changed(before: Draft, after: Draft): Draft {
  const differs = ([name, value]: [string, unknown]) =>
    JSON.stringify(value) !== JSON.stringify(before[name]);
  return Object.fromEntries(Object.entries(after).filter(differs));
}

/**
 * The body that makes an endpoint: what is not as the API has it anyway.
 *
 * Throws a FieldTrouble for what cannot be sent.
 */
export function creation(values: Values): Draft {
  const draft = changed(whole(fresh), whole(values));
  return { url: values.url.trim(), event_types: values.event_types, ...draft };
}

/** The body that changes an endpoint: what has been changed, and nothing that others may have. */
export function change(before: Values, after: Values): Draft {
  return changed(whole(before), whole(after));
}

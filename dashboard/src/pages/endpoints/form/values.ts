import type { Endpoint, Retry } from "../../../api/types";

export interface Pair {
  key: string;
  value: string;
}

export interface Rule {
  status: string[];
  body_contains: string;
  pointer: string;
  /** JSON; empty for anything but null. */
  equals: string;
  meaning: "retry" | "fail" | "succeed";
}

export interface RetryValues {
  kind: "default" | "preset" | "backoff" | "delays";
  preset: string;
  initial_delay: number | string;
  multiplier: number | string;
  max_delay: number | string;
  max_attempts: number | string;
  /** A share in percent. */
  jitter: number | string;
  /** `0s, 5m, 2h` */
  delays: string[];
}

/** What the form holds. */
export interface Values {
  name: string;
  url: string;
  description: string;
  event_types: string[];
  filter: string;
  template: string;
  signing: "hmac" | "ed25519";
  secret: string;
  auth: { on: boolean; username: string; password: string };
  headers: Pair[];
  metadata: Pair[];
  retry: RetryValues;
  retry_statuses: string[];
  no_retry_statuses: string[];
  response_rules: Rule[];
  timeout_seconds: number | string;
  rate_limit_per_second: number | string;
  max_in_flight: number | string;
  breaker: { failures: number | string; pause_seconds: number | string };
  ordered: boolean;
  on_dead_letter: "skip" | "block";
  state: "active" | "paused" | "disabled";
}

const quick: RetryValues = {
  kind: "default",
  preset: "quick",
  initial_delay: 1,
  multiplier: 2,
  max_delay: 300,
  max_attempts: 5,
  jitter: 25,
  delays: ["0s", "5s", "5m", "30m", "2h"],
};

export const fresh: Values = {
  name: "",
  url: "",
  description: "",
  event_types: [],
  filter: "",
  template: "",
  signing: "hmac",
  secret: "",
  auth: { on: false, username: "", password: "" },
  headers: [],
  metadata: [],
  retry: quick,
  retry_statuses: [],
  no_retry_statuses: [],
  response_rules: [],
  timeout_seconds: 15,
  rate_limit_per_second: "",
  max_in_flight: "",
  breaker: { failures: 5, pause_seconds: 30 },
  ordered: false,
  on_dead_letter: "skip",
  state: "active",
};

/** Fields that are newer than the description of the API that this was built with. */
type Newer = {
  ordered?: boolean;
  on_dead_letter?: "skip" | "block" | null;
  max_in_flight?: number | null;
};

const pairs = (map: Record<string, string>): Pair[] =>
  Object.entries(map).map(([key, value]) => ({ key, value }));

const json = (value: unknown): string =>
  value === null || value === undefined ? "" : JSON.stringify(value, null, 2);

function retryOf(retry: Retry): RetryValues {
  const jitter = typeof retry.jitter === "number" ? Math.round(retry.jitter * 100) : 25;
  const common = { ...quick, max_attempts: retry.max_attempts, jitter };
  if (retry.delays) {
    return { ...common, kind: "delays", delays: retry.delays.map((seconds) => `${seconds}s`) };
  }
  return {
    ...common,
    kind: "backoff",
    initial_delay: retry.initial_delay ?? 1,
    multiplier: retry.multiplier ?? 2,
    max_delay: retry.max_delay ?? 300,
  };
}

/** An endpoint as the form shows it. */
export function valuesOf(endpoint: Endpoint & Newer): Values {
  return {
    ...fresh,
    name: endpoint.name,
    url: endpoint.url,
    description: endpoint.description,
    event_types: endpoint.event_types,
    filter: json(endpoint.filter),
    template: json(endpoint.template),
    signing: endpoint.signing as Values["signing"],
    auth: { on: !!endpoint.auth, username: endpoint.auth?.username ?? "", password: "" },
    headers: pairs(endpoint.headers),
    metadata: pairs(endpoint.metadata),
    retry: retryOf(endpoint.retry),
    retry_statuses: endpoint.retry_statuses.map(String),
    no_retry_statuses: endpoint.no_retry_statuses.map(String),
    response_rules: endpoint.response_rules.map(({ when, then }) => ({
      status: (when.status ?? []).map(String),
      body_contains: when.body_contains ?? "",
      pointer: when.body_json?.pointer ?? "",
      equals:
        when.body_json && "equals" in when.body_json ? JSON.stringify(when.body_json.equals) : "",
      meaning: then as Rule["meaning"],
    })),
    timeout_seconds: endpoint.timeout_seconds,
    rate_limit_per_second: endpoint.rate_limit_per_second ?? "",
    max_in_flight: endpoint.max_in_flight ?? "",
    breaker: { ...endpoint.breaker },
    ordered: endpoint.ordered ?? false,
    on_dead_letter: endpoint.on_dead_letter ?? "skip",
    state: endpoint.state as Values["state"],
  };
}

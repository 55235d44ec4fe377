/** Fields that the form has one place for, whatever of them is wrong. */
const WHOLE = ["headers", "metadata", "filter", "template", "response_rules", "event_types"];
const LISTS = ["retry_statuses", "no_retry_statuses"];
const RETRY = [
  "initial_delay",
  "multiplier",
  "max_delay",
  "max_attempts",
  "jitter",
  "delays",
  "preset",
];

/** Where in the form a field of the API is. */
export function place(field: string): string {
  const [first = field, second] = field.split(/[.[]/);
  if (WHOLE.includes(first) || LISTS.includes(first)) return first;
  if (first === "retry") {
    return second && RETRY.includes(second) ? `retry.${second}` : "retry";
  }
  if (first === "max_retries") return "retry.max_attempts";
  if (first === "auth") return second === "password" ? "auth.password" : "auth.username";
  if (first === "breaker") return second === "pause_seconds" ? field : "breaker.failures";
  if (first === "active" || first === "paused") return "state";
  return first;
}

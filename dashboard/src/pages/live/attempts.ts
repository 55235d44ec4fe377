/** Attempts as the feed has them, and what the page shows of them. Pure: no clock, no network. */

export type Outcome = "delivered" | "retrying" | "dead" | "cancelled";

/** One attempt, as the WebSocket tells it. */
export interface Attempt {
  at: string;
  delivery_id: string;
  event_id: string;
  endpoint_id: string;
  event_type: string;
  attempt: number;
  outcome: Outcome;
  status_code?: number | null;
  failure?: string | null;
  latency_ms: number;
}

/** What of the attempts is shown; an empty part shows all. */
export interface FeedFilter {
  endpointId: string;
  eventType: string;
  outcome: Outcome | "";
}

export const NO_FILTER: FeedFilter = { endpointId: "", eventType: "", outcome: "" };

/** Rows that the page keeps: beyond that the oldest go. */
export const MAX_ROWS = 200;
/** Arrivals that the rate is counted over. */
const RATE_SECONDS = 10;

/** What the socket is told to leave out. A type that is typed only half is the page's own business. */
export function wireFilter(filter: FeedFilter): Record<string, string[]> {
  const wire: Record<string, string[]> = {};
  if (filter.endpointId) wire.endpoint_ids = [filter.endpointId];
  if (isPattern(filter.eventType)) wire.event_types = [filter.eventType];
  if (filter.outcome) wire.outcomes = [filter.outcome];
  return wire;
}

/** Whether a text is a type or a pattern that the API takes. */
export function isPattern(text: string): boolean {
  return text === "*" || /^[A-Za-z0-9_\-.:/]{1,126}(\.\*)?$/.test(text);
}

export function passes(filter: FeedFilter, attempt: Attempt): boolean {
  return (
    (!filter.endpointId || filter.endpointId === attempt.endpoint_id) &&
    (!filter.outcome || filter.outcome === attempt.outcome) &&
    typePasses(filter.eventType, attempt.event_type)
  );
}

function typePasses(wanted: string, type: string): boolean {
  if (!wanted || wanted === "*") return true;
  if (wanted.endsWith(".*")) return type.startsWith(wanted.slice(0, -1));
  return type === wanted;
}

/** What tells an attempt from all others, whichever way it came. */
export function keyOf(attempt: Attempt): string {
  return `${attempt.delivery_id} ${attempt.at}`;
}

/** The rows with more of them, newest first, none twice, and no more than are kept. */
export function withMore(rows: readonly Attempt[], more: readonly Attempt[]): Attempt[] {
  const known = new Set(rows.map(keyOf));
  const fresh = more.filter((attempt) => {
    const key = keyOf(attempt);
    const isNew = !known.has(key);
    known.add(key);
    return isNew;
  });
  if (fresh.length === 0) return [...rows];
  const all = [...fresh, ...rows];
  all.sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0));
  return all.slice(0, MAX_ROWS);
}

/** Arrivals a second, over the last ten. */
export function rate(arrivals: readonly { at: number; count: number }[], now: number): number {
  const since = now - RATE_SECONDS * 1000;
  const recent = arrivals.filter((arrival) => arrival.at > since);
  return recent.reduce((sum, arrival) => sum + arrival.count, 0) / RATE_SECONDS;
}

/** How many of each outcome there are. */
export function tally(rows: readonly Attempt[]): Record<Outcome, number> {
  const counts: Record<Outcome, number> = { delivered: 0, retrying: 0, dead: 0, cancelled: 0 };
  for (const row of rows) counts[row.outcome] += 1;
  return counts;
}

/** A delivery as `GET /deliveries` lists it, as far as the feed needs it. */
export interface ListedDelivery {
  id: string;
  event_id: string;
  endpoint_id: string;
  event_type: string;
  status: string;
  attempt_log: {
    number: number;
    at: string;
    latency_ms: number;
    status_code?: number | null;
    error?: { kind: string } | null;
  }[];
}

/** The attempts of listed deliveries: what the feed is made of where there is no socket. */
export function attemptsOf(deliveries: readonly ListedDelivery[]): Attempt[] {
  return deliveries.flatMap((delivery) =>
    delivery.attempt_log.map((attempt, nth) => ({
      at: attempt.at,
      delivery_id: delivery.id,
      event_id: delivery.event_id,
      endpoint_id: delivery.endpoint_id,
      event_type: delivery.event_type,
      attempt: attempt.number,
      outcome: outcomeOf(delivery, nth),
      status_code: attempt.status_code ?? null,
      failure: attempt.error?.kind ?? null,
      latency_ms: attempt.latency_ms,
    })),
  );
}

function outcomeOf(delivery: ListedDelivery, nth: number): Outcome {
  const attempt = delivery.attempt_log[nth];
  if (attempt && !attempt.error) return "delivered";
  if (nth < delivery.attempt_log.length - 1) return "retrying";
  if (delivery.status === "dead") return "dead";
  return delivery.status === "cancelled" ? "cancelled" : "retrying";
}

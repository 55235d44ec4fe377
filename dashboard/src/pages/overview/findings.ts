import type { Backlog, Endpoint, Stats, SubscriberHealth } from "../../api/types";
import { count, percent } from "../../parts/format";
import { ago, localTime } from "../../parts/time";

/** Something that is wrong, and what to do about it. */
export interface Finding {
  id: string;
  grave: boolean;
  what: string;
  todo: string;
  link: { href: string; label: string };
}

/** Failures in a row for this long are worth a look. */
const FAILING_MS = 5 * 60_000;
/** Deliveries that wait for longer than workers take to come up. */
const BACKLOG = 1000;
/** What waits for longer than this between attempts is late for somebody. */
const LATE_MS = 6 * 3600_000;
/** Below this, more is lost than retries mend. */
const GOOD_RATE = 0.99;

function ofEndpoint(health: SubscriberHealth, now: number): Finding | null {
  const name = health.name || health.endpoint_url;
  const link = { href: `/endpoints/${health.endpoint_id}`, label: "Look at the endpoint" };
  const { breaker } = health;
  if (health.state !== "active") return null;
  if (breaker.state !== "closed") {
    const since = breaker.opened_at ? ` ${ago(new Date(breaker.opened_at), now)}` : "";
    const probe = breaker.next_probe_at ? ` (next ${localTime(breaker.next_probe_at)})` : "";
    return {
      id: `breaker ${health.endpoint_id}`,
      grave: true,
      what: `${name} gets nothing: its breaker opened${since}${breaker.opened_by_hand ? " by hand" : ` after ${health.consecutive_failures} failures in a row`}.`,
      todo: `Look at its last failures, and tell its owner. What is meant for it waits, and goes out once a probe${probe} succeeds or you close the breaker.`,
      link,
    };
  }
  const failing = health.failing_since ? now - Date.parse(health.failing_since) : 0;
  if (health.consecutive_failures > 1 && failing > FAILING_MS) {
    return {
      id: `failing ${health.endpoint_id}`,
      grave: false,
      what: `${name} has failed ${health.consecutive_failures} times in a row, since ${localTime(health.failing_since ?? "")}.`,
      todo: "Look at what it answers. Retries go on, and a breaker opens if it keeps failing.",
      link,
    };
  }
  return null;
}

function ofDisabled(endpoint: Endpoint): Finding | null {
  if (endpoint.disabled_by !== "gone") return null;
  return {
    id: `gone ${endpoint.id}`,
    grave: true,
    what: `${endpoint.name || endpoint.url} answered 410 Gone and was disabled: its events become dead letters.`,
    todo: "Ask its owner for the new URL, change it, enable it, and replay its dead letters; or delete it.",
    link: { href: `/endpoints/${endpoint.id}`, label: "Look at the endpoint" },
  };
}

function ofStats({ totals, queues }: Stats): Finding[] {
  const found: Finding[] = [];
  if (totals.dead > 0) {
    found.push({
      id: "dead",
      grave: true,
      what: `${count(totals.dead)} ${totals.dead === 1 ? "delivery was" : "deliveries were"} given up in this time.`,
      todo: "Look at why, mend that, and replay them.",
      link: { href: "/dead-letters", label: "Look at the dead letters" },
    });
  }
  const rate = totals.success_rate;
  if (typeof rate === "number" && rate < GOOD_RATE) {
    found.push({
      id: "rate",
      grave: false,
      what: `Only ${percent(rate)} of the deliveries that ended in this time arrived.`,
      todo: "See below which endpoints fail. If all do, look at the delivery function's logs and its way out to the internet.",
      link: { href: "/deliveries?status=dead", label: "Look at what failed" },
    });
  }
  const waiting = queues?.delivery.waiting ?? 0;
  if (waiting > BACKLOG) {
    found.push({
      id: "backlog",
      grave: waiting > 100 * BACKLOG,
      what: `${count(waiting)} deliveries wait in the queue.`,
      todo: "It should fall by itself. If it grows, look at the delivery function's errors and throttles, and raise DeliveryConcurrency.",
      link: { href: "/deliveries?status=pending", label: "Look at what waits" },
    });
  }
  return found;
}

function ofBacklog({ waiting }: Backlog, now: number): Finding[] {
  // What is held has its endpoint among the findings, or was paused on purpose.
  const old = waiting.find(
    ({ status, oldest_at }) =>
      status !== "held" && oldest_at && now - Date.parse(oldest_at) > LATE_MS,
  );
  if (!old?.oldest || !old.oldest_at) return [];
  return [
    {
      id: "late",
      grave: false,
      what: `A delivery has waited since ${localTime(old.oldest_at)} (${ago(new Date(old.oldest_at), now)}).`,
      todo: "Its retries may just be far apart. Look at what its endpoint answers; once that is mended, retry it by hand.",
      link: { href: `/deliveries/${old.oldest}`, label: "Look at the delivery" },
    },
  ];
}

/** What is wrong, the worst first. */
export function findings(
  healths: SubscriberHealth[],
  disabled: Endpoint[],
  stats: Stats | undefined,
  backlog: Backlog | undefined,
  now: number,
): Finding[] {
  const all = [
    ...healths.map((health) => ofEndpoint(health, now)),
    ...disabled.map(ofDisabled),
    ...(stats ? ofStats(stats) : []),
    ...(backlog ? ofBacklog(backlog, now) : []),
  ].filter((finding) => finding !== null);
  return all.sort((one, other) => Number(other.grave) - Number(one.grave));
}

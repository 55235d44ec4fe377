import type { Retry } from "../api/types";

/** An attempt of a schedule. */
export interface Step {
  attempt: number;
  /** Seconds after the one before. */
  wait: number;
  /** Seconds after the event. */
  at: number;
}

/** The schedules that have a name: as `shared/domain/src/retry.rs` has them. */
export const PRESETS: Record<string, Retry> = {
  quick: { initial_delay: 1, multiplier: 2, max_delay: 300, max_attempts: 5, jitter: 0.25 },
  standard: {
    delays: [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
    max_attempts: 10,
    jitter: 0.2,
  },
  minutes: { initial_delay: 60, multiplier: 2, max_delay: 480, max_attempts: 5, jitter: 0.25 },
  capped: { initial_delay: 1, multiplier: 2, max_delay: 60, max_attempts: 5, jitter: 0.1 },
  doubling: {
    initial_delay: 2,
    multiplier: 2,
    max_delay: 16,
    max_attempts: 5,
    jitter: { added_seconds: 1 },
  },
};

/** When each attempt is made, without jitter. */
export function schedule(retry: Retry): Step[] {
  const steps: Step[] = [];
  let at = 0;
  const attempts = Math.min(Math.max(retry.max_attempts || 0, 0), 50);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    let wait = 0;
    if (retry.delays) wait = retry.delays[attempt - 1] ?? 0;
    else if (attempt > 1) {
      const grown = (retry.initial_delay ?? 1) * (retry.multiplier ?? 2) ** (attempt - 2);
      wait = Math.min(grown, retry.max_delay ?? grown);
    }
    at += wait;
    steps.push({ attempt, wait, at });
  }
  return steps;
}

const UNITS: Record<string, number> = {
  ms: 0.001,
  s: 1,
  sec: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86_400,
};

/** The seconds of `90`, `5m` or `1h 30m`; null for what is no time. */
export function secondsOf(text: string): number | null {
  const plain = text.trim();
  if (/^\d+(\.\d+)?$/.test(plain)) return Number(plain);
  const parts = [...plain.matchAll(/(\d+)\s*([a-z]+)/g)];
  if (
    parts.length === 0 ||
    parts.map(([all]) => all).join("").length < plain.replace(/\s+/g, "").length
  ) {
    return null;
  }
  let seconds = 0;
  for (const [, many, unit] of parts) {
    const size = UNITS[unit ?? ""];
    if (size === undefined) return null;
    seconds += Number(many) * size;
  }
  return seconds;
}

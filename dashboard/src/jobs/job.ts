import { call } from "../api/client";
import { useGet } from "../api/hooks";

/** What a job can do to the deliveries of a filter. */
export type Action = "retry" | "replay" | "cancel" | "resolve" | "delete";

/** Which deliveries a job means. */
export type Filter = Record<string, string | boolean | string[] | null | undefined>;

/** A job, as `GET /api/v1/jobs/{id}` tells it. */
export interface Job {
  id: string;
  action: Action;
  status: "running" | "finished" | "cancelled";
  filter: Record<string, unknown>;
  dry_run: boolean;
  rate_per_second: number;
  examined: number;
  matched: number;
  done: number;
  done_per_second: number | null;
  by?: string;
  note?: string;
  created_at: string;
  finished_at: string | null;
  cancelled_at: string | null;
}

/** What the actions are called where they are done, going on, and done with. */
export const WORDS: Record<Action, { now: string; going: string; past: string }> = {
  retry: { now: "Retry", going: "Retrying", past: "retried" },
  replay: { now: "Replay", going: "Replaying", past: "replayed" },
  cancel: { now: "Cancel", going: "Cancelling", past: "cancelled" },
  resolve: { now: "Resolve", going: "Resolving", past: "resolved" },
  delete: { now: "Delete", going: "Deleting", past: "deleted" },
};

/** The filter without what is empty; everything, if nothing is left. */
export function meant(filter: Filter): Record<string, unknown> {
  const given = Object.entries(filter).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  return given.length > 0 ? Object.fromEntries(given) : { all: true };
}

interface Order {
  action: Action;
  filter: Filter;
  dryRun: boolean;
  rate?: number | undefined;
  note?: string | undefined;
}

/** Begins a job. */
export const begin = ({ action, filter, dryRun, rate, note }: Order): Promise<Job> =>
  call<Job>("POST", "/jobs", {
    body: {
      action,
      filter: meant(filter),
      dry_run: dryRun,
      ...(rate !== undefined && { rate_per_second: rate }),
      ...(note && { note }),
    },
  });

/** A job as it goes on, asked for until it is over. */
export function useJob(id: string | undefined, running: boolean) {
  return useGet<Job>(
    `/jobs/${id}`,
    {},
    { enabled: id !== undefined, every: running ? 500 : false },
  );
}

/** The feed as React has it: rows, counts, and where they come from. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call, get } from "../../api/client";
import type { Page } from "../../api/types";
import {
  type Attempt,
  type FeedFilter,
  isPattern,
  type ListedDelivery,
  passes,
  rate,
  withMore,
} from "./attempts";
import { FeedConnection, type FeedState, type Ticket } from "./connection";

export interface Feed {
  state: FeedState;
  /** All that came, whatever the filter. */
  all: Attempt[];
  /** What is shown: what passes, as it was when it was paused. */
  rows: Attempt[];
  /** Attempts that came since it was paused. */
  waiting: number;
  perSecond: number;
  /** Attempts that were too many to be sent. */
  leftOut: number;
  isPaused: boolean;
  pause: () => void;
  resume: () => void;
  clear: () => void;
}

/** How often rates are counted anew. */
const TICK_MS = 1_000;

function listed(filter: FeedFilter): Promise<ListedDelivery[]> {
  const isType = isPattern(filter.eventType) && !filter.eventType.endsWith("*");
  const query = {
    limit: 50,
    endpoint_id: filter.endpointId,
    event_type: isType ? filter.eventType : "",
  };
  return get<Page<ListedDelivery>>("/deliveries", query).then((page) => page.data);
}

export function useFeed(filter: FeedFilter): Feed {
  const [state, setState] = useState<FeedState>({ mode: "connecting", why: "" });
  const [all, setAll] = useState<Attempt[]>([]);
  const [frozen, setFrozen] = useState<Attempt[] | null>(null);
  const [leftOut, setLeftOut] = useState(0);
  const [perSecond, setPerSecond] = useState(0);
  const arrivals = useRef<{ at: number; count: number }[]>([]);
  const connection = useRef<FeedConnection | null>(null);
  const latest = useRef(filter);
  latest.current = filter;

  useEffect(() => {
    const made = new FeedConnection(
      {
        ticket: () => call<Ticket>("POST", "/live/tickets"),
        deliveries: listed,
        onState: setState,
        onAttempts: (attempts, left) => {
          arrivals.current.push({ at: Date.now(), count: attempts.length + left });
          setAll((rows) => withMore(rows, attempts));
          if (left > 0) setLeftOut((sum) => sum + left);
        },
      },
      latest.current,
    );
    connection.current = made;
    made.start();
    const look = () => (document.hidden ? made.rest() : made.wake());
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      made.stop();
    };
  }, []);

  useEffect(() => connection.current?.setFilter(filter), [filter]);

  useEffect(() => {
    const timer = setInterval(() => {
      const now = Date.now();
      arrivals.current = arrivals.current.filter((arrival) => arrival.at > now - 60_000);
      setPerSecond(rate(arrivals.current, now));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);

  const source = frozen ?? all;
  const rows = useMemo(() => source.filter((row) => passes(filter, row)), [source, filter]);
  const waiting = useMemo(() => {
    if (frozen === null) return 0;
    const newest = frozen[0]?.at ?? "";
    return all.filter((row) => row.at > newest && passes(filter, row)).length;
  }, [all, frozen, filter]);
  const clear = useCallback(() => {
    setAll([]);
    setFrozen((rows) => (rows === null ? null : []));
    setLeftOut(0);
  }, []);

  return {
    state,
    all,
    rows,
    waiting,
    perSecond,
    leftOut,
    isPaused: frozen !== null,
    pause: () => setFrozen(all),
    resume: () => setFrozen(null),
    clear,
  };
}

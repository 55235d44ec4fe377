import dayjs from "dayjs";
import { useCallback, useMemo } from "react";
import { useSearchParams } from "wouter";

/** A time to look at: so many minutes up to now, or from one time to another. */
export type Range = { minutes: number } | { from: string; to: string };

export const PRESETS = [
  { name: "15m", label: "15 min", minutes: 15 },
  { name: "1h", label: "1 h", minutes: 60 },
  { name: "24h", label: "24 h", minutes: 24 * 60 },
  { name: "7d", label: "7 d", minutes: 7 * 24 * 60 },
  { name: "30d", label: "30 d", minutes: 30 * 24 * 60 },
] as const;

/** Where the range begins and ends now. Rounded down, so that the same minute asks the same. */
export function bounds(range: Range): { from: string; to: string } {
  if ("from" in range) return range;
  const to = dayjs().startOf("minute").add(1, "minute");
  return { from: to.subtract(range.minutes, "minute").toISOString(), to: to.toISOString() };
}

export function minutesOf(range: Range): number {
  return "minutes" in range ? range.minutes : dayjs(range.to).diff(range.from, "minute");
}

/** The range in the address (`?range=1h` or `?from=&to=`), so that a link shows the same. */
export function useRange(standard = "1h"): [Range, (range: Range) => void] {
  const [search, setSearch] = useSearchParams();
  const from = search.get("from");
  const to = search.get("to");
  const name = search.get("range") ?? standard;
  const range = useMemo<Range>(() => {
    if (from && to) return { from, to };
    const preset = PRESETS.find((one) => one.name === name) ?? PRESETS[1];
    return { minutes: preset.minutes };
  }, [from, to, name]);
  const setRange = useCallback(
    (next: Range) => {
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);
          for (const key of ["from", "to", "range"]) after.delete(key);
          if ("from" in next) {
            after.set("from", next.from);
            after.set("to", next.to);
          } else {
            const preset = PRESETS.find((one) => one.minutes === next.minutes);
            if (preset) after.set("range", preset.name);
          }
          return after;
        },
        { replace: true },
      );
    },
    [setSearch],
  );
  return [range, setRange];
}

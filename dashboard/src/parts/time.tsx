import { Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** "3 min. ago", "in 2 hr." */
export function ago(at: Date, now: number = Date.now()): string {
  const seconds = Math.round((at.getTime() - now) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size || unit === "second") {
      return relative.format(Math.trunc(seconds / size), unit);
    }
  }
  return "";
}

/** A time in the viewer's own zone. */
export function localTime(at: Date | string): string {
  return full.format(new Date(at));
}

/** "2026-11-25 03:04:05 UTC" */
export function utcTime(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function useNow(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

interface Props {
  at: string | null | undefined;
  /** Shows how long ago it is, and the time itself on hover. */
  relative?: boolean;
  /** Instead of a time that is not there. */
  none?: string;
}

/** A time as the viewer's clock has it; its UTC on hover or focus. */
export function Time({ at, relative: shown = false, none = "never" }: Props) {
  const now = useNow(30_000);
  if (!at) return <span>{none}</span>;
  const date = new Date(at);
  const told = shown ? `${localTime(date)} · ${utcTime(date)}` : utcTime(date);
  return (
    <Tooltip label={told} events={{ hover: true, focus: true, touch: true }}>
      <time dateTime={date.toISOString()} style={shown ? { whiteSpace: "nowrap" } : undefined}>
        {shown ? ago(date, now) : localTime(date)}
      </time>
    </Tooltip>
  );
}

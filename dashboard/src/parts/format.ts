const whole = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** 1,234; from a hundred thousand on, 123.5K. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** 99.95 % */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  // 99.996 % is not all of it.
  const shown = value < 100 && value > 99.99 ? 99.99 : value;
  return `${shown.toFixed(shown === 100 || shown === 0 ? 0 : shown >= 99 ? 2 : 1)} %`;
}

/** 87 ms, 1.2 s */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** 45 s, 5 min, 2 h 30 min, 1 d 4 h */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const units: [string, number][] = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [name, size] of units.slice(first, first + 2)) {
    const many = Math.floor(rest / size);
    rest -= many * size;
    if (many > 0) parts.push(`${many} ${name}`);
  }
  return parts.join(" ");
}

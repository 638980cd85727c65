/** Numbers for reading: separators of the reader's language, units to base 1024 for bytes. */

const LOCALE = undefined; // the browser's
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const short = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `1,234,567` */
export function count(value: number): string {
  return whole.format(value);
}

/** `1.2M`, where room is scarce; the exact one belongs beside it or in a tooltip. */
export function compact(value: number): string {
  return short.format(value);
}

/** `2.5 GiB` */
export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(rest) >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(rest) : fine.format(rest)} ${UNITS[unit]}`;
}

/** `12,345 rows/s`: `rate(12345, "rows")` */
export function rate(value: number, of: string): string {
  return `${value > 0 && value < 10 ? fine.format(value) : whole.format(value)} ${of}/s`;
}

/** `45%` of a share between 0 and 1. */
export function share(value: number): string {
  return percent.format(value);
}

/** `3 tables`, `1 table`: `plural(3, "table")` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h` */
export function duration(seconds: number): string {
  if (seconds < 10) return `${fine.format(Math.max(seconds, 0))} s`;
  const total = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), "d"],
    [Math.floor(total / 3600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(Math.max(first, 0), Math.max(first, 0) + 2)
    .filter(([value], index) => value > 0 || index === 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

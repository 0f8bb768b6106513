// Days, and where sightings lie in one. No document.

const HOUR = 3_600_000;

/** `2026-11-24` of a moment, as the reader's clock has it. */
export function dayOf(moment) {
  const two = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/** Begin and end of a day, `null` for what is none. A day may have 23 or 25 hours. */
export function boundsOf(day) {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? [];
  if (!year) return null;
  const begin = new Date(Number(year), month - 1, Number(date));
  if (dayOf(begin) !== day) return null;
  return { begin, end: new Date(Number(year), month - 1, Number(date) + 1) };
}

/** The day before or after. */
export function shifted(day, days) {
  const [year, month, date] = day.split("-").map(Number);
  return dayOf(new Date(year, month - 1, date + days));
}

/** The hours that a day's sightings are shown over: those with something in them and one to each side, at least four. */
export function windowOf(sightings, { begin, end }) {
  if (sightings.length === 0) return { begin, end };
  const first = Math.min(...sightings.map(({ began }) => Date.parse(began)));
  const last = Math.max(...sightings.map(({ ended }) => Date.parse(ended)));
  const floor = begin.getTime() + Math.floor((first - begin) / HOUR) * HOUR;
  const ceiling = begin.getTime() + Math.ceil((last - begin) / HOUR) * HOUR;
  let [from, to] = [Math.max(begin.getTime(), floor), Math.min(end.getTime(), ceiling)];
  while (to - from < 4 * HOUR && (from > begin.getTime() || to < end.getTime())) {
    if (to < end.getTime()) to = Math.min(end.getTime(), to + HOUR);
    if (to - from < 4 * HOUR) from = Math.max(begin.getTime(), from - HOUR);
  }
  return { begin: new Date(from), end: new Date(to) };
}

/** Where something lies in a window, in per cent; never too thin to be seen. */
export function place({ began, ended }, { begin, end }) {
  const all = end - begin;
  const from = Math.max(0, Date.parse(began) - begin);
  const to = Math.min(all, Date.parse(ended) - begin);
  const width = Math.min(100, Math.max(0.6, (100 * (to - from)) / all));
  return { left: Math.max(0, Math.min((100 * from) / all, 100 - width)), width };
}

/** Whole hours to write under a window: at most `most` of them. */
export function ticks({ begin, end }, most = 7) {
  const hours = (end - begin) / HOUR;
  const step = [1, 2, 3, 4, 6, 12].find((one) => hours / one <= most) ?? 24;
  const found = [];
  for (let at = begin.getTime(); at <= end.getTime(); at += HOUR) if (Math.round((at - begin) / HOUR) % step === 0) found.push(new Date(at));
  return found;
}

/** `09:05`. */
export { hourAndMinute as clock } from "../figures.js";

/** One row for each person, in the order they came, and strangers together in the last. */
export function rowsOf(sightings) {
  const rows = new Map();
  for (const sighting of [...sightings].sort((a, b) => Date.parse(a.began) - Date.parse(b.began))) {
    const key = sighting.person?.id ?? "";
    if (!rows.has(key)) rows.set(key, { person: sighting.person, sightings: [] });
    rows.get(key).sightings.push(sighting);
  }
  const strangers = rows.get("");
  rows.delete("");
  return [...rows.values(), ...(strangers ? [strangers] : [])];
}

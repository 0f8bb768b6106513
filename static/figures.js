// Numbers, lists and times as the page's language writes them. No DOM.

import { language, locale, t } from "./language.js";

const lists = new Intl.ListFormat(locale, { type: "conjunction" });
const writers = new Map(); // made once: chips are written anew at every drawing

function written(value, style, digits) {
  const key = `${style} ${digits}`;
  if (!writers.has(key)) writers.set(key, new Intl.NumberFormat(locale, { style, minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return writers.get(key).format(value);
}

/** A number with so many digits behind the point. */
export const number = (value, digits = 0) => written(value, "decimal", digits);

/** A share as `82 %`, on one line; nothing for nothing. */
export function percent(share, digits = 0) {
  if (!Number.isFinite(share)) return "";
  const said = written(share, "percent", digits);
  return language === "en" ? said.replace("%", "\u00a0%") : said;
}

/** `a, b and c`. */
export const listed = (items) => lists.format(items);

/** `a, b, c`: facts that are no sentence. Intl puts nothing at all between them in some languages. */
export function enumerated(facts) {
  const [begin = "", ...others] = facts.filter(Boolean);
  return others.reduce((first, second) => t("{first}, {second} ## between two facts, or many and one more", { first, second }), begin);
}

/** A moment by these options of Intl.DateTimeFormat. */
export const moment = (date, options) => new Intl.DateTimeFormat(locale, options).format(new Date(date));

/** `09:05`. */
export const hourAndMinute = (date) => moment(date, { hour: "2-digit", minute: "2-digit" });

/** How long, on one line: `8 s`, `3 min`, `1 h 5 min`. */
export function duration(seconds) {
  const kept = (words) => words.replace(/(\d) /g, "$1\u00a0"); // a number and its unit stay on one line
  if (seconds < 59.5) return kept(t("{seconds} s", { seconds: Math.max(1, Math.round(seconds)) }));
  const all = Math.round(seconds / 60);
  const [hours, minutes] = [Math.floor(all / 60), all % 60];
  if (hours === 0) return kept(t("{minutes} min", { minutes }));
  return kept(minutes ? t("{hours} h {minutes} min", { hours, minutes }) : t("{hours} h", { hours }));
}

/** `3 MB`, at least one. */
export const megabytes = (bytes, rounded = Math.round) => t("{size} MB", { size: Math.max(1, rounded(bytes / 2 ** 20)) }).replace(" ", "\u00a0");

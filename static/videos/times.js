// Times and places in a video, and what is said of them. No document.

import { duration, enumerated, percent } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { heard } from "../server_words.js";

/** `0:05`, `12:34`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Where an interval lies on a bar of `total` seconds, in per cent, never too thin to be seen. */
export function place([begin, end], total) {
  const all = Math.max(total, 0.001);
  const width = Math.min(100, Math.max(0.6, (100 * (end - begin)) / all));
  return { left: Math.min((100 * begin) / all, 100 - width), width };
}

/** The box of a track at `moment`, [x, y, width, height] of 0–1, or `null` where it is not seen. `points` are [time, x, y,
 * width, height] by time; two that are further apart than `longest` seconds have nothing in between. */
export function boxAt(points, moment, longest) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < moment) low = middle + 1;
    else high = middle;
  }
  if (low < points.length && points[low][0] === moment) return points[low].slice(1);
  if (low === 0 || low === points.length) return null;
  const [before, after] = [points[low - 1], points[low]];
  if (after[0] - before[0] > longest) return null;
  const share = (moment - before[0]) / (after[0] - before[0]);
  return before.slice(1).map((value, index) => (1 - share) * value + share * after[index + 1]);
}

/** Where a video stands, in words. */
export function standing({ state, words, done, total, left, seconds }, leftWords) {
  if (state === "waiting") return t("Waits for its turn");
  if (state === "failed") return heard(words);
  if (state === "done") return seconds === null ? t("Done") : t("{duration} long", { duration: duration(seconds) });
  if (!done) return t("Opening the video");
  const far = total ? t("{done} of {total} ## two times", { done: clock(done), total: clock(total) }) : t("{time} done", { time: clock(done) });
  return enumerated([far, left === null ? "" : leftWords(left)]);
}

/** What somebody in a video is called: a name, or a number where nobody knows one. */
export const labelOf = (one) => (one.person ? one.label : heard(one.label));

/** One line about somebody in a video. */
export function about(one) {
  const often = one.intervals.length > 1 && tn(one.intervals.length, "{count} time", "{count} times");
  const who = one.person ? t("{percent} sure", { percent: percent(one.probability) }) : one.perhaps && t("perhaps {name}", one.perhaps);
  return joined([duration(one.seconds), often, who]);
}

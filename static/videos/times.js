// Times and places in a video, and what is said of them. No document.

/** `0:05`, `12:34`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** How long, in words: `8 s`, `3 min`, `1 h 5 min`. */
export function span(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min` : `${minutes / 60}\u00a0h`;
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
  if (state === "waiting") return "Waits for its turn";
  if (state === "failed") return words;
  if (state === "done") return seconds === null ? "Done" : `${span(seconds)} long`;
  if (!done) return "Opening the video";
  const said = left === null ? "" : leftWords(left);
  return [total ? `${clock(done)} of ${clock(total)}` : `${clock(done)} done`, said].filter(Boolean).join(", ");
}

/** One line about somebody in a video. */
export function about(one, percent) {
  const parts = [span(one.seconds)];
  if (one.intervals.length > 1) parts.push(`${one.intervals.length} times`);
  if (one.person) parts.push(`${percent(one.probability)} sure`);
  else if (one.perhaps) parts.push(`perhaps ${one.perhaps.name}`);
  return parts.join(" · ");
}

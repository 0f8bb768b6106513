// How two histograms and a line become a picture. No document.

/** Where a value lies across a plot of this width. */
export const across = (value, { from, to }, width) => (width * (value - from)) / (to - from);

/** The part of the axis worth showing: every bin that holds something, and the line, with a little room. */
export function range({ genuine, impostor, threshold }) {
  const edges = [threshold];
  for (const { from, step, counts } of [genuine, impostor]) {
    const filled = counts.flatMap((number, at) => (number > 0 ? [at] : []));
    if (filled.length) edges.push(from + step * filled[0], from + step * (filled.at(-1) + 1));
  }
  const [low, high] = [Math.min(...edges), Math.max(...edges)];
  const room = Math.max((high - low) * 0.03, genuine.step);
  return { from: low - room, to: high + room };
}

/** Steps of a histogram as an SVG path that stands on the floor; its highest bin reaches the top. */
export function outline({ from, step, counts }, axis, width, height) {
  const most = Math.max(...counts, 0);
  if (most === 0) return "";
  const x = (at) => across(from + step * at, axis, width).toFixed(1);
  const y = (number) => (height * (1 - number / most)).toFixed(1);
  const first = counts.findIndex((number) => number > 0);
  const last = counts.findLastIndex((number) => number > 0);
  let path = `M${x(first)} ${height}`;
  for (let at = first; at <= last; at++) path += `V${y(counts[at])}H${x(at + 1)}`;
  return `${path}V${height}Z`;
}

/** Round values for the axis, four or so. */
export function ticks({ from, to }, wanted = 4) {
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const made = [];
  for (let at = Math.ceil(from / step); at * step <= to; at++) made.push(Number((at * step).toFixed(6)));
  return made;
}

/** How many of each lie on either side of a value, for whoever cannot see the picture. Bins count by their middle. */
export function sides({ from, step, counts }, value) {
  const sum = { below: 0, above: 0 };
  counts.forEach((number, at) => (sum[from + step * (at + 0.5) < value ? "below" : "above"] += number));
  return sum;
}

/** A table of at most `rows` rows: bins put together, [{from, to, genuine, impostor}]. Both histograms must share their bins. */
export function table(genuine, impostor, rows = 12) {
  const length = Math.max(genuine.counts.length, impostor.counts.length);
  const filled = [...Array(length).keys()].filter((at) => genuine.counts[at] || impostor.counts[at]);
  if (filled.length === 0) return [];
  const [first, last] = [filled[0], filled.at(-1)];
  const together = Math.ceil((last - first + 1) / rows);
  const made = [];
  for (let at = first; at <= last; at += together) {
    const end = Math.min(at + together, last + 1);
    const sum = ({ counts }) => counts.slice(at, end).reduce((all, number) => all + number, 0);
    made.push({ from: genuine.from + genuine.step * at, to: genuine.from + genuine.step * end, genuine: sum(genuine), impostor: sum(impostor) });
  }
  return made;
}

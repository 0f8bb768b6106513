// The picture of how alike pictures of one person and of two are, with the line between.

import { element } from "../dom.js";
import { across, outline, range, sides, table, ticks } from "./histogram.js";
import { count } from "./words.js";

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 180];

function shape(tag, attributes) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The plot with its legend and the same as a table. `data` is the answer of GET /threshold. */
export function plot(data) {
  const { genuine, impostor, now } = data;
  const axis = range({ genuine, impostor, threshold: now.threshold });
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", role: "img", "aria-label": spoken(data) });
  svg.append(
    shape("path", { d: outline(impostor, axis, WIDTH, HEIGHT), class: "impostor" }),
    shape("path", { d: outline(genuine, axis, WIDTH, HEIGHT), class: "genuine" }),
    shape("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT, class: "floor" }),
  );
  // Words in the drawing would be squeezed with it: the axis is text beneath.
  const marks = element("div", { className: "ticks", ariaHidden: "true" });
  for (const value of ticks(axis)) {
    const mark = element("span", { textContent: String(value) });
    mark.style.left = `${across(value, axis, 100)}%`;
    marks.append(mark);
  }
  const x = across(now.threshold, axis, WIDTH);
  svg.append(shape("line", { x1: x, x2: x, y1: 0, y2: HEIGHT, class: "bar-line" }));
  const legend = element(
    "ul",
    { className: "legend" },
    element("li", { className: "is-impostor", textContent: "Different people" }),
    element("li", { className: "is-genuine", textContent: "The same person" }),
    element("li", { className: "is-line", textContent: `Named from here on (${now.threshold.toFixed(3)})` }),
  );
  return element("figure", { className: "card" }, svg, marks, element("figcaption", {}, legend, figures(genuine, impostor)));
}

function spoken({ genuine, impostor, now }) {
  const [same, other] = [sides(genuine, now.threshold), sides(impostor, now.threshold)];
  return (
    `How alike pictures are, with the line at ${now.threshold.toFixed(3)}. Of pictures of the same person, ${same.above} lie above it and ${same.below} below. ` +
    `Of pictures of different people, ${other.above} lie above it and ${other.below} below.`
  );
}

function figures(genuine, impostor) {
  const cells = (tag, ...texts) => element("tr", {}, ...texts.map((textContent, at) => element(at ? tag : "th", { textContent, scope: at && tag === "td" ? "" : at ? "col" : tag === "td" ? "row" : "col" })));
  const rows = table(genuine, impostor).map((row) => cells("td", `${row.from.toFixed(2)} – ${row.to.toFixed(2)}`, String(row.genuine), String(row.impostor)));
  const made = element("table", {}, element("thead", {}, cells("th", "How alike", "Same person", "Different people")), element("tbody", {}, ...rows));
  return element("details", { className: "visits" }, element("summary", { textContent: `The figures (${count(rows.length, "row")})` }), made);
}

// The picture of how alike pictures of one person and of two are, with the line between.

import { element } from "../dom.js";
import { number } from "../figures.js";
import { t, tn } from "../language.js";
import { across, outline, range, sides, table, ticks } from "./histogram.js";

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
  const digits = Math.max(...ticks(axis).map((value) => String(value).split(".")[1]?.length ?? 0));
  for (const value of ticks(axis)) {
    const mark = element("span", { textContent: number(value, digits) });
    mark.style.left = `${across(value, axis, 100)}%`;
    marks.append(mark);
  }
  const x = across(now.threshold, axis, WIDTH);
  svg.append(shape("line", { x1: x, x2: x, y1: 0, y2: HEIGHT, class: "bar-line" }));
  const legend = element(
    "ul",
    { className: "legend" },
    element("li", { className: "is-impostor", textContent: t("Different people") }),
    element("li", { className: "is-genuine", textContent: t("The same person") }),
    element("li", { className: "is-line", textContent: t("Named from here on ({number})", { number: number(now.threshold, 3) }) }),
  );
  return element("figure", { className: "card" }, svg, marks, element("figcaption", {}, legend, figures(genuine, impostor)));
}

function spoken({ genuine, impostor, now }) {
  const [same, other] = [sides(genuine, now.threshold), sides(impostor, now.threshold)];
  const values = { line: number(now.threshold, 3), sameAbove: same.above, sameBelow: same.below, otherAbove: other.above, otherBelow: other.below };
  return t("How alike pictures are, with the line at {line}. Of pictures of the same person, {sameAbove} lie above it and {sameBelow} below. Of pictures of different people, {otherAbove} lie above it and {otherBelow} below.", values);
}

function figures(genuine, impostor) {
  const cells = (tag, ...texts) => element("tr", {}, ...texts.map((textContent, at) => element(at ? tag : "th", { textContent, scope: at && tag === "td" ? "" : at ? "col" : tag === "td" ? "row" : "col" })));
  const rows = table(genuine, impostor).map((row) => cells("td", t("{low} – {high} ## an interval", { low: number(row.from, 2), high: number(row.to, 2) }), number(row.genuine), number(row.impostor)));
  const made = element("table", {}, element("thead", {}, cells("th", t("How alike"), t("Same person"), t("Different people"))), element("tbody", {}, ...rows));
  return element("details", { className: "visits" }, element("summary", { textContent: tn(rows.length, "The figures ({count} row)", "The figures ({count} rows)") }), made);
}

// The tiles: sessions, answers, processors, memory, disk, and what is worked off beside them.

import { size } from "../data/words.js";
import { element } from "../dom.js";
import { number, percent } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { curve } from "./history.js";
import { job, milliseconds, standing } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 240, height: 44 };

/** Their node, and what shows a status in them. */
export function figures(history) {
  const tiles = [cameras(), answers(history), processors(history), memory(), disk(), jobs()];
  const node = element("section", { className: "tiles", ariaLabel: t("Figures") }, ...tiles.map((tile) => tile.node));
  return { node, show: (status) => tiles.forEach((tile) => tile.show(status)) };
}

function cameras() {
  const made = tile(t("Cameras"));
  const filled = bar();
  made.node.append(filled.node, made.more);
  return {
    node: made.node,
    show({ sessions, viewers }) {
      made.value.replaceChildren(number(sessions.now), unit(t("of {count}", { count: sessions.most })));
      filled.show([sessions.now / sessions.most]);
      made.more.textContent = joined([
        sessions.waiting && t("{count} waiting to come back", { count: sessions.waiting }),
        sessions.refused && t("{count} turned away", { count: sessions.refused }),
        t("{count} watching", { count: viewers.now }),
      ]);
    },
  };
}

function answers(history) {
  const made = tile(t("Answers"));
  const graph = lines(t("Milliseconds to an answer in the last two minutes: half of them, and one in twenty"), ["slow", "usual"]);
  made.node.append(graph.node, made.more);
  return {
    node: made.node,
    show({ answers: { rate, p50_ms: half, p95_ms: most } }) {
      made.value.replaceChildren(...(half === null ? ["–"] : [milliseconds(half), unit(t("ms"))]));
      made.more.textContent = half === null ? t("none in the last minute") : joined([t("one in twenty takes {value} ms or more", { value: milliseconds(most) }), t("{rate} a second", { rate: number(rate, rate < 10 ? 1 : 0) })]);
      const slow = history.of((status) => status.answers.p95_ms);
      const top = Math.max(40, ...slow.filter((value) => value !== null)) * 1.1;
      graph.show([slow, history.of((status) => status.answers.p50_ms)], top);
    },
  };
}

function processors(history) {
  const made = tile(t("Processors"));
  const graph = lines(t("Share of the processors in the last two minutes: with everything, and with this server"), ["others", "usual"]);
  made.node.append(graph.node, made.more);
  return {
    node: made.node,
    show({ processors: { count, busy, ours } }) {
      made.value.replaceChildren(percent(busy));
      made.more.textContent = tn(count, "busy, {share} with this server; there is {count}", "busy, {share} with this server; there are {count}", { share: percent(ours) });
      graph.show([history.of((status) => status.processors.busy), history.of((status) => status.processors.ours)], 1.05);
    },
  };
}

function memory() {
  const made = tile(t("Memory"));
  const filled = bar();
  made.node.append(filled.node, made.more);
  return {
    node: made.node,
    show({ memory: { ours, free, total } }) {
      made.value.replaceChildren(size(ours));
      filled.show([ours / total, Math.max(0, 1 - free / total - ours / total)]);
      made.more.textContent = t("for this server; {free} of {total} can be had", { free: size(free), total: size(total) });
    },
  };
}

function disk() {
  const made = tile(t("Disk"));
  const filled = bar();
  made.node.append(filled.node, made.more);
  return {
    node: made.node,
    show({ disk: { free, total } }) {
      made.value.replaceChildren(size(free));
      filled.show([0, 1 - free / total]);
      made.more.textContent = t("free of {total}, where the data folder is", { total: size(total) });
    },
  };
}

function jobs() {
  const made = tile(t("Beside the cameras"));
  const list = element("dl");
  made.value.remove();
  made.node.append(list);
  return {
    node: made.node,
    show({ jobs: all, webhooks }) {
      const rows = all.map((one) => [job(one.kind), standing(one)]);
      rows.push([t("Webhooks"), webhooks.waiting === null ? t("not known") : standing({ running: 0, waiting: webhooks.waiting })]);
      list.replaceChildren(...rows.flatMap(([term, words]) => [element("dt", { textContent: term }), element("dd", { textContent: words })]));
    },
  };
}

function tile(name) {
  const value = element("p", { className: "figure" });
  const more = element("p", { className: "soft" });
  return { node: element("div", { className: "card tile" }, element("h3", { textContent: name }), value), value, more };
}

const unit = (words) => element("small", { textContent: words });

/** A bar that is filled by shares, one after the other. */
function bar() {
  const node = element("div", { className: "bar-of", ariaHidden: "true" }, element("span"), element("span"));
  return {
    node,
    show(shares) {
      [...node.children].forEach((part, index) => part.style.setProperty("inline-size", `${Math.min(100, 100 * (shares[index] ?? 0))}%`));
      node.classList.toggle("full", shares.reduce((sum, share) => sum + share, 0) > 0.9);
    },
  };
}

/** Curves over each other, drawn from the first to the last; `names` are their classes. */
function lines(label, names) {
  const node = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${BOX.width} ${BOX.height}`, preserveAspectRatio: "none", role: "img", "aria-label": label, class: "curve" })) node.setAttribute(name, value);
  return {
    node,
    show(all, top) {
      node.replaceChildren(...all.flatMap((values, index) => curve(values, { ...BOX, top }).map((points) => drawn(points, names[index]))));
    },
  };
}

function drawn(points, name) {
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points);
  line.setAttribute("class", name);
  return line;
}

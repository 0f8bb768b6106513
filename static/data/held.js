// The table of what is held: how much, since when, for how long, and where to erase it.

import { element } from "../dom.js";
import { moment, number } from "../figures.js";
import { joined, t } from "../language.js";
import { GROUPS, kept, size } from "./words.js";

/** The table of these kinds. */
export function heldTable(kinds) {
  const by = new Map(kinds.map((kind) => [kind.id, kind]));
  const heads = [t("What"), t("Held today"), t("Since ## when the oldest is from"), t("Kept")].map((words) => element("th", { scope: "col", textContent: words }));
  const parts = GROUPS.map(([name, group]) => body(name, Object.entries(group).filter(([id]) => by.has(id)), by));
  const named = new Set(GROUPS.flatMap(([, group]) => Object.keys(group)));
  const others = kinds.filter(({ id }) => !named.has(id)).map(({ id }) => [id, [id, ""]]);
  const rest = others.length ? [body(t("Further"), others, by)] : [];
  return element("table", { className: "held" }, element("caption", { className: "visually-hidden", textContent: t("What is held") }), element("thead", {}, element("tr", {}, ...heads)), ...parts, ...rest);
}

function body(name, entries, by) {
  const head = element("tr", { className: "group" }, element("th", { scope: "rowgroup", colSpan: 4, textContent: name }));
  return element("tbody", {}, head, ...entries.map(([id, [title, words]]) => row(by.get(id), title, words)));
}

function row(kind, title, words) {
  const link = kind.page ? element("a", { href: kind.page, textContent: title }) : element("span", { textContent: title });
  const what = element("th", { scope: "row" }, element("span", { className: "name" }, link), element("small", { textContent: words }));
  const setting = kind.setting ?? kind.switch;
  const off = kind.on ? [] : [element("small", { className: "off", textContent: t("switched off: nothing new is kept") })];
  const said = setting ? [element("small", {}, t("Setting"), " ", ...[kind.setting, kind.switch].filter(Boolean).flatMap((name, at) => [...(at ? [", "] : []), element("code", { textContent: name })]))] : [];
  const how = cell(t("Kept"), kept(kind));
  how.append(...off, ...said);
  return element("tr", { className: kind.count ? "" : "none" }, what, cell(t("Held today"), held(kind)), cell(t("Since ## when the oldest is from"), kind.oldest ? moment(kind.oldest, { day: "numeric", month: "short", year: "numeric" }) : "–"), how);
}

const held = ({ count, bytes }) => (count === null ? "–" : joined([count ? number(count) : t("nothing"), size(count ? bytes : 0)]));

function cell(label, words) {
  const made = element("td", {}, element("span", { textContent: words }));
  made.dataset.label = label.split(" ## ")[0];
  return made;
}

// Where the time of a frame goes, as bars.

import { element } from "../dom.js";
import { t } from "../language.js";
import { milliseconds, STAGES } from "./words.js";

const LEAST = 0.05; // ms: less is nothing that was done

/** Their node, and what shows a status in them. */
export function stages() {
  const list = element("ul", { className: "stages" });
  const title = element("h2", { textContent: t("Where the time goes") });
  const hint = element("p", { className: "soft", textContent: t("Mean of the last minute for a frame where it took place. An answer does not wait for looking and recognising while faces are followed.") });
  const none = element("p", { className: "soft", textContent: t("Nothing was answered in the last minute.") });
  const node = element("section", { className: "stack" }, title, element("div", { className: "card" }, none, hint, list));
  const rows = new Map(Object.entries(STAGES).map(([stage, [name, words]]) => [stage, row(name, words)]));
  list.append(...[...rows.values()].map((one) => one.node));

  function show({ answers }) {
    const took = new Map(answers.stages.map(({ stage, ms }) => [stage, ms]));
    const most = Math.max(1, ...[...rows.keys()].map((stage) => took.get(stage) ?? 0));
    const any = took.size > 0;
    none.hidden = any;
    hint.hidden = list.hidden = !any;
    for (const [stage, one] of rows) one.show(took.get(stage) >= LEAST ? took.get(stage) : null, most);
  }
  return { node, show };
}

function row(name, words) {
  const filled = element("span", { className: "filled" });
  const value = element("span", { className: "ms" });
  const node = element("li", {}, element("span", {}, element("b", { textContent: name }), " ", element("small", { textContent: words })), element("span", { className: "track", ariaHidden: "true" }, filled), value);
  return {
    node,
    show(ms, most) {
      node.hidden = ms === null;
      filled.style.setProperty("inline-size", `${(100 * (ms ?? 0)) / most}%`);
      value.textContent = ms === null ? "" : t("{value} ms", { value: milliseconds(ms) });
    },
  };
}

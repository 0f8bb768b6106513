// The card on top: whether all is well, and what is not.

import { element } from "../dom.js";
import { STATES, now, remark } from "./words.js";

/** Its node, and what shows a status in it. */
export function verdict() {
  const title = element("h2");
  const line = element("p", { className: "soft" });
  const list = element("ul", { className: "remarks" });
  const mark = element("span", { className: "light", ariaHidden: "true" });
  const said = element("div", { role: "status" }, title);
  const node = element("section", { className: "card verdict" }, mark, element("div", {}, said, line, list));
  let shown = "";

  function show(status) {
    node.dataset.state = status.state;
    line.textContent = now(status);
    if (title.textContent !== STATES[status.state]) title.textContent = STATES[status.state]; // said aloud once
    const remarks = status.remarks.map(remark);
    if (shown === remarks.join("\n")) return;
    shown = remarks.join("\n");
    list.replaceChildren(...remarks.map((words) => element("li", { textContent: words })));
  }
  return { node, show };
}

// What was changed of late, each with its way back.

import { element } from "../dom.js";
import { joined, t } from "../language.js";
import { heard } from "../server_words.js";
import { get } from "./api.js";
import { button, paragraph } from "./parts.js";
import { until, when } from "./words.js";

let open = false; // stays as it was when the list is drawn anew

/** The list, folded until somebody wants it. */
export async function recentChanges(page) {
  const { changes } = await get("/changes");
  const list = element("ul", { className: "changes" }, ...changes.map((change) => row(change, page)));
  const title = element("summary", { textContent: t("Recent changes ({number})", { number: changes.length }) });
  const text = changes.length
    ? t("Each can be taken back for a while. Forgetting somebody cannot.")
    : t("Nothing was changed lately. What you change stands here for a while, with the way back.");
  const made = element("details", { className: "folded", open }, title, paragraph(text, "soft"), list);
  made.addEventListener("toggle", () => (open = made.open));
  return made;
}

/** The change a request has just made, where its answer does not hold it: the newest, if it is of one of these kinds. */
export async function newest(...kinds) {
  const { changes } = await get("/changes").catch(() => ({ changes: [] }));
  return kinds.includes(changes[0]?.kind) && !changes[0].undone ? [changes[0]] : [];
}

function row(change, page) {
  const line = element("small", { textContent: joined([when(change.at), change.undone ? t("undone") : t("until {time}", { time: until(change.until) })]) });
  const words = element("span", { className: change.undone ? "gone" : "" }, heard(change.words), line);
  if (change.undone) return element("li", {}, words);
  const undo = button(t("Undo"), () => page.undo([change]));
  undo.ariaLabel = t("Undo: {change}", { change: heard(change.words) });
  return element("li", {}, words, undo);
}

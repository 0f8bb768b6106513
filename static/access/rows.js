// Rows of this page: a name with its facts, and what can be done about it.

import { element } from "../dom.js";
import { toast } from "../toast.js";

/** One row; `chip` is a short word beside the name. */
export function row({ name, facts, chip = "" }, ...buttons) {
  const head = element("b", { className: "name", textContent: name });
  const words = element("span", {}, head, ...(chip ? [" ", element("span", { className: "chip", textContent: chip })] : []), element("small", { textContent: facts }));
  return element("li", {}, words, ...(buttons.length ? [element("span", { className: "row" }, ...buttons)] : []));
}

/** A button of a row: `spoken` says what of, `key` finds it again once the rows are written anew. What goes wrong is said at the edge of the page. */
export function rowButton(words, spoken, key, run, kind = "secondary") {
  const made = element("button", { type: "button", className: kind, textContent: words, ariaLabel: spoken });
  made.dataset.key = key;
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await run();
    } catch (error) {
      toast(error.message);
    }
    made.disabled = false;
  });
  return made;
}

/** Fill `root` anew, and let the focus be where it was, or at what stands first there. */
export function refill(root, ...parts) {
  const held = root.contains(document.activeElement) ? document.activeElement : null;
  root.replaceChildren(...parts);
  if (!held || held.isConnected) return;
  (root.querySelector(`[data-key="${CSS.escape(held.dataset.key ?? "")}"]`) ?? root.querySelector("button, a"))?.focus();
}

/** A list of rows. */
export const rows = (items) => element("ul", { className: "changes" }, ...items);

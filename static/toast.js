// Short words at the edge of the page that go by themselves, with one thing that can still be done.

import { $, element } from "./dom.js";
import { t } from "./language.js";
import { post, Refusal } from "./people/api.js";

const SECONDS = 12; // WCAG 2.2.1 is met by the list of recent changes, where the way back stays

/** Show `text`; `action` is {label, run}, where `run` may return (a promise of) words to show next. Stays while it is pointed at or has the focus. */
export function toast(text, action = null) {
  const card = element("div", { className: "toast" }, element("span", { textContent: text }));
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    card.remove();
  };
  const hold = () => clearTimeout(timer);
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(close, SECONDS * 1000);
  };
  if (action) {
    const button = element("button", { type: "button", textContent: action.label });
    button.addEventListener("click", async () => {
      hold();
      button.disabled = true;
      const words = await action.run();
      close();
      if (words) toast(words);
    });
    card.append(button);
  }
  const away = element("button", { type: "button", className: "close", textContent: "×", ariaLabel: t("Close this message") });
  away.addEventListener("click", close);
  card.append(away);
  for (const event of ["pointerenter", "focusin"]) card.addEventListener(event, hold);
  for (const event of ["pointerleave", "focusout"]) card.addEventListener(event, wait);
  $("toasts").replaceChildren(card); // one at a time: the newest counts
  wait();
}

/** The action that takes a change back (docs/protocol.md); `done` is said when it is. */
export function undo(change, done = t("Taken back.")) {
  return {
    label: t("Undo"),
    run: async () => {
      try {
        await post(`/changes/${encodeURIComponent(change)}/undo`);
        return done;
      } catch (error) {
        if (error instanceof Refusal) return error.message;
        throw error;
      }
    },
  };
}

// Small helpers for the document; text only ever goes in as text.

import { t } from "./language.js";

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A new element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Fill a description list with [term, description] pairs; unknown ones are left out. */
export function describe(list, pairs) {
  list.replaceChildren(
    ...pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([term, value]) => [element("dt", { textContent: term }), element("dd", { textContent: value })]),
  );
}

/** Ask before something is done; resolves to whether it was confirmed. `yes` and `no` are what the buttons say; `danger`: it cannot be undone. */
export function ask({ title, text, yes, no, danger = false }) {
  for (const [id, words] of Object.entries({ "ask-title": title, "ask-text": text, "ask-yes": yes, "ask-no": no })) $(id).textContent = words;
  $("ask-yes").classList.toggle("danger", danger);
  const dialog = $("ask");
  dialog.showModal();
  return new Promise((resolve) => {
    const done = (answer) => () => {
      resolve(answer);
      dialog.close();
    };
    $("ask-yes").onclick = done(true);
    $("ask-no").onclick = done(false);
    dialog.onclose = () => resolve(false);
  });
}

/** Ask before a person is forgotten. */
export function confirmForget(name) {
  const text = t("Everything kept of this person is erased from this server. That cannot be undone.");
  return ask({ title: t("Forget {name}?", { name }), text, yes: t("Forget"), no: t("Keep"), danger: true });
}

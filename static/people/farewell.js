// Forgetting somebody for good: asked once more, done, and what may remain said by the receipt.

import { showReceipt } from "../data/receipt.js";
import { element } from "../dom.js";
import { t } from "../language.js";
import { remove } from "./api.js";
import { sheet } from "./dialogs.js";
import { button, paragraph } from "./parts.js";

/** Ask; resolves to `null`, or whether the films they are in are to go as well. */
async function sure(person) {
  const { body, close, closed } = sheet(t("Forget {name}?", person));
  const films = element("input", { type: "checkbox" });
  const keep = button(t("Keep"), () => close(null));
  const words = t("Everything kept of this person is erased from this server: name, pictures and the numbers computed from the face, sightings, and what was found of them among strangers and in videos. That cannot be undone.");
  body.append(
    paragraph(words),
    element("label", { className: "option" }, films, element("span", { textContent: t("Erase videos they are in as well, with everybody in them") })),
    element("div", { className: "row end" }, keep, button(t("Forget"), () => close({ films: films.checked }), "primary danger")),
  );
  keep.focus();
  return closed;
}

/** Ask, and do it; resolves to the toast's action, or `null` where it was left. */
export async function forgetForGood(person) {
  const agreed = await sure(person);
  if (!agreed) return null;
  const answer = await remove(`/people/${person.id}${agreed.films ? "?films=1" : ""}`);
  return { label: t("Receipt"), run: () => void showReceipt(answer.receipt) };
}

// A field for a password that can be shown while it is typed.

import { element } from "../dom.js";
import { t } from "../language.js";

let number = 0;

/** Put a button beside `input` that shows what is in it. */
export function showable(input) {
  const button = element("button", { type: "button", className: "secondary", textContent: t("Show ## what is typed in a password's field") });
  button.setAttribute("aria-pressed", "false");
  button.ariaLabel = t("Show the password");
  button.addEventListener("click", () => {
    const hides = input.type === "text";
    input.type = hides ? "password" : "text";
    button.setAttribute("aria-pressed", String(!hides));
    input.focus();
  });
  const row = element("div", { className: "secret" });
  input.replaceWith(row);
  row.append(input, button);
  input.form?.addEventListener("submit", () => {
    input.type = "password"; // or a password manager would not know it
    button.setAttribute("aria-pressed", "false");
  });
  return row;
}

/** The same, new, with its label and a hint below. */
export function secretField(label, { autocomplete, hint = "", name = "password" }) {
  const input = element("input", { type: "password", name, autocomplete, maxLength: 256, autocapitalize: "none", spellcheck: false });
  const id = `secret-${++number}`;
  input.id = id;
  const words = element("label", { htmlFor: id, textContent: label });
  const small = element("small", { id: `${id}-hint`, textContent: hint });
  const box = element("div", { className: "field" }, words, input, ...(hint ? [small] : []));
  if (hint) input.setAttribute("aria-describedby", small.id);
  showable(input);
  return { box, input };
}

/** What a new password has to be, as the server judges it as well. */
export const ADVICE = t("12 to 256 characters: a sentence of a few words is easy to keep and hard to guess.");
export const SHORTEST = 12;

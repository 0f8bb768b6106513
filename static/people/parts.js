// Small parts that every tab is made of.

import { element } from "../dom.js";
import { t } from "../language.js";
import { initials } from "./words.js";

/** A button; `kind` is its class. */
export function button(words, action, kind = "secondary") {
  const made = element("button", { type: "button", className: kind, textContent: words });
  if (action) made.addEventListener("click", action);
  return made;
}

/** A round picture of a person: the kept crop, or initials. */
export function avatar({ name, crop }) {
  const round = element("span", { className: "avatar", ariaHidden: "true" }, initials(name));
  if (!crop) return round;
  const image = element("img", { src: crop, alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.remove());
  round.append(image);
  return round;
}

/** The address of a picture's kept crop. */
export const cropOf = (sample) => `/api/v1/samples/${encodeURIComponent(sample)}/crop`;

/** A labelled field. */
export function field(label, input, hint = "") {
  const small = hint ? [element("small", { textContent: hint })] : [];
  return element("label", { className: "field" }, element("span", { textContent: label }), input, ...small);
}

/** A list of suggestions for an input. */
export function suggestions(input, id, names) {
  const list = element("datalist", { id }, ...names.map((name) => element("option", { value: name })));
  input.setAttribute("list", id);
  return list;
}

/** A paragraph. */
export const paragraph = (words, className = "") => element("p", { className, textContent: words });

/** What stands where something could not be read: why, and another try. */
export function failure(error, again) {
  const box = element("div", { className: "card notice", role: "alert" }, paragraph(error.message));
  if (again) box.append(button(t("Try again"), again));
  return box;
}

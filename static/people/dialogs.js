// Questions: a sheet with a title, something to read or fill in, and buttons.

import { Unsaid } from "../consent.js";
import { element } from "../dom.js";
import { t } from "../language.js";
import { button, field, paragraph, suggestions } from "./parts.js";

let number = 0;

/** A modal sheet. Fill `body`; `close(value)` ends it; `closed` resolves to that value, or `null` when it was left. */
export function sheet(title, className = "") {
  const id = `sheet-${++number}`;
  const heading = element("h2", { id, textContent: title });
  const body = element("div", { className: "sheet-body" });
  const dialog = element("dialog", { className }, heading, body);
  dialog.setAttribute("aria-labelledby", id);
  document.body.append(dialog);
  let result = null;
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const close = (value = null) => {
    result = value;
    dialog.close();
  };
  dialog.showModal();
  return { body, close, closed, heading };
}

/** Ask yes or no. */
export async function ask(title, text, yes, { no = t("Cancel"), danger = false } = {}) {
  const { body, close, closed } = sheet(title);
  const agree = button(yes, () => close(true), danger ? "primary danger" : "primary");
  const refuse = button(no, () => close(false));
  body.append(paragraph(text), element("div", { className: "row end" }, refuse, agree));
  refuse.focus();
  return (await closed) === true;
}

/** Ask for a line of text. `submit(text)` does the work; what it throws is said in the sheet, which stays open. `consent`: a
 * part that asks why they may be recognised, and its answer the second argument. */
export async function askText({ title, label, value = "", hint = "", words = t("Save"), names = [], optional = false, consent = null, submit }) {
  const { body, close, closed } = sheet(title);
  const input = element("input", { value, maxLength: 80, autocomplete: "off", spellcheck: false });
  const said = element("p", { className: "refused", role: "alert" });
  const save = button(words, null, "primary");
  save.type = "submit";
  const form = element(
    "form",
    { className: "sheet-body" },
    field(label, input, hint),
    suggestions(input, `names-${number}`, names),
    consent?.drawn ?? "",
    said,
    element("div", { className: "row end" }, button(t("Cancel"), () => close()), save),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text && !optional) {
      said.textContent = t("Type a name first.");
      input.focus();
      return;
    }
    save.disabled = true;
    said.textContent = "";
    try {
      close({ text, answer: await submit(text, consent?.read() ?? null) });
    } catch (error) {
      said.textContent = error.message;
      save.disabled = false;
      if (!(error instanceof Unsaid)) input.focus();
    }
  });
  body.append(form);
  input.select();
  return closed;
}

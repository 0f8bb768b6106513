// Choosing somebody out of all people.

import { element } from "../dom.js";
import { t, tn } from "../language.js";
import { sheet } from "./dialogs.js";
import { button, field, paragraph } from "./parts.js";
import { about, matching } from "./words.js";

const MOST = 30;

/** Ask for one of `people`; resolves to that person, or `null`. */
export async function pickPerson(title, people, words) {
  const { body, close, closed } = sheet(title);
  if (people.length === 0) {
    body.append(paragraph(t("There is nobody else yet.")), element("div", { className: "row end" }, button(t("Close"), () => close(), "primary")));
    return closed;
  }
  let chosen = null;
  const search = element("input", { type: "search", autocomplete: "off" });
  const list = element("fieldset", { className: "options" });
  const agree = button(words, () => close(chosen), "primary");
  agree.disabled = true;
  const option = (person) => {
    const radio = element("input", { type: "radio", name: "pick", checked: chosen?.id === person.id });
    radio.addEventListener("change", () => {
      chosen = person;
      agree.disabled = false;
    });
    return element("label", { className: "option" }, radio, element("span", { className: "name" }, person.name, element("small", { textContent: about(person) })));
  };
  const draw = () => {
    const found = matching(people, search.value);
    const rest = found.length - MOST;
    list.replaceChildren(
      element("legend", { className: "visually-hidden", textContent: t("People") }),
      ...found.slice(0, MOST).map(option),
      ...(found.length === 0 ? [paragraph(t("Nobody of that name."), "soft")] : []),
      ...(rest > 0 ? [paragraph(tn(rest, "{count} more: type a part of the name.", "{count} more: type a part of the name."), "soft")] : []),
    );
  };
  search.addEventListener("input", draw);
  draw();
  body.append(field(t("Find"), search), list, element("div", { className: "row end" }, button(t("Cancel"), () => close()), agree));
  search.focus();
  return closed;
}

// The choice of a language. A page says `<div data-languages></div>` where it belongs.

import { choose, language, LANGUAGES, t } from "./language.js";

for (const place of document.querySelectorAll("[data-languages]")) {
  const select = document.createElement("select");
  for (const [value, textContent] of Object.entries(LANGUAGES)) {
    select.append(Object.assign(document.createElement("option"), { value, textContent, lang: value, dir: "auto", translate: false, selected: value === language }));
  }
  select.addEventListener("change", () => choose(select.value));
  const label = document.createElement("label");
  label.className = "field";
  label.append(t("Language"), select);
  place.append(label);
}

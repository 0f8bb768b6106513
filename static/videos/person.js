// Somebody in a video: when, the best looks, and a name for who has none.

import { ConsentPart } from "../consent.js";
import { element } from "../dom.js";
import { t } from "../language.js";
import { avatar, button, field } from "../people/parts.js";
import { about, clock, labelOf, place } from "./times.js";

/** A card. `seek(seconds)` goes there; `name(text, consent)` gives a name, and throws what stands in the way; `people` are
 * those enrolled. */
export function personCard(video, result, one, { seek, name, names, people }) {
  const picture = (file) => `/api/v1/videos/${video.id}/pictures/${file}`;
  const face = avatar({ name: one.person ? one.label : "?", crop: one.best && picture(one.best.picture) });
  const head = element("div", { className: "person-line" }, face, element("div", {}, element("h3", { className: "name", textContent: labelOf(one) }), element("small", { textContent: about(one) })));
  const card = element("li", { className: "card someone" }, head, lane(one, result.seconds, seek), times(one, seek), sheet(one, picture, seek));
  card.dataset.number = one.number;
  if (!one.person) card.append(naming(one, name, names, people));
  return card;
}

/** The bar: a click goes to that moment. The list below it does the same for keyboards. */
function lane(one, total, seek) {
  const bar = element("div", { className: "lane", ariaHidden: "true" });
  for (const interval of one.intervals) {
    const { left, width } = place(interval, total);
    const part = element("i");
    [part.style.left, part.style.width] = [`${left}%`, `${width}%`];
    bar.append(part);
  }
  bar.append(element("b", { className: "now" }));
  bar.addEventListener("click", (event) => {
    const { left, width } = bar.getBoundingClientRect();
    seek((total * (event.clientX - left)) / width);
  });
  return bar;
}

function times(one, seek) {
  const item = ([begin, end]) => element("li", {}, button(t("{low} – {high} ## an interval", { low: clock(begin), high: clock(end) }), () => seek(begin)));
  const list = element("ul", { className: "times" });
  const folded = element("details", { className: "visits" }, element("summary", { textContent: t("When") }), list);
  // A long video may have many: they are made when they are looked at.
  folded.addEventListener("toggle", () => folded.open && list.childElementCount === 0 && list.append(...one.intervals.map(item)));
  return folded;
}

function sheet(one, picture, seek) {
  const list = element("ul", { className: "sheet" });
  list.setAttribute("aria-label", t("Best pictures of {name}", { name: labelOf(one) }));
  const add = (file, time, words, shape) => {
    const image = element("img", { src: picture(file), alt: "", loading: "lazy", decoding: "async", className: shape });
    const go = element("button", { type: "button", className: "look", ariaLabel: t("{picture}: go to {time}", { picture: words, time: clock(time) }) }, image, element("small", { textContent: clock(time) }));
    go.addEventListener("click", () => seek(time));
    list.append(element("li", {}, go));
  };
  if (one.best?.frame) add(one.best.frame, one.best.time, t("Best frame"), "whole");
  for (const look of one.sheet) add(look.picture, look.time, t("Picture"), "");
  return list;
}

function naming(one, name, names, people) {
  const input = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false, value: one.perhaps?.name ?? "" });
  input.setAttribute("list", names);
  const said = element("p", { className: "refused", role: "alert" });
  const save = button(t("Save"), null, "primary");
  save.type = "submit";
  const consent = new ConsentPart({ quiet: true });
  consent.know(people);
  consent.watch(input);
  const form = element("form", { className: "naming" }, field(t("Who is this?"), input), save, consent.drawn, said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) {
      said.textContent = t("Type a name first.");
      return input.focus();
    }
    save.disabled = true;
    said.textContent = "";
    try {
      await name(text, consent.read());
    } catch (error) {
      said.textContent = error.message;
      save.disabled = false;
    }
  });
  return form;
}

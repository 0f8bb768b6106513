// One group: its faces, its name, and what can be wrong with it.

import { ConsentPart } from "../consent.js";
import { element } from "../dom.js";
import { t, tn } from "../language.js";
import { post, put } from "../people/api.js";
import { button, field } from "../people/parts.js";
import { faces } from "../people/words.js";

const SHOWN = 6; // faces of a group before it is opened

/** A card for a group of an album. `page`: changed() looks again, toggle(id, on) chooses it, named(group, name, consent) names it, people() gives who is enrolled, say(words). */
export function groupCard(album, group, page) {
  const opened = { on: false };
  const strip = element("ul", { className: "strip" });
  const said = element("p", { className: "refused", role: "alert" });
  const attempt = async (work) => {
    said.textContent = "";
    try {
      await work();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const split = button(t("Somebody else"), () => attempt(async () => {
    const chosen = [...strip.querySelectorAll(":checked")].map((box) => box.value);
    await post(`/albums/${album}/groups/${group.id}/split`, { faces: chosen });
    await page.changed();
  }));
  const more = button("", () => {
    opened.on = !opened.on;
    draw();
  });
  const tell = () => {
    const chosen = strip.querySelectorAll(":checked").length;
    split.hidden = !opened.on;
    split.disabled = chosen === 0 || chosen === group.faces.length;
  };
  const draw = () => {
    const shown = opened.on ? group.faces : group.faces.slice(0, SHOWN);
    strip.replaceChildren(...shown.map((face) => faceTile(album, face, opened.on, tell)));
    more.hidden = group.faces.length < 2;
    more.textContent = opened.on ? t("Close") : group.faces.length > SHOWN ? tn(group.faces.length, "All {count} ## faces", "All {count} ## faces") : t("Not all the same?");
    more.setAttribute("aria-expanded", String(opened.on));
    tell();
  };
  draw();
  const ignore = button(group.ignored ? t("Take back") : t("Ignore"), () => attempt(async () => {
    await put(`/albums/${album}/groups/${group.id}/ignored`, { ignored: !group.ignored });
    await page.changed();
  }));
  const title = element("span", {}, element("b", { className: "name", textContent: faces(group.faces.length) }), ...(group.like ? [element("small", { textContent: group.sure === "known" ? t("Looks like {name}", group.like) : t("Perhaps {name}", group.like) })] : []));
  const box = element("input", { type: "checkbox", className: "choose", checked: page.chosen, ariaLabel: tn(group.faces.length, "Choose this group of {count} face", "Choose this group of {count} faces") });
  box.addEventListener("change", () => page.toggle(group.id, box.checked));
  const head = element("div", { className: "person-line" }, element("label", { className: "check" }, box), title, ignore);
  return element("li", { className: "card group" }, head, strip, element("div", { className: "row wrap" }, more, split), ...(group.ignored ? [] : [naming(group, page, attempt)]), said);
}

function faceTile(album, face, choosable, tell) {
  const image = element("img", { src: `/api/v1/albums/${album}/faces/${face.id}`, alt: choosable ? t("Face in {file}", face) : "", loading: "lazy", decoding: "async" });
  if (!choosable) return element("li", {}, image);
  const box = element("input", { type: "checkbox", value: face.id });
  box.addEventListener("change", tell);
  return element("li", {}, element("label", { className: "look" }, image, box));
}

function naming(group, page, attempt) {
  const input = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false, required: true, value: group.sure === "known" ? group.like.name : "" });
  input.setAttribute("list", "known-names");
  const save = element("button", { type: "submit", className: "primary", textContent: t("Save") });
  const consent = new ConsentPart({ quiet: true });
  consent.know(page.people());
  consent.watch(input);
  const form = element("form", { className: "naming" }, field(t("Who is this?"), input), save, consent.drawn);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    await attempt(async () => page.named(group, input.value.trim(), consent.read()));
    save.disabled = false;
  });
  return form;
}

// One photo: the picture with its faces boxed, and a line for each of them.

import { ConsentPart } from "../consent.js";
import { element } from "../dom.js";
import { percent } from "../figures.js";
import { joined, t } from "../language.js";
import { button, field, paragraph } from "../people/parts.js";
import { faces } from "../people/words.js";
import { metres } from "../reading.js";
import { heard } from "../server_words.js";
import { enrol, NeedsWord } from "./naming.js";

const MOST = 0.99;
const WHO = { unknown: t("Unknown ## a face"), unreadable: t("Cannot be told ## whose face it is") };

export class PhotoCard {
  answer = null; // what the server said
  #parcel;
  #names;
  #named;
  #people;
  #address;
  #picture = element("div", { className: "picture" });
  #faces = element("ol", { className: "faces" });
  #words = paragraph(t("Waiting …"), "soft");

  /** `named(name)` is called when somebody in it was given a name; `names` is the id of a list of suggestions, `people()`
   * gives who is enrolled. */
  constructor(parcel, { names, named, people }) {
    [this.#parcel, this.#names, this.#named, this.#people] = [parcel, names, named, people];
    this.#address = URL.createObjectURL(parcel.file);
    const image = element("img", { src: this.#address, alt: parcel.path, decoding: "async" });
    image.addEventListener("error", () => image.remove());
    this.#picture.append(image);
    this.element = element("li", { className: "card photo" }, element("h3", { className: "name", textContent: parcel.path }), this.#picture, this.#words, this.#faces);
  }

  /** Forget the picture. */
  let() {
    URL.revokeObjectURL(this.#address);
  }

  show(answer) {
    this.answer = answer;
    this.element.classList.remove("notice");
    this.#words.textContent = answer.faces.length ? faces(answer.faces.length) : t("There is no face in this photo.");
    for (const old of this.#picture.querySelectorAll(".mark")) old.remove();
    this.#picture.append(...answer.faces.map((face, index) => mark(face, index)));
    this.#faces.replaceChildren(...answer.faces.map((face, index) => this.#line(face, index)));
  }

  refuse(words) {
    this.element.classList.add("notice");
    this.#words.textContent = words;
    this.#words.setAttribute("role", "alert");
  }

  #line(face, index) {
    const parts = [face.distance && t("about {distance}", { distance: metres(face.distance.m) }), face.quality && t("quality {percent}", { percent: percent(face.quality.overall) })];
    const why = element("details", { className: "visits" }, element("summary", { textContent: t("Why?") }), paragraph(heard(face.words)), element("small", { textContent: joined(parts) }));
    const line = element("li", { value: index + 1 }, element("b", { className: "name", textContent: title(face) }), why);
    if (face.identity !== "unreadable" && face.identity !== "known") line.append(this.#naming(face));
    return line;
  }

  #naming(face) {
    const input = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false, value: face.name ?? "" });
    input.setAttribute("list", this.#names);
    const said = element("p", { className: "refused", role: "alert" });
    const save = button(t("Save"), null, "primary");
    save.type = "submit";
    const consent = new ConsentPart({ quiet: true });
    consent.know(this.#people());
    consent.watch(input);
    const form = element("form", { className: "naming" }, field(t("Who is this?"), input), save, consent.drawn, said);
    let sure = false; // asked once already, about this name
    input.addEventListener("input", () => ([sure, save.textContent] = [false, t("Save")]));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) {
        said.textContent = t("Type a name first.");
        return input.focus();
      }
      save.disabled = true;
      said.textContent = "";
      try {
        await enrol(this.#parcel, face, name, sure, consent.read());
        await this.#named(name);
      } catch (error) {
        said.textContent = error.message;
        if (error instanceof NeedsWord) [sure, save.textContent] = [true, t("Save all the same")];
        save.disabled = false;
      }
    });
    return form;
  }
}

function title({ identity, name, probability }) {
  if (name === null) return WHO[identity] ?? identity;
  const sure = percent(Math.min(probability, MOST));
  return identity === "known" ? t("{name}, {chance} ## how sure it is", { name, chance: sure }) : t("Perhaps {name}, {chance}", { name, chance: sure });
}

function mark(face, index) {
  const box = element("div", { className: `mark ${face.identity}`, ariaHidden: "true" }, element("span", { textContent: face.identity === "known" ? face.name : `${index + 1}` }));
  const [x, y, width, height] = face.box.map((part) => `${100 * part}%`);
  Object.assign(box.style, { left: x, top: y, width, height });
  return box;
}

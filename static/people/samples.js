// A person's pictures as a grid: look, choose several, put them where they belong.

import { ConsentPart, withConsent } from "../consent.js";
import { element } from "../dom.js";
import { enumerated, number, percent } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { post, remove } from "./api.js";
import { askText } from "./dialogs.js";
import { button, cropOf, paragraph } from "./parts.js";
import { pickPerson } from "./pick.js";
import { resemblesOther, source, usualSize, view, when } from "./words.js";

export class Samples {
  #person;
  #page;
  #chosen = new Set();
  #bar;
  #usual;
  drawn;

  constructor(person, page) {
    this.#person = person;
    this.#page = page;
    this.#usual = usualSize(person.samples);
    this.#bar = element("div", { className: "choice", hidden: true, role: "group", ariaLabel: t("What to do with the chosen pictures") });
    const spare = person.samples.some((sample) => !sample.used);
    const note = `${t("Choose pictures to move, split off or remove.")} ${spare ? t("Spare ones are kept, but others tell more of this face.") : ""}`;
    this.drawn = element(
      "section",
      { className: "part" },
      element("h3", { textContent: t("Pictures ({number})", { number: person.samples.length }) }),
      person.samples.length ? paragraph(note.trim(), "soft") : paragraph(t("There are none. Add photos, or remove this person."), "soft"),
      person.samples.some((sample) => sample.challenge === "passed")
        ? paragraph(t("Challenge passed: the face turned and came nearer when it was asked to. That is a hurdle for a photo held up, and no proof."), "soft")
        : "",
      element("ul", { className: "tiles" }, ...person.samples.map((sample, at) => this.#tile(sample, at))),
      this.#bar,
    );
  }

  #tile(sample, at) {
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      this.#chosen[box.checked ? "add" : "delete"](sample.id);
      this.#draw();
    });
    const words = view(sample, this.#usual);
    const face = element("span", { className: "face" }, element("span", { textContent: words || t("face") }));
    if (sample.crop) {
      const image = element("img", { src: cropOf(sample.id), alt: "", loading: "lazy", decoding: "async" });
      image.addEventListener("error", () => image.remove());
      face.append(image);
    }
    const lines = [
      element("b", { textContent: enumerated([t("Picture {number}", { number: at + 1 }), words]) }),
      element("span", { textContent: joined([sample.used ? t("Used ## a picture") : t("Spare ## a picture"), t("quality {percent}", { percent: percent(sample.quality) })]) }),
      element("span", { textContent: enumerated([source(sample.source), when(sample.created), sample.challenge === "passed" && t("challenge passed")]) }),
    ];
    if (sample.comparable === false) lines.push(element("strong", { className: "warning", textContent: t("The models in use have not read it") }));
    if (sample.fits !== null) lines.push(element("span", { textContent: t("Fits the others: {number}", { number: number(sample.fits, 2) }) }));
    if (resemblesOther(sample)) {
      lines.push(element("strong", { className: "warning", textContent: t("Resembles {name} more ({number})", { name: sample.nearest.name, number: number(sample.nearest.similarity, 2) }) }));
    }
    const label = element("label", { className: `tile${sample.used ? "" : " spare"}` }, box, face, element("span", { className: "lines" }, ...lines));
    return element("li", {}, label);
  }

  #draw() {
    const many = this.#chosen.size;
    this.#bar.hidden = many === 0;
    if (many === 0) return;
    this.#bar.replaceChildren(
      element("b", { textContent: tn(many, "{count} picture chosen", "{count} pictures chosen"), role: "status" }),
      button(t("Split off …"), () => this.#split()),
      button(t("Move to …"), () => this.#move()),
      button(t("Remove"), () => this.#remove()),
    );
  }

  #ids = () => this.#person.samples.map((sample) => sample.id).filter((id) => this.#chosen.has(id));

  async #split() {
    const ids = this.#ids();
    const consent = new ConsentPart();
    const done = await askText({
      consent,
      title: tn(ids.length, "Split off {count} picture", "Split off {count} pictures"),
      label: t("Whose are they?"),
      hint: t("They become a person of their own."),
      words: t("Split off"),
      submit: (name, said) => post(`/people/${this.#person.id}/split`, withConsent({ samples: ids, name }, said)),
    });
    if (done) this.#page.changed(t("{name} is a person of their own now.", { name: done.text }), [done.answer.change]);
  }

  async #move() {
    const ids = this.#ids();
    const others = (await this.#page.people().catch(() => [])).filter((other) => other.id !== this.#person.id);
    const target = await pickPerson(tn(ids.length, "Move {count} picture to ## somebody who is chosen below", "Move {count} pictures to ## somebody who is chosen below"), others, t("Move"));
    if (target) await this.#each(ids, (id) => post(`/samples/${id}/move`, { person: target.id }), t("Moved to {name}.", target));
  }

  async #remove() {
    const ids = this.#ids();
    await this.#each(ids, (id) => remove(`/samples/${id}`), tn(ids.length, "{count} picture removed.", "{count} pictures removed."));
  }

  /** One request a picture. What was done before one of them failed is said, and can be undone. */
  async #each(ids, work, words) {
    const changes = [];
    try {
      for (const id of ids) changes.push((await work(id)).change);
      this.#page.changed(words, changes);
    } catch (error) {
      this.#page.changed(changes.length ? t("{done} of {all} done. {problem}", { done: changes.length, all: ids.length, problem: error.message }) : error.message, changes);
    }
  }
}

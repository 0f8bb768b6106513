// A person's pictures as a grid: look, choose several, put them where they belong.

import { element } from "../dom.js";
import { post, remove } from "./api.js";
import { askText } from "./dialogs.js";
import { button, cropOf, paragraph } from "./parts.js";
import { pickPerson } from "./pick.js";
import { count, percent, resemblesOther, source, usualSize, view, when } from "./words.js";

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
    this.#bar = element("div", { className: "choice", hidden: true, role: "group", ariaLabel: "What to do with the chosen pictures" });
    const spare = person.samples.some((sample) => !sample.used);
    const note = "Choose pictures to move, split off or remove. " + (spare ? "Spare ones are kept, but others tell more of this face." : "");
    this.drawn = element(
      "section",
      { className: "part" },
      element("h3", { textContent: `Pictures (${person.samples.length})` }),
      person.samples.length ? paragraph(note.trim(), "soft") : paragraph("There are none. Add photos, or remove this person.", "soft"),
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
    const face = element("span", { className: "face" }, element("span", { textContent: words || "face" }));
    if (sample.crop) {
      const image = element("img", { src: cropOf(sample.id), alt: "", loading: "lazy", decoding: "async" });
      image.addEventListener("error", () => image.remove());
      face.append(image);
    }
    const lines = [
      element("b", { textContent: `Picture ${at + 1}${words ? `, ${words}` : ""}` }),
      element("span", { textContent: `${sample.used ? "Used" : "Spare"} · quality ${percent(sample.quality)}` }),
      element("span", { textContent: `${source(sample.source)}, ${when(sample.created)}` }),
    ];
    if (sample.comparable === false) lines.push(element("strong", { className: "warning", textContent: "The models in use have not read it" }));
    if (sample.fits !== null) lines.push(element("span", { textContent: `Fits the others: ${sample.fits.toFixed(2)}` }));
    if (resemblesOther(sample)) {
      lines.push(element("strong", { className: "warning", textContent: `Resembles ${sample.nearest.name} more (${sample.nearest.similarity.toFixed(2)})` }));
    }
    const label = element("label", { className: `tile${sample.used ? "" : " spare"}` }, box, face, element("span", { className: "lines" }, ...lines));
    return element("li", {}, label);
  }

  #draw() {
    const number = this.#chosen.size;
    this.#bar.hidden = number === 0;
    if (number === 0) return;
    this.#bar.replaceChildren(
      element("b", { textContent: `${count(number, "picture")} chosen`, role: "status" }),
      button("Split off …", () => this.#split()),
      button("Move to …", () => this.#move()),
      button("Remove", () => this.#remove()),
    );
  }

  #ids = () => this.#person.samples.map((sample) => sample.id).filter((id) => this.#chosen.has(id));

  async #split() {
    const ids = this.#ids();
    const done = await askText({
      title: `Split off ${count(ids.length, "picture")}`,
      label: "Whose are they?",
      hint: "They become a person of their own.",
      words: "Split off",
      submit: (name) => post(`/people/${this.#person.id}/split`, { samples: ids, name }),
    });
    if (done) this.#page.changed(`${done.text} is a person of their own now.`, [done.answer.change]);
  }

  async #move() {
    const ids = this.#ids();
    const others = (await this.#page.people().catch(() => [])).filter((other) => other.id !== this.#person.id);
    const target = await pickPerson(`Move ${count(ids.length, "picture")} to`, others, "Move");
    if (target) await this.#each(ids, (id) => post(`/samples/${id}/move`, { person: target.id }), `Moved to ${target.name}.`);
  }

  async #remove() {
    const ids = this.#ids();
    await this.#each(ids, (id) => remove(`/samples/${id}`), `${count(ids.length, "picture")} removed.`);
  }

  /** One request a picture. What was done before one of them failed is said, and can be undone. */
  async #each(ids, work, words) {
    const changes = [];
    try {
      for (const id of ids) changes.push((await work(id)).change);
      this.#page.changed(words, changes);
    } catch (error) {
      this.#page.changed(changes.length ? `${changes.length} of ${ids.length} done. ${error.message}` : error.message, changes);
    }
  }
}

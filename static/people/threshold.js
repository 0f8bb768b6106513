// How sure Visavis must be before it says a name.

import { element } from "../dom.js";
import { number, percent } from "../figures.js";
import { t, tn, woven } from "../language.js";
import { heard } from "../server_words.js";
import { get, put } from "./api.js";
import { compare } from "./merge.js";
import { Models } from "./models.js";
import { button, failure, field, paragraph } from "./parts.js";
import { plot } from "./plot.js";

export class Threshold {
  #root;
  #page;
  #room = "";
  #asked = 0;
  #figures = element("div", { className: "stack" });
  #models;

  constructor(root, page) {
    [this.#root, this.#page] = [root, page];
    const models = element("section", { className: "part" });
    this.#models = new Models(models, page);
    this.#root.append(element("h2", { textContent: t("How sure must it be?") }), this.#figures, models);
  }

  async show() {
    this.#models.show();
    const asked = ++this.#asked;
    try {
      const people = await this.#page.people();
      const rooms = [...new Set(people.map((person) => person.room).filter(Boolean))].sort();
      if (!rooms.includes(this.#room)) this.#room = "";
      const data = await get(`/threshold${this.#query()}`);
      if (asked === this.#asked) this.#draw(data, rooms, people);
    } catch (error) {
      if (asked === this.#asked) this.#figures.replaceChildren(failure(error, () => this.show()));
    }
  }

  hide() {
    this.#models.hide();
  }

  #query = () => (this.#room ? `?room=${encodeURIComponent(this.#room)}` : "");

  #draw(data, rooms, people) {
    const parts = [paragraph(t("A name is said only where a face is alike enough. Ask for more, and strangers are named less often, but people you know may be missed more often."))];
    if (rooms.length) parts.push(this.#rooms(rooms));
    if (data.pairs.genuine + data.pairs.impostor > 0) parts.push(plot(data));
    parts.push(paragraph(heard(data.words), "soft"), this.#choices(data), this.#confusable(data, people));
    const focused = this.#figures.contains(document.activeElement) ? document.activeElement : null;
    const [tag, value] = [focused?.tagName, focused?.value];
    this.#figures.replaceChildren(...parts);
    if (focused) (tag === "SELECT" ? this.#figures.querySelector("select") : this.#figures.querySelector(`input[value="${value}"]`))?.focus();
  }

  #rooms(rooms) {
    const option = (value, textContent) => element("option", { value, textContent, selected: value === this.#room });
    const select = element("select", {}, option("", t("Everyone’s people")), ...rooms.map((room) => option(room, t("Room {room}", { room }))));
    select.addEventListener("change", () => {
      this.#room = select.value;
      this.show();
    });
    return field(t("Whose gallery"), select);
  }

  #choices({ choices, now, cohort }) {
    const offered = choices.some(({ one_in }) => one_in === now.one_in) || !now.one_in ? choices : [...choices, now].sort((a, b) => a.one_in - b.one_in);
    const option = (choice) => {
      const radio = element("input", { type: "radio", name: "one-in", value: String(choice.one_in), checked: choice.one_in === now.one_in });
      radio.addEventListener("change", () => this.#choose(choice.one_in));
      const words = tn(choice.one_in, "About one wrong name in {count} stranger", "About one wrong name in {count} strangers");
      return element("label", { className: "option" }, radio, element("span", {}, words, element("small", { textContent: misses(choice) })));
    };
    return element(
      "fieldset",
      { className: "card options" },
      element("legend", { textContent: t("How often may a stranger be given a name?") }),
      ...offered.map(option),
      paragraph(cohort.faces ? tn(cohort.faces, "Strangers are stood in for by {count} face: {source}", "Strangers are stood in for by {count} faces: {source}", { source: heard(cohort.source) }) : heard(cohort.source), "soft"),
      element("div", { className: "row" }, button(t("Back to what the models come with"), () => this.#choose(null))),
    );
  }

  async #choose(one_in) {
    try {
      await put("/threshold", this.#room ? { one_in, room: this.#room } : { one_in });
      this.#page.say(one_in ? tn(one_in, "From now on: about one wrong name in {count} stranger.", "From now on: about one wrong name in {count} strangers.") : t("From now on: what the models come with."));
    } catch (error) {
      this.#page.say(error.message);
    }
    this.show();
  }

  #confusable({ confusable }, people) {
    const title = element("h3", { textContent: t("People who look alike to it") });
    if (confusable.length === 0) return element("section", { className: "part" }, title, paragraph(t("Nobody here is likely to be taken for somebody else."), "soft"));
    const row = ({ a, b, similarity, words }) => {
      const link = ({ id, name }) => element("a", { href: `#people/${id}`, textContent: name });
      const rowOf = ({ id, name }) => people.find((person) => person.id === id) ?? { id, name };
      const look = button(t("Compare"), () => compare(rowOf(a), rowOf(b), this.#page));
      look.ariaLabel = t("Compare {a} and {b}", { a: a.name, b: b.name });
      return element("li", {}, element("span", {}, ...woven("{a} and {b}", { a: link(a), b: link(b) }), element("small", { textContent: t("{words} ({number})", { words: heard(words), number: number(similarity, 2) }) })), look);
    };
    return element("section", { className: "part" }, title, element("ul", { className: "changes" }, ...confusable.map(row)));
  }
}

/** What a choice costs: how many looks at known people stay without a name. */
function misses({ threshold, misses: share }) {
  const bar = number(threshold, 3);
  if (!Number.isFinite(share)) return t("how much it misses is not known yet; alike by {number} at least", { number: bar });
  return t("misses about {percent} of known people’s pictures; alike by {number} at least", { percent: percent(share, share > 0 && share < 0.1 ? 1 : 0), number: bar });
}

// The first tab: everybody, or one of them.

import { mark } from "../consent_words.js";
import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { recentChanges } from "./changes.js";
import { avatar, cropOf, failure, paragraph } from "./parts.js";
import { PersonPage } from "./person.js";
import { about, matching, persons } from "./words.js";

const MOST = 200; // cards drawn at once; the search finds the others

export class PeopleTab {
  #root;
  #page;
  #person;
  #asked = 0; // an answer that comes after another question is nobody's
  #wanted = "";
  #only = false; // those alone whose consent needs a look

  constructor(root, page) {
    this.#root = root;
    this.#page = page;
    this.#person = new PersonPage(page);
  }

  /** Show everybody, or the person of this id. */
  async show(id) {
    const asked = ++this.#asked;
    const latest = () => asked === this.#asked;
    try {
      if (id) await this.#person.show(this.#root, id, latest);
      else await this.#everybody(latest);
    } catch (error) {
      if (!latest()) return;
      const back = element("a", { href: "#people", className: "back", textContent: t("‹ Everybody") });
      this.#root.replaceChildren(...(id ? [back] : []), failure(error, () => this.show(id)));
    }
  }

  async #everybody(latest) {
    const people = await this.#page.people();
    const changes = await recentChanges(this.#page);
    if (!latest()) return;
    if (people.length === 0) {
      this.#root.replaceChildren(nobody(), changes);
      return;
    }
    const search = element("input", { type: "search", value: this.#wanted, autocomplete: "off", placeholder: t("Name or room") });
    const found = element("p", { className: "soft", role: "status" });
    const list = element("ul", { className: "cards" });
    const marked = people.filter((person) => mark(person) !== null).length;
    const only = element("input", { type: "checkbox", checked: this.#only && marked > 0 });
    const filter = element("label", { className: "check", hidden: marked === 0 }, only, element("span", { textContent: t("Only whose consent needs a look ({number})", { number: marked }) }));
    const draw = () => {
      [this.#wanted, this.#only] = [search.value, only.checked];
      const matches = matching(people, search.value).filter((person) => !only.checked || mark(person) !== null);
      const first = matches.slice(0, MOST);
      list.replaceChildren(...first.map(card));
      const more = matches.length > first.length ? t("the first {number} shown", { number: MOST }) : "";
      found.textContent = enumerated([search.value.trim() || only.checked ? tn(matches.length, "{count} person found", "{count} people found") : persons(people.length), more]);
    };
    search.addEventListener("input", draw);
    only.addEventListener("change", draw);
    draw();
    const searching = element("label", { className: "field search" }, element("span", { textContent: t("Find somebody") }), search);
    const title = element("h2", { textContent: t("Everybody known here") });
    const bar = element("div", { className: "bar" }, searching, element("a", { className: "button primary", href: "#add", textContent: t("Add photos") }));
    const hadFocus = this.#root.contains(document.activeElement) && document.activeElement.type === "search";
    this.#root.replaceChildren(title, bar, filter, found, list, changes);
    if (hadFocus) search.focus();
  }
}

function card(person) {
  const words = element("span", { className: "name", textContent: person.name });
  const line = element("small", { textContent: about(person) });
  const face = avatar({ name: person.name, crop: person.cover && cropOf(person.cover) });
  const consent = mark(person);
  const marked = consent ? [element("small", { className: `consent-mark ${consent.kind}`, textContent: consent.words })] : [];
  return element("li", {}, element("a", { className: consent?.kind === "over" ? "card person gone" : "card person", href: `#people/${person.id}` }, face, element("span", {}, words, line, ...marked)));
}

function nobody() {
  return element(
    "div",
    { className: "card empty" },
    element("h2", { textContent: t("Nobody is known yet") }),
    paragraph(t("Show Visavis a few photos of somebody, or open the live picture and tap a face to say who it is."), "soft"),
    element(
      "div",
      { className: "row" },
      element("a", { className: "button primary", href: "#add", textContent: t("Add photos") }),
      element("a", { className: "button", href: "/", textContent: t("Open the live picture") }),
    ),
  );
}

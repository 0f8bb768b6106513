// The people in the panel: who they are, by room, and what is most often done about them.

import { mark } from "./consent_words.js";
import { $, confirmForget, element } from "./dom.js";
import { joined, t, tn } from "./language.js";
import { get, patch, post, Refusal, remove } from "./people/api.js";
import { toast, undo } from "./toast.js";

const ALL = "all";
const SHARED = "everyone";

/** The choices of the room filter as [value, words], none where nobody belongs to a room; `people` as the server lists them. */
export function roomsOf(people) {
  const rooms = [...new Set(people.map(({ room }) => room ?? null).filter((room) => room !== null))].sort((a, b) => a.localeCompare(b));
  if (rooms.length === 0) return [];
  return [[ALL, t("All people")], [SHARED, t("Those known everywhere")], ...rooms.map((room) => [`room:${room}`, t("Room {room}", { room })])];
}

/** Those of `people` whom the filter lets through. */
export function inRoom(people, filter) {
  if (filter === SHARED) return people.filter(({ room }) => (room ?? null) === null);
  return filter.startsWith("room:") ? people.filter(({ room }) => room === filter.slice("room:".length)) : people;
}

/** How many pictures, and whose, in words. */
export function summary(person) {
  const { samples, room } = person;
  return joined([tn(samples, "{count} picture", "{count} pictures"), room && t("room {room}", { room }), mark(person)?.words]);
}

/** The list. `changed(people)` is called when it was read. */
export class PeopleList {
  #changed;
  #people = [];
  #filter = ALL;

  constructor({ changed }) {
    this.#changed = changed;
    $("people-rooms").addEventListener("change", () => {
      this.#filter = $("people-rooms").value;
      this.#show();
    });
  }

  async read() {
    try {
      this.#people = (await get("/people")).people;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return; // what was read before stays; the connection's own words say what is wrong
    }
    this.#changed(this.#people);
    // A row that somebody writes in is not taken from under their fingers.
    if (!$("people-list").querySelector("form")) this.#show();
  }

  #show() {
    const rooms = roomsOf(this.#people);
    if (!rooms.some(([value]) => value === this.#filter)) this.#filter = ALL;
    $("people-room").hidden = rooms.length === 0;
    $("people-rooms").replaceChildren(...rooms.map(([value, textContent]) => element("option", { value, textContent, selected: value === this.#filter })));
    $("people-empty").hidden = this.#people.length > 0;
    const open = new Set([...$("people-list").querySelectorAll("details[open]")].map(({ dataset }) => dataset.person));
    $("people-list").replaceChildren(...inRoom(this.#people, this.#filter).map((person) => this.#row(person, open.has(person.id))));
  }

  #row(person, open) {
    const row = element("details", { open });
    row.dataset.person = person.id;
    const words = element("span", { textContent: person.name }, element("small", { textContent: summary(person) }));
    const manage = element("a", { href: `/people#people/${encodeURIComponent(person.id)}`, textContent: t("Pictures…"), className: "secondary" });
    row.append(
      element("summary", {}, face(person), words),
      element(
        "div",
        { className: "row" },
        button(t("Rename"), t("Rename {name}", person), () => this.#rename(row, person)),
        manage,
        button(t("Remove"), t("Remove {name}", person), () => this.#remove(person)),
        button(t("Forget"), t("Forget {name}", person), () => this.#forget(person)),
      ),
    );
    return element("li", {}, row);
  }

  #rename(row, person) {
    const input = element("input", { value: person.name, maxLength: 80, autocomplete: "off" });
    input.setAttribute("aria-label", t("New name of {name}", person));
    const form = element("form", { className: "row" }, input, element("button", { type: "submit", className: "primary", textContent: t("Save") }));
    const close = () => {
      form.remove();
      this.#show();
      this.#focus(person, "summary");
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = input.value.trim();
      const rename = () => patch(`/people/${person.id}`, { name });
      if (name && name !== person.name && !(await this.#try(rename, t("{before} is called {name} now.", { before: person.name, name })))) return input.focus();
      form.remove();
      await this.read();
      this.#focus(person, "summary");
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    row.querySelector(".row").replaceWith(form);
    input.focus();
    input.select();
  }

  async #remove(person) {
    const answer = await this.#try(() => post(`/people/${person.id}/remove`));
    if (!answer) return;
    const back = undo(answer.change.id, t("{name} is back.", person));
    toast(t("{name} is removed.", person), { ...back, run: () => back.run().finally(() => this.read()) });
    await this.read();
    $("tab-people").focus();
  }

  async #forget(person) {
    if (!(await confirmForget(person.name))) return;
    await this.#try(() => remove(`/people/${person.id}`), t("{name} is forgotten.", person));
    await this.read();
    $("tab-people").focus();
  }

  /** Do it, and say how it went; resolves to the answer, null where it failed. */
  async #try(work, done = null) {
    try {
      const answer = await work();
      if (done) toast(done);
      return answer ?? {};
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      toast(error.message);
      return null;
    }
  }

  #focus(person, what) {
    $("people-list").querySelector(`details[data-person="${CSS.escape(person.id)}"] ${what}`)?.focus();
  }
}

function button(words, spoken, run) {
  const made = element("button", { type: "button", className: "secondary", textContent: words });
  made.setAttribute("aria-label", spoken);
  made.addEventListener("click", run);
  return made;
}

/** The person's picture where one is kept, else the first letter of the name. */
function face(person) {
  if (person.cover) return element("img", { src: `/api/v1/samples/${encodeURIComponent(person.cover)}/crop`, alt: "", width: 44, height: 44 });
  const letter = [...person.name][0]?.toLocaleUpperCase() ?? "?";
  const made = element("span", { className: "letter", textContent: letter });
  made.setAttribute("aria-hidden", "true");
  return made;
}

// One person: what is known of them, and every correction.

import { element } from "../dom.js";
import { get, patch, post, remove } from "./api.js";
import { ask, askText } from "./dialogs.js";
import { mergeInto } from "./merge.js";
import { avatar, button, cropOf, paragraph } from "./parts.js";
import { Samples } from "./samples.js";
import { count, roomWords, when } from "./words.js";

export class PersonPage {
  #page;
  #root = null;

  constructor(page) {
    this.#page = page;
  }

  /** Draw the person of this id into `root`. Throws a `Refusal` where there is none. */
  async show(root, id, latest) {
    const person = await get(`/people/${encodeURIComponent(id)}`);
    if (!latest()) return;
    this.#root = root;
    const cover = person.samples.find((sample) => sample.crop && sample.used) ?? person.samples.find((sample) => sample.crop);
    root.replaceChildren(
      element("a", { className: "back", href: "#people", textContent: "‹ Everybody" }),
      element(
        "div",
        { className: "person-head" },
        avatar({ name: person.name, crop: cover && cropOf(cover.id) }),
        element("div", {}, element("h2", { textContent: person.name }), paragraph(facts(person), "soft")),
      ),
      this.#corrections(person),
      new Samples(person, this.#page).drawn,
      this.#negatives(person),
      this.#farewell(person),
    );
  }

  #corrections(person) {
    return element(
      "div",
      { className: "row" },
      button("Rename", () => this.#rename(person)),
      button(`Known to: ${person.room ?? "everyone"}`, () => this.#room(person)),
      button("Merge into …", () => mergeInto(person, this.#page)),
    );
  }

  #farewell(person) {
    return element(
      "section",
      { className: "part" },
      element("h3", { textContent: "Not needed any more?" }),
      paragraph("Removing takes somebody out of recognition and can be undone for a while. Forgetting erases everything at once, for good.", "soft"),
      element("div", { className: "row" }, button("Remove", () => this.#remove(person)), button("Forget for good …", () => this.#forget(person), "secondary danger")),
    );
  }

  async #rename(person) {
    const done = await askText({
      title: `Rename ${person.name}`,
      label: "Name",
      value: person.name,
      submit: (name) => patch(`/people/${person.id}`, { name }),
    });
    if (done && done.text !== person.name) this.#page.changed(`${person.name} is ${done.text} now.`, [done.answer.change]);
  }

  async #room(person) {
    const rooms = [...new Set((await this.#page.people().catch(() => [])).map((other) => other.room).filter(Boolean))];
    const done = await askText({
      title: `Who may recognise ${person.name}?`,
      label: "Room",
      value: person.room ?? "",
      hint: "A room’s people are known in that room only. Leave it empty for everyone.",
      names: rooms,
      optional: true,
      submit: (room) => patch(`/people/${person.id}`, { room: room || null }),
    });
    if (done && (done.text || null) !== person.room) this.#page.changed(`${person.name}: ${done.text ? roomWords(done.text) : "everyone"}.`, [done.answer.change]);
  }

  async #remove(person) {
    await this.#try(async () => {
      const { change } = await post(`/people/${person.id}/remove`);
      this.#page.go("people");
      this.#page.changed(`${person.name} is removed.`, [change]);
    });
  }

  async #forget(person) {
    const words = "Everything kept of this person is erased from this server: name, pictures and the numbers computed from the face. That cannot be undone.";
    if (!(await ask(`Forget ${person.name}?`, words, "Forget", { no: "Keep", danger: true }))) return;
    await this.#try(async () => {
      await remove(`/people/${person.id}`);
      this.#page.go("people");
      this.#page.say(`${person.name} is forgotten.`);
    });
  }

  #negatives(person) {
    if (person.negatives.length === 0) return "";
    const row = (negative) => {
      const take = button("Take away", () => this.#try(async () => {
        const { change } = await remove(`/negatives/${negative.id}`);
        this.#page.changed("The mark is taken away.", [change]);
      }));
      take.ariaLabel = `Take away the mark of ${when(negative.created)}`;
      return element("li", {}, `Marked ${when(negative.created)}`, take);
    };
    return element(
      "section",
      { className: "part" },
      element("h3", { textContent: `${count(person.negatives.length, "time")} “this is not ${person.name}”` }),
      paragraph("A face like one of these has to look much more like the pictures above before it gets this name.", "soft"),
      element("ul", { className: "changes" }, ...person.negatives.map(row)),
    );
  }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      this.#page.say(error.message);
    }
  }
}

function facts(person) {
  const used = person.samples.filter((sample) => sample.used).length;
  const spare = person.samples.length - used;
  const parts = [spare ? `${count(used, "picture")} used, ${spare} spare` : count(used, "picture"), roomWords(person.room)];
  return [...parts, `since ${when(person.created)}`].join(" · ");
}

// One person: what is known of them, and every correction.

import { element } from "../dom.js";
import { joined, t, tn } from "../language.js";
import { get, patch, post, remove } from "./api.js";
import { consents } from "./consents.js";
import { askText } from "./dialogs.js";
import { forgetForGood } from "./farewell.js";
import { mergeInto } from "./merge.js";
import { avatar, button, cropOf, paragraph } from "./parts.js";
import { Samples } from "./samples.js";
import { pictures, roomWords, when } from "./words.js";

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
      element("a", { className: "back", href: "#people", textContent: t("‹ Everybody") }),
      element(
        "div",
        { className: "person-head" },
        avatar({ name: person.name, crop: cover && cropOf(cover.id) }),
        element("div", {}, element("h2", { textContent: person.name }), paragraph(facts(person), "soft")),
      ),
      this.#corrections(person),
      consents(person, this.#page),
      new Samples(person, this.#page).drawn,
      this.#negatives(person),
      this.#everything(person),
      this.#farewell(person),
    );
  }

  #corrections(person) {
    return element(
      "div",
      { className: "row" },
      button(t("Rename"), () => this.#rename(person)),
      button(person.room ? t("Known to: {room}", person) : t("Known to: everyone"), () => this.#room(person)),
      button(t("Merge into …"), () => mergeInto(person, this.#page)),
    );
  }

  #everything(person) {
    const link = element("a", { className: "button", href: `/api/v1/people/${encodeURIComponent(person.id)}/export`, download: "", textContent: t("Everything in one file (ZIP)") });
    return element(
      "section",
      { className: "part" },
      element("h3", { textContent: t("Asked what you hold of them?") }),
      paragraph(t("All that is kept of this person: in words, with numbers, pictures, sightings, and who looked at it."), "soft"),
      element("div", { className: "row" }, link),
    );
  }

  #farewell(person) {
    return element(
      "section",
      { className: "part" },
      element("h3", { textContent: t("Not needed any more?") }),
      paragraph(t("Removing takes somebody out of recognition and can be undone for a while. Forgetting erases everything at once, for good."), "soft"),
      element("div", { className: "row" }, button(t("Remove"), () => this.#remove(person)), button(t("Forget for good …"), () => this.#forget(person), "secondary danger")),
    );
  }

  async #rename(person) {
    const done = await askText({
      title: t("Rename {name}", person),
      label: t("Name"),
      value: person.name,
      submit: (name) => patch(`/people/${person.id}`, { name }),
    });
    if (done && done.text !== person.name) this.#page.changed(t("{before} is {name} now.", { before: person.name, name: done.text }), [done.answer.change]);
  }

  async #room(person) {
    const rooms = [...new Set((await this.#page.people().catch(() => [])).map((other) => other.room).filter(Boolean))];
    const done = await askText({
      title: t("Who may recognise {name}?", person),
      label: t("Room"),
      value: person.room ?? "",
      hint: t("A room’s people are known in that room only. Leave it empty for everyone."),
      names: rooms,
      optional: true,
      submit: (room) => patch(`/people/${person.id}`, { room: room || null }),
    });
    if (done && (done.text || null) !== person.room) this.#page.changed(done.text ? t("{name}: room {room}.", { name: person.name, room: done.text }) : t("{name}: everyone.", person), [done.answer.change]);
  }

  async #remove(person) {
    await this.#try(async () => {
      const { change } = await post(`/people/${person.id}/remove`);
      this.#page.go("people");
      this.#page.changed(t("{name} is removed.", person), [change]);
    });
  }

  async #forget(person) {
    await this.#try(async () => {
      const receipt = await forgetForGood(person);
      if (!receipt) return;
      this.#page.go("people");
      this.#page.say(t("{name} is forgotten.", person), receipt);
    });
  }

  #negatives(person) {
    if (person.negatives.length === 0) return "";
    const row = (negative) => {
      const take = button(t("Take away"), () => this.#try(async () => {
        const { change } = await remove(`/negatives/${negative.id}`);
        this.#page.changed(t("The mark is taken away."), [change]);
      }));
      take.ariaLabel = t("Take away the mark of {time}", { time: when(negative.created) });
      return element("li", {}, t("Marked {time}", { time: when(negative.created) }), take);
    };
    return element(
      "section",
      { className: "part" },
      element("h3", { textContent: tn(person.negatives.length, "{count} time “this is not {name}”", "{count} times “this is not {name}”", { name: person.name }) }),
      paragraph(t("A face like one of these has to look much more like the pictures above before it gets this name."), "soft"),
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
  const kept = spare ? tn(used, "{count} picture used, {spare} spare", "{count} pictures used, {spare} spare", { spare }) : pictures(used);
  return joined([kept, roomWords(person.room), t("since {time}", { time: when(person.created) })]);
}

// Strangers: faces that came often enough to be kept for a while, until somebody names them.

import { ConsentPart, withConsent } from "../consent.js";
import { element } from "../dom.js";
import { t, tn, woven } from "../language.js";
import { heard } from "../server_words.js";
import { get, post, remove } from "./api.js";
import { newest } from "./changes.js";
import { ask } from "./dialogs.js";
import { avatar, button, failure, field, paragraph, suggestions } from "./parts.js";
import { sightings, when } from "./words.js";

export class Strangers {
  #root;
  #page;
  #asked = 0;

  constructor(root, page) {
    [this.#root, this.#page] = [root, page];
  }

  async show() {
    const asked = ++this.#asked;
    try {
      const inbox = await get("/inbox");
      const people = await this.#page.people();
      if (asked === this.#asked) this.#draw(inbox, people);
    } catch (error) {
      if (asked === this.#asked) this.#root.replaceChildren(title(), failure(error, () => this.show()));
    }
  }

  #draw({ enabled, keeps, days, strangers }, people) {
    const parts = [title(), paragraph(heard(keeps))];
    if (enabled) parts.push(paragraph(tn(days, "Whoever is not named is forgotten after {count} day.", "Whoever is not named is forgotten after {count} days."), "soft"));
    else parts.push(off(strangers.length));
    if (enabled && strangers.length === 0) parts.push(element("div", { className: "card empty" }, paragraph(t("No stranger is waiting for a name."))));
    if (strangers.length > 0) {
      const names = suggestions(element("input"), "stranger-names", people.map((person) => person.name));
      const every = button(t("Forget all strangers …"), () => this.#forgetAll(strangers.length), "secondary danger");
      parts.push(names, element("ul", { className: "cards strangers" }, ...strangers.map((stranger) => this.#card(stranger, people))), element("div", { className: "row" }, every));
    }
    this.#root.replaceChildren(...parts);
  }

  #card(stranger, people) {
    const face = avatar({ name: "?", crop: stranger.crop && `/api/v1/inbox/${encodeURIComponent(stranger.id)}/crop` });
    const seen = tn(stranger.seen, "Seen {count} time", "Seen {count} times");
    const input = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false });
    input.setAttribute("list", "stranger-names");
    const said = element("p", { className: "refused", role: "alert" });
    const save = button(t("Save"), null, "primary");
    save.type = "submit";
    const consent = new ConsentPart({ quiet: true });
    consent.know(people);
    consent.watch(input);
    const form = element("form", { className: "naming" }, field(t("Who is this?"), input), save, consent.drawn, said);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) {
        said.textContent = t("Type a name first.");
        return input.focus();
      }
      save.disabled = true;
      try {
        await post(`/inbox/${stranger.id}/name`, withConsent({ name }, consent.read()));
        const known = people.some((person) => person.name.toLowerCase() === name.toLowerCase());
        this.#page.changed(known ? t("Added to {name}.", { name }) : t("{name} is known now.", { name }), await newest("enrol", "add_samples"));
      } catch (error) {
        said.textContent = error.message;
        save.disabled = false;
      }
    });
    const forget = button(t("Forget"), () => this.#forget(stranger));
    forget.ariaLabel = t("Forget the stranger last seen {time}", { time: when(stranger.last) });
    const lines = element("span", {}, element("b", { className: "name", textContent: seen }), element("small", { textContent: t("last {time} ## seen", { time: when(stranger.last) }) }));
    const list = element("ul", {}, ...stranger.sightings.map((sighting) => element("li", { textContent: sightings(sighting) })));
    const visits = stranger.sightings.length ? element("details", { className: "visits" }, element("summary", { textContent: t("When") }), list) : "";
    return element("li", { className: "card stranger" }, element("div", { className: "person-line" }, face, lines, forget), visits, form);
  }

  async #forget(stranger) {
    await this.#try(async () => {
      await remove(`/inbox/${stranger.id}`);
      this.#page.say(t("The stranger is forgotten."));
    });
  }

  async #forgetAll(number) {
    if (!(await ask(tn(number, "Forget {count} stranger?", "Forget {count} strangers?"), t("Their pictures and sightings are erased. That cannot be undone."), t("Forget"), { no: t("Keep"), danger: true }))) return;
    await this.#try(async () => {
      await remove("/inbox");
      this.#page.say(t("All strangers are forgotten."));
    });
  }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      this.#page.say(error.message);
    }
    this.show();
  }
}

const title = () => element("h2", { textContent: t("Strangers") });

function off(left) {
  const command = element("code", { textContent: "visavis serve --inbox" });
  const setting = element("code", { textContent: "inbox = true" });
  return element(
    "div",
    { className: "card empty" },
    element("h3", { textContent: t("Strangers are not kept") }),
    element("p", {}, ...woven("Whoever runs this server can switch it on: start it with {command}, or put {setting} into its settings file.", { command, setting })),
    paragraph(left ? t("Those below were kept before it was switched off.") : t("Tell the people who come by before you do: their faces would be kept for a while."), "soft"),
  );
}

// The models in use, and the way to others: every picture is learnt anew, looked at, and then switched to.

import { element } from "../dom.js";
import { number, percent } from "../figures.js";
import { t, tn, woven } from "../language.js";
import { heard } from "../server_words.js";
import { get, post, remove } from "./api.js";
import { ask } from "./dialogs.js";
import { button, failure, paragraph } from "./parts.js";
import { pictures } from "./words.js";

const POLL = 1000; // ms

export class Models {
  #root;
  #page;
  #timer = null;
  #asked = 0;

  constructor(root, page) {
    [this.#root, this.#page] = [root, page];
  }

  async show() {
    this.hide();
    const asked = ++this.#asked;
    try {
      const packs = await get("/packs");
      const change = await get("/model-change");
      if (asked !== this.#asked) return;
      this.#draw(packs, change);
      if (change.state === "running") this.#timer = setTimeout(() => this.show(), POLL);
    } catch (error) {
      if (asked === this.#asked) this.#root.replaceChildren(title(), failure(error, () => this.show()));
    }
  }

  hide() {
    clearTimeout(this.#timer);
    this.#asked += 1;
  }

  #draw({ current, packs }, change) {
    const going = change.state === "running" || change.state === "ready";
    const others = packs.filter((pack) => pack.name !== current);
    const bar = this.#root.querySelector("progress");
    if (bar && change.state === "running") {
      // Only the bar moves: what is read or focused stays.
      this.#advance(bar, change);
      return;
    }
    this.#root.replaceChildren(
      title(),
      element("p", {}, ...woven("Recognition uses the models {models}.", { models: element("b", { textContent: current, translate: false }) })),
      ...(going || change.state === "failed" ? [this.#job(change)] : change.words ? [paragraph(heard(change.words), "soft")] : []),
      ...(going ? [] : [element("ul", { className: "changes" }, ...others.map((pack) => this.#pack(pack)))]),
      ...(others.length === 0 && !going ? [paragraph(t("There are no others."), "soft")] : []),
    );
  }

  #pack(pack) {
    const line = element("small", { textContent: [heard(pack.summary), t("Licence: {licence}.", pack), pack.installed ? "" : t("Not installed yet.")].join(" ").trim() });
    const words = element("span", {}, element("b", { textContent: pack.name, translate: false }), line);
    const change = button(t("Change to these …"), () => this.#begin(pack));
    change.ariaLabel = t("Change to {models} …", { models: pack.name });
    return element("li", {}, words, change);
  }

  async #begin(pack) {
    const text = t("Every picture whose crop was kept is learnt anew in the background. Recognition goes on as it is until you switch.");
    if (await ask(t("Change to {models}?", { models: pack.name }), text, t("Begin"))) await this.#try(() => post("/model-change", { pack: pack.name }));
  }

  #job(change) {
    if (change.state === "failed") return element("div", { className: "card notice", role: "alert" }, paragraph(heard(change.words) || t("The change to {models} failed. Nothing was changed.", { models: change.pack })));
    const cancel = button(t("Cancel the change"), () => this.#try(() => remove("/model-change")));
    if (change.state === "running") {
      const bar = element("progress", { max: 1, ariaLabel: t("Pictures learnt anew") });
      const box = element("div", { className: "card stack" }, element("h4", { textContent: t("Learning every picture anew for {models}", { models: change.pack }) }), bar, paragraph("", "soft"), element("div", { className: "row" }, cancel));
      this.#advance(bar, change);
      return box;
    }
    const use = button(t("Switch to {models}", { models: change.pack }), () => this.#switch(change), "primary");
    return element("div", { className: "card stack" }, element("h4", { textContent: t("{models} is ready", { models: change.pack }) }), ...comparison(change), missing(change), element("div", { className: "row" }, use, cancel));
  }

  #advance(bar, { done, total }) {
    bar.value = total ? done / total : 0;
    bar.nextElementSibling.textContent = tn(total, "{done} of {count} picture", "{done} of {count} pictures", { done });
  }

  async #switch({ pack, without_crop = [] }) {
    const lost = without_crop.length ? ` ${tn(without_crop.length, "{count} person will not be recognised until shown again, because no pictures were kept.", "{count} people will not be recognised until shown again, because no pictures were kept.")}` : "";
    if (await ask(t("Switch to {models}?", { models: pack }), t("From then on faces are recognised with {models}.", { models: pack }) + lost, t("Switch"))) {
      await this.#try(async () => {
        await post("/model-change/switch");
        this.#page.say(t("Recognition uses {models} now.", { models: pack }));
      });
    }
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

const title = () => element("h3", { textContent: t("Models") });

function comparison({ comparison: found, pack }) {
  if (!found) return [];
  const cells = (tag, ...texts) => texts.map((textContent) => element(tag, { textContent }));
  const head = element("thead", {}, element("tr", {}, element("td"), ...cells("th", t("Now"), pack)));
  const row = (name, write) => element("tr", {}, element("th", { scope: "row", textContent: name }), ...cells("td", write(found.old), write(found.new)));
  const rows = [];
  if (found.old?.rank1 != null) rows.push(row(t("Most alike is the right person"), ({ rank1 }) => percent(rank1, 1) || "–"));
  if (found.old?.d_prime != null) rows.push(row(t("How far apart people are"), ({ d_prime }) => (Number.isFinite(d_prime) ? number(d_prime, 1) : "–")));
  return [paragraph(heard(found.words)), ...(rows.length ? [element("table", {}, head, element("tbody", {}, ...rows))] : [])];
}

function missing({ without_crop: people = [], unreadable = 0, negatives = 0 }) {
  const more = [];
  if (unreadable) more.push(paragraph(tn(unreadable, "{count} kept crop could not be read.", "{count} kept crops could not be read.")));
  if (negatives) more.push(paragraph(tn(negatives, "{count} “not this person” mark cannot be learnt anew and would rest.", "{count} “not this person” marks cannot be learnt anew and would rest.")));
  if (people.length === 0) return element("div", {}, ...more, paragraph(more.length ? t("All else could be learnt anew.") : t("Every picture could be learnt anew."), "soft"));
  return element(
    "div",
    {},
    ...more,
    paragraph(tn(people.length, "No crop was kept of some pictures of {count} person: show them again after the switch.", "No crop was kept of some pictures of {count} people: show these people again after the switch.")),
    element("ul", {}, ...people.map(({ person, name, samples }) => element("li", {}, ...woven("{name}: {pictures}", { name: element("a", { href: `#people/${person}`, textContent: name, className: "name" }), pictures: pictures(samples) })))),
  );
}

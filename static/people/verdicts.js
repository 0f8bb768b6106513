// What became of each photo, person by person, and what somebody has to decide.

import { element } from "../dom.js";
import { joined, t } from "../language.js";
import { heard } from "../server_words.js";
import { faceChooser } from "./choose_face.js";
import { askText } from "./dialogs.js";
import { groups, groupWords, mayInsist, needsYou, verdictWords } from "./draft.js";
import { button, paragraph } from "./parts.js";

/** The list. `decide(entry, what)` tells the server; `fileOf(entry)` is the photo as it was dropped, where there is one. */
export class Verdicts {
  drawn = element("div", { className: "verdicts" });
  #decide;
  #fileOf;
  #shown = new Map(); // name → {box, state}: only what has changed is drawn anew

  constructor({ decide, fileOf }) {
    [this.#decide, this.#fileOf] = [decide, fileOf];
  }

  draw(entries, filter) {
    const now = new Map();
    for (const group of groups(entries, filter)) {
      const state = JSON.stringify(group);
      const before = this.#shown.get(group.name);
      const box = before?.state === state ? before.box : this.#group(group, before?.box);
      now.set(group.name, { box, state });
    }
    const wanted = [...now.values()].map(({ box }) => box);
    const hadFocus = this.drawn.contains(document.activeElement);
    if (wanted.some((box, at) => this.drawn.children[at] !== box) || wanted.length !== this.drawn.children.length) {
      this.drawn.replaceChildren(...wanted);
    }
    this.#shown = now;
    // Deciding takes the pressed button away: go on with what comes next.
    if (hadFocus && !this.drawn.contains(document.activeElement)) {
      (this.drawn.querySelector(".needs button") ?? this.drawn.querySelector("summary"))?.focus();
    }
  }

  #group(group, before) {
    const title = element("span", { className: "name", textContent: group.name || t("Nobody named") });
    const line = element("small", { textContent: joined([group.exists && t("Known already"), groupWords(group)]) });
    const rows = group.files.map((entry) => this.#row(entry));
    const open = before?.open || group.needs > 0;
    return element("details", { className: "folded group", open }, element("summary", {}, title, line), element("ul", {}, ...rows));
  }

  #row(entry) {
    const kind = entry.verdict === "used" ? "good" : needsYou(entry) ? "needs" : "out";
    const head = element("div", { className: "file-head" }, element("b", { textContent: entry.file }), element("span", { className: `chip ${kind}`, textContent: verdictWords(entry.verdict) }));
    const parts = [head];
    if (entry.words && entry.verdict !== "used") parts.push(paragraph(heard(entry.words), "soft"));
    if (entry.verdict === "several_faces" && entry.faces?.length) {
      parts.push(paragraph(entry.name ? t("Which one is {name}?", entry) : t("Which one is it?")), faceChooser(entry, this.#fileOf(entry), (face) => this.#decide(entry, { face })));
    }
    const choices = this.#choices(entry);
    if (entry.verdict === "used") head.append(...choices);
    else if (choices.length) parts.push(element("div", { className: "row" }, ...choices));
    return element("li", { className: `file ${kind}` }, ...parts);
  }

  async #rename(entry) {
    const done = await askText({ title: t("Who is in {file}?", entry), label: t("Name"), submit: async (name) => name });
    if (done) this.#decide(entry, { name: done.text });
  }

  #choices(entry) {
    if (entry.local) return [];
    const made = [];
    const choice = (words, what, kind) => {
      const one = button(words, () => this.#decide(entry, what), kind);
      one.ariaLabel = t("{action}: {file}", { action: words, file: entry.file });
      made.push(one);
    };
    if (entry.verdict === "looks_like") {
      if (entry.like) choice(t("It is {name}", entry.like), { name: entry.like.name }, "primary");
      choice(t("Keep as {name}", entry), { accept: true });
      const other = button(t("Somebody else …"), () => this.#rename(entry));
      other.ariaLabel = t("Somebody else: {file}", entry);
      made.push(other);
    }
    if (mayInsist(entry)) choice(t("Use it all the same"), { accept: true });
    if (needsYou(entry) || entry.verdict === "used") choice(t("Leave out"), { drop: true });
    return made;
  }
}

// The tab that learns people from photos.

import { ConsentPart, Unsaid } from "../consent.js";
import { mayBeRecognised } from "../consent_words.js";
import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn, woven } from "../language.js";
import { newest } from "./changes.js";
import { ask } from "./dialogs.js";
import { leftOut, saveWords, tally } from "./draft.js";
import { dropZone, keepDropsOff } from "./drop_zone.js";
import { Importing } from "./importing.js";
import { button, field, paragraph, suggestions } from "./parts.js";
import { progress, timeLeft } from "./queue.js";
import { Verdicts } from "./verdicts.js";
import { contents, sort } from "./walk.js";

const REDRAW = 150; // ms: a thousand photos must not mean a thousand drawings

export class AddPhotos {
  #page;
  #importing = new Importing(() => this.#soon());
  #waiting = []; // photos without a name
  #timer = null;
  #busy = false; // when it was drawn last
  #name = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false });
  #room = element("input", { maxLength: 40, autocomplete: "off", autocapitalize: "none", spellcheck: false });
  #found = paragraph("", "soft");
  #unnamed = element("div", { className: "card notice", hidden: true });
  #way = element("div", { className: "way", hidden: true });
  #failed = element("div", {});
  #only = element("input", { type: "checkbox" });
  #filter = element("label", { className: "check", hidden: true }, this.#only, element("span", {}));
  #saving = element("div", { className: "saving", hidden: true });
  #saved = element("div", {});
  #consent = new ConsentPart({ many: true });
  #lawful = new Set(); // names of people who need no more words
  #verdicts = new Verdicts({ decide: (entry, what) => this.#decide(entry, what), fileOf: (entry) => this.#importing.fileOf(entry) });
  #names;

  constructor(root, page) {
    this.#page = page;
    this.#names = suggestions(this.#name, "add-names", []);
    this.#found.setAttribute("role", "status");
    root.append(
      element("h2", { textContent: t("Learn people from photos") }),
      paragraph(t("Each photo is looked at first; nothing is kept until you save. Ask before you add somebody."), "soft"),
      element(
        "div",
        { className: "fields" },
        field(t("Whose photos? (for photos that are not in folders)"), this.#name),
        field(t("Room (empty: known to everyone)"), this.#room),
      ),
      this.#names,
      dropZone((files) => this.#take(files)),
      this.#found,
      this.#unnamed,
      this.#saved,
      this.#way,
      this.#failed,
      this.#filter,
      this.#verdicts.drawn,
      this.#saving,
    );
    keepDropsOff(document);
    this.#only.addEventListener("change", () => this.#draw());
    this.#name.addEventListener("keydown", (event) => event.key === "Enter" && this.#sendWaiting());
    addEventListener("beforeunload", (event) => this.#importing.unsaved && event.preventDefault());
    addEventListener("pagehide", (event) => event.persisted || this.#importing.abandon());
  }

  async show() {
    this.#saved.replaceChildren(); // once something else happened (an undo, say) it may be so no more
    const people = await this.#page.people().catch(() => []);
    this.#lawful = new Set(people.filter(mayBeRecognised).map(({ name }) => name.toLocaleLowerCase()));
    this.#names.replaceChildren(...people.map(({ name }) => element("option", { value: name })));
  }

  #take(files) {
    const sorted = sort(files);
    this.#found.textContent = contents(sorted);
    this.#waiting.push(...sorted.loose);
    const name = this.#name.value.trim();
    this.#send([...sorted.named, ...sorted.zips.map((zip) => ({ ...zip, name }))]);
    if (name) this.#sendWaiting();
    else this.#askName();
  }

  /** Photos that lie in no folder need a name before they are looked at. */
  #askName() {
    this.#unnamed.hidden = this.#waiting.length === 0;
    if (this.#unnamed.hidden) return;
    const number = this.#waiting.length;
    this.#unnamed.replaceChildren(
      element("p", { role: "alert", textContent: tn(number, "Whose photo is this? Type the name above.", "Whose {count} photos are these? Type the name above.") }),
      element(
        "div",
        { className: "row" },
        button(tn(number, "Look at {count} photo", "Look at {count} photos"), () => this.#sendWaiting(), "primary"),
        button(t("Leave them out"), () => {
          this.#waiting = [];
          this.#askName();
        }),
      ),
    );
    this.#name.focus();
  }

  #sendWaiting() {
    const name = this.#name.value.trim();
    if (this.#waiting.length === 0) return;
    if (!name) return this.#name.focus();
    this.#send(this.#waiting.splice(0).map((photo) => ({ ...photo, name })));
    this.#askName();
  }

  #send(photos) {
    if (photos.length === 0) return;
    this.#saved.replaceChildren();
    this.#importing.add(photos, this.#room.value.trim() || null);
    this.#room.disabled = true;
  }

  async #decide(entry, what) {
    try {
      await this.#importing.decide(entry, what);
    } catch (error) {
      this.#page.say(error.message);
    }
  }

  #soon() {
    this.#timer ??= setTimeout(() => this.#draw(), REDRAW);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { entries, queue, existing, begun } = this.#importing;
    const sums = tally(entries);
    if (this.#busy && !queue.busy) this.#importing.compare();
    this.#busy = queue.busy;
    this.#drawWay();
    this.#drawFailed();
    if (sums.needs === 0) this.#only.checked = false;
    this.#filter.hidden = sums.needs === 0;
    this.#filter.lastChild.textContent = t("Only what needs you ({number})", { number: sums.needs });
    this.#verdicts.draw(entries, { onlyNeeds: this.#only.checked, existing });
    this.#drawSaving(sums, begun, entries);
    this.#room.disabled = begun;
  }

  #drawWay() {
    const { queue, startedAt } = this.#importing;
    this.#way.hidden = !queue.busy;
    if (!queue.busy) return this.#way.replaceChildren();
    if (!this.#way.firstChild) {
      const bar = element("progress", { max: 1, ariaLabel: t("Photos looked at") });
      const stop = button(t("Stop"), () => queue.cancel());
      this.#way.append(bar, element("div", { className: "bar" }, paragraph(""), stop));
    }
    const far = progress(queue.parcels);
    this.#way.querySelector("progress").value = far.bytes ? far.gone / far.bytes : 0;
    const left = timeLeft(far, (performance.now() - startedAt) / 1000);
    const words = enumerated([tn(far.of, "{done} of {count} file looked at", "{done} of {count} files looked at", { done: far.files }), left]);
    this.#way.querySelector("p").textContent = far.waiting ? t("{far}. {problem} Trying again …", { far: words, problem: far.waiting }) : words;
  }

  #drawFailed() {
    const { queue, gone } = this.#importing;
    const failed = queue.parcels.filter(({ state }) => state === "failed");
    if (failed.length === 0) return this.#failed.replaceChildren();
    const ways = [];
    if (gone) ways.push(button(t("Look at all of them again"), () => this.#importing.again(), "primary"));
    else if (failed.some(({ error }) => error.passing)) ways.push(button(t("Try again"), () => failed.forEach((parcel) => queue.retry(parcel)), "primary"));
    if (!gone) ways.push(button(t("Leave out"), () => queue.drop()));
    const words = gone
      ? t("The server has lost what was looked at so far: it was started anew, or this took too long. The photos are still here.")
      : tn(failed.length, "{count} file did not get through.", "{count} files did not get through.");
    const rows = failed.slice(0, 20).map(({ path, error }) => element("li", {}, element("b", { textContent: path }), ` ${error.message}`));
    if (failed.length > 20) rows.push(element("li", { textContent: t("and {number} more", { number: failed.length - 20 }) }));
    const hadFocus = this.#failed.contains(document.activeElement);
    this.#failed.replaceChildren(element("div", { className: "card notice", role: "alert" }, paragraph(words), gone ? "" : element("ul", {}, ...rows), element("div", { className: "row" }, ...ways)));
    if (hadFocus) ways[0].focus();
  }

  #drawSaving(sums, begun, entries) {
    const { queue, gone } = this.#importing;
    this.#saving.hidden = !begun || gone;
    if (this.#saving.hidden) return;
    if (!this.#saving.firstChild) {
      const words = paragraph("", "soft");
      words.setAttribute("role", "status");
      this.#saving.append(this.#consent.drawn, words, element("div", { className: "row" }, button("", () => this.#commit(), "primary"), button(t("Discard"), () => this.#discard())));
    }
    const fresh = entries.filter((entry) => entry.verdict === "used" && !this.#lawful.has(entry.name.toLocaleLowerCase()));
    this.#consent.needless = fresh.length === 0;
    const [save] = this.#saving.querySelectorAll("button");
    save.textContent = saveWords(sums);
    save.disabled = queue.busy || sums.used === 0;
    this.#saving.querySelector("p").textContent = queue.busy ? "" : leftOut(sums);
  }

  async #commit() {
    const [save] = this.#saving.querySelectorAll("button");
    save.disabled = true;
    try {
      const { people, change } = await this.#importing.commit(this.#consent.read());
      this.#consent.reset();
      const words = tn(people.length, "{count} person saved.", "{count} people saved.");
      this.#page.changed(words, change ? [change] : await newest("enrol", "add_samples"));
      this.#found.textContent = "";
      const row = ({ id, name, added }) => element("li", {}, ...woven("{name}: {pictures}", { name: element("a", { href: `#people/${id}`, textContent: name, className: "name" }), pictures: tn(added, "{count} new picture", "{count} new pictures") }));
      this.#saved.replaceChildren(
        element(
          "div",
          { className: "card notice good" },
          element("h3", { textContent: words }),
          element("ul", {}, ...people.map(row)),
          paragraph(t("They are recognised from now on. To take it back: Recent changes, on the first tab."), "soft"),
        ),
      );
    } catch (error) {
      save.disabled = false;
      this.#saving.querySelector("p").textContent = error instanceof Unsaid ? error.message : t("{problem} Nothing was saved.", { problem: error.message });
    }
  }

  async #discard() {
    const { entries, queue } = this.#importing;
    if ((entries.length || queue.busy) && !(await ask(t("Discard these photos?"), t("Nothing of them is kept."), t("Discard"), { no: t("Go on"), danger: true }))) return;
    await this.#importing.discard();
    this.#found.textContent = "";
  }
}

// 'Who is this?': the sheet that names a face, asks when in doubt, and takes a wrong name back.

import { refusal } from "./challenge.js";
import { ConsentPart, Unsaid, withConsent } from "./consent.js";
import { $, element } from "./dom.js";
import { Guide } from "./guide.js";
import { t } from "./language.js";
import { errorWords } from "./server_words.js";
import { toast, undo } from "./toast.js";
import { question, Why } from "./why.js";
import { chance, enrolling, SCOPES, scopes } from "./words.js";

const GREETING = 900; // milliseconds for which a closed ring is enjoyed

/**
 * The sheet. `command(kind, …fields)` sends a command of protocol.js and returns its number, or null without a connection; `look(track)` gives {box,
 * mirrored} of a face on the screen now.
 */
export class Who {
  #dialog = $("who");
  #face = null;
  #title = "";
  #command = null; // the number of the enrolment that runs
  #noting = null; // the number of a 'not this person' that waits for its answer
  #guided = false;
  #waiting = false; // pictures wait on the server for an answer
  #refused = false; // somebody insisted already on pictures that do not agree
  #greeting = null; // the timer of a ring that is closed
  #consent = new ConsentPart();
  #kept = () => true; // whether whom is named stays known when the visit ends
  #send;
  #guide;
  #why;

  constructor({ command, look }) {
    this.#send = command;
    this.#guide = new Guide(look);
    this.#why = new Why({ ask: (track) => command("why", track), look });
    $("who-agree").append(this.#consent.drawn);
    this.#consent.watch($("who-name"));
    $("who-scope").addEventListener("change", () => (this.#consent.needless = !this.#kept()));
    $("who-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    const clicks = {
      "who-cancel": () => this.#dialog.close(),
      "who-guide": () => this.#save({ mode: "guided" }),
      "who-finish": () => this.#send("finishEnrol", this.#face.track),
      "who-same": () => this.#saveAs(this.#face.name),
      "who-add": () => this.#save({ confirm: "add" }),
      "who-rename": () => this.#save({ confirm: "rename" }),
      "who-new": () => this.#save({ confirm: "new" }),
      "who-why": () => this.#askWhy(),
      "who-not": () => this.#notThem(),
    };
    for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** Open for a face of the newest results. */
  open(face) {
    this.#face = face;
    const known = face.identity === "known";
    const perhaps = face.identity === "uncertain" && Boolean(face.name);
    this.#title = known ? t("This is {name}", face) : perhaps ? t("Is this {name}?", face) : t("Who is this?");
    $("who-same").hidden = !perhaps;
    $("who-same").textContent = perhaps ? t("Yes, this is {name}", face) : "";
    $("who-label").textContent = known ? t("Not right? Say who it is") : perhaps ? t("Or somebody else") : t("Name");
    $("who-why").textContent = question(face.identity) ?? "";
    $("who-why").hidden = !question(face.identity);
    $("who-not").textContent = face.name ? t("This is not {name}", face) : "";
    $("who-not").hidden = !(known || perhaps);
    $("who-name").value = "";
    this.#consent.about("");
    this.#consent.reset();
    this.#step("name");
    this.#dialog.showModal();
    // On a phone the keyboard would hide what a known face was touched for.
    $(known ? "who-why" : perhaps ? "who-same" : "who-name").focus();
  }

  /** Whom to offer while typing; `people` as the server lists them. */
  suggest(people) {
    $("who-known").replaceChildren(...people.map(({ name }) => element("option", { value: name })));
    this.#consent.know(people);
  }

  /** Offer whom a new name is for, as far as this visit leaves a choice. */
  visit(visit) {
    const choices = scopes(visit);
    this.#kept = () => this.#dialog.querySelector("input[name=scope]:checked")?.value !== "session" && !visit.guest;
    $("who-scope").hidden = choices.length === 0;
    $("who-scope-choices").replaceChildren(
      ...choices.map((scope, i) => {
        const words = scope === "room" ? t("Room {room}", visit) : SCOPES[scope].words;
        const means = element("small", { textContent: SCOPES[scope].means });
        if (choices.length === 1) return element("p", {}, words, means);
        const input = element("input", { type: "radio", name: "scope", value: scope, checked: i === 0 });
        return element("label", {}, input, element("span", {}, words, means));
      }),
    );
    this.#consent.needless = !this.#kept();
  }

  /** Whether this server asks whoever is named for movements: "off" (if one likes), "ask" (unless one does not) or "require". */
  liveness(wish = "off") {
    $("who-challenge").checked = wish !== "off";
    $("who-challenge").disabled = wish === "require";
  }

  /** A message of the commands channel that may be about this. */
  message(message) {
    this.#why.message(message);
    if (message.id === null || message.id === undefined) return;
    if (message.id === this.#noting) this.#noted(message);
    if (message.id !== this.#command) return;
    if (message.type === "enrolling") this.#learning(message);
    else if (message.type === "challenge") this.#asked(message);
    else if (message.type === "enrolled") this.#enrolled(message);
    else if (message.type === "error") this.#failed(message);
  }

  /** The connection is gone: what was begun is lost. */
  lost() {
    if (this.#command === null && !this.#waiting) return;
    this.#command = null;
    this.#waiting = false;
    this.#step("name");
    this.#status(t("The connection broke before the face was learnt. Try again."));
  }

  #saveAs(name) {
    $("who-name").value = name;
    this.#consent.about(name);
    this.#save();
  }

  #save(how = {}) {
    const name = $("who-name").value.trim();
    if (!name) {
      this.#status(t("Type a name first."));
      $("who-name").focus();
      return;
    }
    let consent;
    try {
      consent = this.#consent.read();
    } catch (error) {
      if (!(error instanceof Unsaid)) throw error;
      return this.#status(error.message);
    }
    if ($("who-challenge").checked && !how.confirm) how = { ...how, mode: "guided", challenge: true };
    const scope = this.#dialog.querySelector("input[name=scope]:checked")?.value;
    this.#command = this.#send("enrol", this.#face.track, name, withConsent(scope ? { ...how, scope } : how, consent));
    if (this.#command === null) return this.#status(t("There is no connection now. Try again in a moment."));
    this.#waiting = false;
    this.#refused = how.confirm === "new";
    if (how.confirm) return this.#step("saving");
    this.#step(how.mode === "guided" ? "guide" : "quick");
    $("who-cancel").focus();
    if (this.#guided) this.#guide.start(this.#face.track, how.challenge);
    else this.#status(t("Learning the face: look at the camera."));
  }

  #learning(message) {
    if (this.#guided) {
      this.#guide.show(message);
      $("who-finish").hidden = message.samples < message.needed || this.#guide.asking;
      return;
    }
    if (this.#dialog.dataset.step !== "quick") this.#step("quick"); // the pictures that waited are gone: new ones are taken
    $("who-progress").max = message.needed;
    $("who-progress").value = message.samples;
    this.#status(t("Learning the face: {far}", { far: enrolling(message) }));
  }

  #asked(message) {
    if (!this.#guided) return;
    this.#guide.ask(message);
    if (this.#guide.asking) $("who-finish").hidden = true;
  }

  #enrolled(message) {
    this.#command = null;
    const { name, added_to_existing: added } = message;
    if (this.#guided) {
      $("who-finish").hidden = $("who-cancel").hidden = true;
      this.#guide.done(name);
      this.#greeting = setTimeout(() => this.#dialog.close(), GREETING);
    } else {
      this.#dialog.close();
    }
    toast(added ? t("Added to {name}.", { name }) : t("{name} is known now.", { name }));
  }

  #failed(message) {
    this.#command = null;
    if (message.code === "looks_like") return this.#choose(message);
    if (message.code === "review_failed") return this.#review(message);
    this.#step("name");
    this.#status(refusal(message));
    if (message.code !== "challenge_failed") return;
    $("who-save").textContent = t("Try again");
    $("who-save").focus();
  }

  /** The face resembles somebody: who is it? The pictures wait for the answer. */
  #choose({ name, probability }) {
    this.#waiting = true;
    this.#step("choose");
    const sure = chance(probability);
    $("who-title").textContent = t("Is this {name}?", { name });
    this.#status(sure ? t("This looks like {name} (p = {chance}).", { name, chance: sure }) : t("This looks like {name}.", { name }));
    $("who-add").textContent = t("Add to {name}", { name });
    $("who-rename").textContent = t("Rename {before} to {name}", { before: name, name: $("who-name").value.trim() });
    $("who-new").textContent = t("No, somebody else");
    $("who-add").focus();
  }

  /** The pictures do not agree with each other. Whoever insists is asked no second time. */
  #review(message) {
    const final = this.#refused || message.final === true;
    this.#waiting = !final;
    this.#step(final ? "name" : "choose");
    this.#status(errorWords(message));
    $("who-add").hidden = $("who-rename").hidden = true;
    $("who-new").textContent = t("Keep them all the same");
    if (!final) $("who-new").focus();
  }

  #askWhy() {
    if (this.#why.open) this.#why.hide();
    else this.#why.show(this.#face.track);
    $("who-why").setAttribute("aria-expanded", String(this.#why.open));
  }

  #notThem() {
    this.#noting = this.#send("notPerson", this.#face.track, this.#face.person);
    if (this.#noting === null) this.#status(t("There is no connection now. Try again in a moment."));
  }

  #noted(message) {
    this.#noting = null;
    if (message.type === "error") return this.#status(errorWords(message));
    const name = this.#face.name;
    this.#dialog.close();
    toast(t("Noted: this is not {name}.", { name }), message.change && undo(message.change, t("Taken back: this may be {name}.", { name }))); // what a guest notes ends with the visit
  }

  /** What the sheet shows: "name", "quick" (learning), "guide" (learning by the ring), "choose" (an answer is needed) or "saving". */
  #step(step) {
    if (this.#guided && step !== "guide") this.#guide.stop();
    this.#guided = step === "guide";
    this.#dialog.dataset.step = step;
    const naming = step === "name";
    if (!naming) this.#why.hide();
    $("who-why").setAttribute("aria-expanded", String(this.#why.open));
    $("who-name").disabled = !naming;
    $("who-naming").hidden = $("who-about").hidden = $("who-consent").hidden = $("who-agree").hidden = !naming;
    $("who-save").textContent = t("Save");
    $("who-save").hidden = $("who-guide").hidden = !naming;
    $("who-finish").hidden = true;
    $("who-cancel").hidden = false;
    $("guide").hidden = step !== "guide";
    $("who-progress").hidden = step !== "quick";
    $("who-progress").value = 0;
    $("who-choice").hidden = step !== "choose";
    $("who-add").hidden = $("who-rename").hidden = false;
    $("who-title").textContent = naming ? this.#title : t("Learning {name} ## their face", { name: $("who-name").value.trim() });
    this.#status(step === "saving" ? t("Saving…") : "");
  }

  #closed() {
    clearTimeout(this.#greeting);
    if (this.#command !== null || this.#waiting) this.#send("cancelEnrol", this.#face.track);
    this.#command = this.#noting = null;
    this.#waiting = false;
    this.#why.hide();
    this.#step("name");
  }

  #status(text) {
    $("who-status").textContent = text;
  }
}

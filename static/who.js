// 'Who is this?': the sheet that names a face.

import { $, describe } from "./dom.js";
import { enrolling } from "./words.js";

const percent = (value) => (Number.isFinite(value) ? `${Math.min(99.9, value * 100).toFixed(1)} %` : null);
const number = (value) => (Number.isFinite(value) ? value.toFixed(3) : null);

/** The sheet. `enrol(track, name, confirm)` sends the command and returns its number, `cancel(track)` takes it back. */
export class Who {
  #dialog = $("who");
  #face = null;
  #command = null;
  #busy = false;
  #resembles = null; // the name of whom the server takes this face for
  #actions;
  #say;

  constructor({ enrol, cancel, say }) {
    this.#actions = { enrol, cancel };
    this.#say = say;
    $("who-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    $("who-cancel").addEventListener("click", () => this.#dialog.close());
    $("who-same").addEventListener("click", () => this.#saveAs(this.#face.name));
    $("who-it-is").addEventListener("click", () => this.#saveAs(this.#resembles));
    $("who-rename").addEventListener("click", () => this.#save("rename"));
    $("who-new").addEventListener("click", () => this.#save("new"));
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** Open for a face of the newest results. */
  open(face) {
    this.#face = face;
    this.#command = null;
    this.#setBusy(false);
    const known = face.identity === "known";
    const perhaps = face.identity === "uncertain" && face.name;
    $("who-title").textContent = known ? `This is ${face.name}` : perhaps ? `Is this ${face.name}?` : "Who is this?";
    $("who-same").hidden = !perhaps;
    $("who-same").textContent = perhaps ? `Yes, this is ${face.name}` : "";
    $("who-label").textContent = known ? "Not right? Say who it is" : perhaps ? "Or somebody else" : "Name";
    $("who-facts").hidden = !known && face.identity !== "uncertain";
    describe($("who-facts"), [
      ["Probability", percent(face.probability)],
      ["Similarity", number(face.similarity)],
      ["Ahead of the next", number(face.margin)],
      ["Pictures compared", face.votes],
      ["Quality", percent(face.quality?.overall)],
    ]);
    $("who-name").value = "";
    $("who-choice").hidden = true;
    this.#status("");
    this.#dialog.showModal();
    // On a phone the keyboard would hide the facts, which are what a known face was touched for.
    $(known ? "who-cancel" : perhaps ? "who-same" : "who-name").focus();
  }

  /** Names to offer while typing. */
  suggest(names) {
    $("who-known").replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
  }

  /** A message of the commands channel that may be about this. */
  message(message) {
    if (message.id === null || message.id !== this.#command) return;
    if (message.type === "enrolling") {
      $("who-progress").max = message.needed;
      $("who-progress").value = message.samples;
      this.#status(`Learning the face: ${enrolling(message)}`);
    } else if (message.type === "enrolled") {
      this.#command = null;
      this.#say(`${message.name} is known now.`);
      this.#dialog.close();
    } else if (message.type === "error") {
      this.#command = null;
      this.#setBusy(false);
      this.#status(message.message);
      if (message.code === "looks_like") this.#choose(message);
    }
  }

  /** The connection is gone: what was begun is lost. */
  lost() {
    if (!this.#busy) return;
    this.#command = null;
    this.#setBusy(false);
    this.#status("The connection broke before the face was learnt. Try again.");
  }

  #choose({ name }) {
    this.#resembles = name;
    $("who-it-is").textContent = `It is ${name}`;
    $("who-rename").textContent = `Yes, rename ${name} to ${$("who-name").value.trim()}`;
    $("who-choice").hidden = false;
    $("who-it-is").focus();
  }

  #saveAs(name) {
    $("who-name").value = name;
    this.#save();
  }

  #save(confirm) {
    const name = $("who-name").value.trim();
    $("who-choice").hidden = true;
    if (!name) {
      this.#status("Type a name first.");
      $("who-name").focus();
      return;
    }
    this.#command = this.#actions.enrol(this.#face.track, name, confirm);
    if (this.#command === null) {
      this.#status("There is no connection now. Try again in a moment.");
      return;
    }
    this.#setBusy(true);
    this.#status("Learning the face: look at the camera.");
  }

  #setBusy(busy) {
    this.#busy = busy;
    $("who-save").disabled = busy;
    $("who-name").disabled = busy;
    $("who-same").disabled = busy;
    $("who-progress").hidden = !busy;
    $("who-progress").value = 0;
  }

  #closed() {
    if (this.#command !== null) this.#actions.cancel(this.#face.track);
    this.#command = null;
    this.#setBusy(false);
  }

  #status(text) {
    $("who-status").textContent = text;
  }
}

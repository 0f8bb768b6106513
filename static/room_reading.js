// What is read of faces in this room: the host's switches, and how it stands for everybody else.

import { $, ask } from "./dom.js";
import { t } from "./language.js";
import { get, put, Refusal } from "./people/api.js";

const SWITCHES = ["distance", "gender", "age"];

const ASKED = { gender: t("Show apparent gender?"), age: t("Show apparent age?") };
// What somebody agrees to who switches these on.
const HONESTLY = {
  gender: t("It is a guess from a picture: how a face looks, not who somebody is. There are two labels, female and male, only because the photos it was learnt from have no others. The networks that guess it learnt from photos collected for non-commercial research. The percentage is meant to say how often such a guess is right. Where a face is too far away or they are not sure, they do not say."),
  age: t("It is a guess from a picture: a span of years, meant to hold the true age in 8 of 10 cases. The networks that guess it learnt from photos collected for non-commercial research. Where a face is too far away, they do not say."),
};

/** The switches in the panel. `room` is the visit's, or null. */
export class RoomReading {
  #room;
  #guest = false;
  #known = null; // as the server last said
  #wanted = {}; // what was chosen and not answered yet

  constructor({ room }) {
    this.#room = room;
    if (room) $("reading-where").textContent = t("For everybody in room {room}.", { room });
    for (const part of SWITCHES) $(`reading-${part}`).addEventListener("change", () => this.#choose(part));
    this.#show();
  }

  /** Ask the server how it stands; a guest learns it from the session. */
  async read() {
    if (this.#guest) return;
    try {
      this.tell(await get(`/reading${this.#room ? `?room=${encodeURIComponent(this.#room)}` : ""}`));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#status(error.message);
    }
  }

  /** Guests see it and cannot change it. */
  guest() {
    this.#guest = true;
    this.#show();
  }

  /** What is read from now on: {distance, gender, age}. */
  tell(reading) {
    this.#known = reading;
    this.#status("");
    this.#show();
  }

  async #choose(part) {
    const on = $(`reading-${part}`).checked;
    this.#wanted[part] = on; // an answer about another switch does not turn this one back
    try {
      if (on && HONESTLY[part] && !(await ask({ title: ASKED[part], text: HONESTLY[part], yes: t("Show it"), no: t("Cancel") }))) return;
      const body = { [part]: on, ...(this.#room ? { room: this.#room } : {}) };
      this.tell(await put("/reading", body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#status(error.message);
    } finally {
      delete this.#wanted[part];
      this.#show();
    }
  }

  #show() {
    $("reading").disabled = this.#guest || this.#known === null;
    $("reading-guest").hidden = !this.#guest;
    for (const part of SWITCHES) $(`reading-${part}`).checked = this.#wanted[part] ?? this.#known?.[part] ?? false;
  }

  #status(text) {
    $("reading-status").textContent = text;
  }
}

// What is read of faces in this room: the host's switches, and how it stands for everybody else.

import { $ } from "./dom.js";
import { get, put, Refusal } from "./people/api.js";

const SWITCHES = ["distance", "gender", "age"];

/** The switches in the panel. `room` is the visit's, or null. */
export class RoomReading {
  #room;
  #guest = false;
  #known = null; // as the server last said

  constructor({ room }) {
    this.#room = room;
    if (room) $("reading-where").textContent = `For everybody in room ${room}.`;
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
    const body = { [part]: on, ...(this.#room ? { room: this.#room } : {}) };
    try {
      this.tell(await put("/reading", body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#show(); // as it was
      this.#status(error.message);
    }
  }

  #show() {
    $("reading").disabled = this.#guest || this.#known === null;
    $("reading-guest").hidden = !this.#guest;
    for (const part of SWITCHES) $(`reading-${part}`).checked = this.#known?.[part] ?? false;
  }

  #status(text) {
    $("reading-status").textContent = text;
  }
}

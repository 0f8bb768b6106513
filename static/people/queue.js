// Sending many files, a few at a time, with another try where that may help. No document.

import { t, tn } from "../language.js";

export const AT_ONCE = 2;
const TRIES = 4;
const MOST_WAIT = 30; // seconds

/** One file on its way. `state`: waiting, sending, done, failed or cancelled. */
export class Parcel {
  state = "waiting";
  sent = 0; // bytes
  error = null;
  constructor({ file, name, path }) {
    [this.file, this.name, this.path] = [file, name, path];
  }
}

/** Sends parcels. `send(parcel, signal)` does one and throws what went wrong (`passing`: worth another try);
 * `changed()` is called whenever something has moved; `pause(seconds, signal)` waits. */
export class Queue {
  parcels = [];
  #send;
  #changed;
  #pause;
  #going = 0;
  #abort = new AbortController();
  #idle = [];

  constructor({ send, changed = () => {}, pause = sleep }) {
    [this.#send, this.#changed, this.#pause] = [send, changed, pause];
  }

  get busy() {
    return this.parcels.some(({ state }) => state === "waiting" || state === "sending");
  }

  add(parcels) {
    this.parcels.push(...parcels);
    this.#next();
  }

  /** Send a failed one again. */
  retry(parcel) {
    if (parcel.state !== "failed") return;
    Object.assign(parcel, { state: "waiting", error: null, sent: 0 });
    this.#next();
  }

  /** Give up the failed ones. */
  drop() {
    this.parcels = this.parcels.filter(({ state }) => state !== "failed");
    this.#changed();
  }

  /** Stop: what was not sent is not sent any more. */
  cancel() {
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const parcel of this.parcels) if (parcel.state === "waiting" || parcel.state === "sending") parcel.state = "cancelled";
    this.#next();
  }

  /** Resolves when nothing is on its way. */
  settled() {
    return this.busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  #next() {
    this.#changed();
    while (this.#going < AT_ONCE) {
      const parcel = this.parcels.find(({ state }) => state === "waiting");
      if (!parcel) break;
      parcel.state = "sending";
      this.#going += 1;
      this.#deliver(parcel, this.#abort.signal).finally(() => {
        this.#going -= 1;
        this.#next();
      });
    }
    if (!this.busy) this.#idle.splice(0).forEach((resolve) => resolve());
  }

  async #deliver(parcel, signal) {
    for (let tried = 1; ; tried++) {
      try {
        await this.#send(parcel, signal);
        if (!signal.aborted) parcel.state = "done";
        return;
      } catch (error) {
        if (signal.aborted) return;
        parcel.error = error;
        if (!error.passing || tried === TRIES) {
          parcel.state = "failed";
          return;
        }
        parcel.sent = 0;
        this.#changed();
        await this.#pause(Math.min(error.after ?? 2 ** (tried - 1), MOST_WAIT), signal);
        if (signal.aborted) return;
      }
    }
  }
}

const sleep = (seconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** How far a queue is: files and bytes done and in all, and whether one waits for a connection. */
export function progress(parcels) {
  const counted = parcels.filter(({ state }) => state !== "cancelled");
  const over = counted.filter(({ state }) => state === "done" || state === "failed");
  const bytes = counted.reduce((sum, { file }) => sum + file.size, 0);
  const gone = counted.reduce((sum, { file, sent, state }) => sum + (state === "done" || state === "failed" ? file.size : Math.min(sent, file.size)), 0);
  const stuck = counted.find(({ state, error }) => state === "sending" && error);
  return { files: over.length, of: counted.length, gone, bytes, waiting: stuck?.error.message ?? null };
}

/** Time left in words, once enough is known to say. `elapsed` in seconds. */
export function timeLeft({ gone, bytes }, elapsed) {
  if (elapsed < 2 || gone <= 0 || gone >= bytes) return "";
  return leftWords((elapsed * (bytes - gone)) / gone);
}

/** So many seconds left, in words. */
export function leftWords(seconds) {
  if (seconds < 5) return t("a few seconds left");
  if (seconds < 55) return tn(5 * Math.ceil(seconds / 5), "about {count} second left", "about {count} seconds left");
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? tn(minutes, "about {count} minute left", "about {count} minutes left") : t("about {hours} h left", { hours: Math.round(minutes / 60) });
}

// Keeps a camera watched while somebody looks: when to connect, to try again, and to leave it.

import { t } from "../language.js";
import { Reconnector } from "../reconnect.js";
import { SessionError } from "../signalling.js";
import { endWords, refusalOf } from "./state_words.js";

const LINGER = 2000; // ms out of sight after which it is left: scrolling past costs no new connection
const FULL = 5; // seconds until a server that is full and does not say when is asked again
const SENDS = ["live", "silent", "away"]; // states in which there may be something to watch

/**
 * Calls: `stream(stream or null)`, `result(result, arrived)`, `message(message)`, and `said({words, again, busy})` with what stands over the picture (no words: nothing),
 * whether somebody may try again by hand, and whether it is being worked on.
 */
export class Watching {
  #make;
  #calls;
  #watch = null;
  #again = new Reconnector();
  #wanted = false;
  #state = "";
  #over = false; // refused, or ended for good: only a person, or another state of the camera, begins anew
  #waits = false; // for the next try
  #leaving = null;

  /** `make()` makes a Watch (watch.js). */
  constructor(make, calls) {
    this.#make = make;
    this.#calls = calls;
  }

  /** Whether somebody looks at it now. */
  look(wanted) {
    clearTimeout(this.#leaving);
    this.#wanted = wanted;
    if (wanted) this.#begin();
    else this.#leaving = setTimeout(() => this.#leave(), LINGER);
  }

  /** The camera's state, as the room says. */
  state(state) {
    const before = this.#state;
    this.#state = state;
    if (state === before) return;
    const back = SENDS.includes(state) && !SENDS.includes(before);
    if (back || (state === "live" && (this.#over || this.#waits))) this.retry();
  }

  /** Try again now. */
  retry() {
    this.#over = false;
    this.#stopWaiting();
    this.#begin();
  }

  /** There is a network again, or the like. */
  hurry() {
    this.#again.hurry();
  }

  async #begin() {
    if (!this.#wanted || !SENDS.includes(this.#state) || this.#over || this.#waits || this.#watch) return;
    const watch = this.#make();
    this.#watch = watch;
    const mine = (call) => ({ detail }) => this.#watch === watch && call(detail);
    watch.addEventListener("stream", mine(({ stream }) => this.#calls.stream(stream)));
    watch.addEventListener("result", mine(({ result, arrived }) => this.#result(result, arrived)));
    watch.addEventListener("message", mine((message) => this.#calls.message(message)));
    watch.addEventListener("lost", mine(({ reason }) => this.#lost(reason)));
    if (this.#again.tries === 0) this.#calls.said({ words: t("Connecting…"), busy: true });
    try {
      await watch.start();
    } catch (error) {
      watch.end();
      if (this.#watch !== watch) return;
      this.#watch = null;
      if (!(error instanceof SessionError)) throw error;
      this.#refused(error);
    }
  }

  #result(result, arrived) {
    this.#again.reset();
    this.#calls.result(result, arrived);
  }

  #refused(error) {
    if (error.status === 0) return this.#wait("away", null);
    if (error.retry) return this.#wait(error.message, error.after ?? FULL);
    this.#over = true;
    this.#calls.stream(null);
    this.#calls.said(refusalOf(error));
  }

  #lost(reason) {
    this.#watch = null;
    if (reason === "codec changed") return this.#begin();
    this.#calls.stream(null);
    const words = endWords(reason);
    if (words) {
      this.#over = true;
      this.#calls.said({ words, again: reason !== "ended" });
      return;
    }
    this.#wait(reason, null);
  }

  #wait(reason, after) {
    this.#waits = true;
    const words = this.#again.schedule(reason, after, () => {
      this.#waits = false;
      this.#begin();
    });
    this.#calls.said({ words, again: true, busy: true });
  }

  #stopWaiting() {
    this.#waits = false;
    this.#again.reset();
  }

  #leave() {
    this.#watch?.end();
    this.#watch = null;
    this.#stopWaiting();
    this.#calls.stream(null);
    if (!this.#over) this.#calls.said({ words: "" });
  }

  /** The tile is gone, or the page goes. */
  end() {
    clearTimeout(this.#leaving);
    this.#wanted = false;
    this.#watch?.end();
    this.#watch = null;
    this.#stopWaiting();
  }
}

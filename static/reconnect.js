// When to try again after a connection broke, and what to say meanwhile. No DOM.

import { t } from "./language.js";

export const BACKOFF = [500, 1000, 2000, 3000]; // milliseconds; a server that is back is found within the last of them …
export const SPREAD = 0.2; // … give or take this share, so that many pages do not come at once
const BROKEN = {
  "no connection": t("The server answers, but no video gets through; a firewall may block UDP. Trying again…"),
  away: t("The server does not answer. Waiting for it to come back…"),
  gone: t("The server was started again. Connecting again…"),
  shutdown: t("The server was stopped. Waiting for it to come back…"),
};

/** Counts the tries since a connection last worked, and waits between them. */
export class Reconnector {
  tries = 0;
  #timer = null;
  #connect = null; // what is waited for, where it need not wait
  #random;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Call `connect` after a while: after `after` seconds where the server said so, else longer each time. Returns the words for whoever waits. */
  schedule(reason, after, connect) {
    const spread = 1 + SPREAD * (2 * this.#random() - 1);
    const wait = after === null ? BACKOFF[Math.min(this.tries, BACKOFF.length - 1)] * spread : after * 1000;
    this.tries += 1;
    clearTimeout(this.#timer);
    const now = () => {
      this.#connect = null;
      connect();
    };
    this.#connect = after === null ? now : null; // a server that says when is not asked before
    this.#timer = setTimeout(now, wait);
    return after === null ? (BROKEN[reason] ?? t("The connection broke. Connecting again…")) : reason;
  }

  /** Do not wait any longer: there is a network again, or somebody looks at the page again. */
  hurry() {
    if (!this.#connect) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** It works, or is no longer wanted. */
  reset() {
    this.tries = 0;
    this.#connect = null;
    clearTimeout(this.#timer);
  }
}

// When to try again after a connection broke, and what to say meanwhile. No DOM.

export const BACKOFF = [500, 1000, 2000, 4000, 8000]; // milliseconds
const BROKEN = {
  "no connection": "The server answers, but no video gets through; a firewall may block UDP. Trying again…",
  shutdown: "The server was stopped. Waiting for it to come back…",
};

/** Counts the tries since a connection last worked, and waits between them. */
export class Reconnector {
  tries = 0;
  #timer = null;

  /** Call `connect` after a while: after `after` seconds where the server said so, else longer each time. Returns the words for whoever waits. */
  schedule(reason, after, connect) {
    const wait = after === null ? BACKOFF[Math.min(this.tries, BACKOFF.length - 1)] : after * 1000;
    this.tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(connect, wait);
    return after === null ? (BROKEN[reason] ?? "The connection broke. Connecting again…") : reason;
  }

  /** It works, or is no longer wanted. */
  reset() {
    this.tries = 0;
    clearTimeout(this.#timer);
  }
}

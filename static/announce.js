// Says to a screen reader what has settled, and no more often than can be listened to. No DOM.

/** `say(text)` is called `settle` milliseconds after the text last changed; the same is never said twice in a row. */
export class Announcer {
  #say;
  #settle;
  #timer = null;
  #text = "";

  constructor(say, settle = 1500) {
    this.#say = say;
    this.#settle = settle;
  }

  tell(text) {
    if (text === this.#text) return;
    this.#text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(text), this.#settle);
  }

  /** Nothing more of this. */
  forget() {
    clearTimeout(this.#timer);
    this.#text = "";
  }
}

// One line across the picture: what is so now, and beneath it what stays so for longer.

const SECONDS = 6; // that a notice stays

export class Banner {
  #root;
  #lasting = "";

  constructor(root) {
    this.#root = root;
  }

  /** Say this, or with nothing to say what lasts. */
  say(text) {
    const words = text || this.#lasting;
    this.#root.textContent = words;
    this.#root.hidden = !words;
  }

  /** Say this for a while. */
  notice(text) {
    this.say(text);
    setTimeout(() => this.#root.textContent === text && this.say(""), SECONDS * 1000);
  }

  /** What is said from now on whenever there is nothing else to say; "" ends it. */
  last(text) {
    const before = this.#lasting;
    this.#lasting = text;
    if (this.#root.textContent === before) this.say("");
  }
}

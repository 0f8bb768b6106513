// What just happened, with the way back.

import { element } from "../dom.js";
import { button } from "./parts.js";

const SECONDS = 12; // WCAG 2.2.1 is met by the list of recent changes, where the way back stays

/** Short words at the foot of the page. */
export class Toast {
  #box;
  #timer = null;

  constructor(box) {
    this.#box = box;
    for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, () => clearTimeout(this.#timer));
    for (const event of ["pointerleave", "focusout"]) box.addEventListener(event, () => this.#leave());
  }

  /** Say something; with `undo`, offer to take it back. */
  say(words, undo = null) {
    const parts = [element("span", { textContent: words })];
    if (undo) {
      const back = button("Undo", () => {
        this.close();
        undo();
      });
      parts.push(back);
    }
    const close = button("×", () => this.close(), "close");
    close.ariaLabel = "Close this message";
    this.#box.replaceChildren(element("div", { className: "toast" }, ...parts, close));
    this.#leave();
  }

  close() {
    clearTimeout(this.#timer);
    this.#box.replaceChildren();
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), SECONDS * 1000);
  }
}

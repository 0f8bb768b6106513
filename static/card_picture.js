// A picture that stands still, and two handles to be put on the edges of the card in it.

import { t } from "./language.js";

/** Where the handles stand is kept in pixels of the picture as the camera gave it. */
export class CardPicture {
  width = 0;
  height = 0;
  #canvas;
  #handles; // the left one, the right one
  #at = [0, 0];
  #held = null; // the handle that is being dragged

  constructor(canvas, left, right) {
    this.#canvas = canvas;
    this.#handles = [left, right];
    this.#handles.forEach((handle, i) => {
      handle.addEventListener("keydown", (event) => this.#key(event, i));
      handle.addEventListener("pointerdown", (event) => {
        handle.setPointerCapture(event.pointerId);
        this.#held = i;
        event.preventDefault(); // no text is selected
        handle.focus();
      });
      handle.addEventListener("pointermove", (event) => this.#held === i && this.#drag(event, i));
      for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => (this.#held = null));
    });
  }

  /** How long the card is between the handles. */
  get pixels() {
    return this.#at[1] - this.#at[0];
  }

  /** Freeze what the video shows; false if it shows nothing. */
  take(video) {
    if (!video.videoWidth) return false;
    this.width = this.#canvas.width = video.videoWidth;
    this.height = this.#canvas.height = video.videoHeight;
    this.#canvas.getContext("2d").drawImage(video, 0, 0);
    this.#at = [0.39 * this.width, 0.61 * this.width].map(Math.round); // about where a card is at arm's length of a sheet
    return true;
  }

  /** Let go of the picture. */
  clear() {
    this.#canvas.width = this.#canvas.height = 1;
  }

  /** Show the handles where they stand. */
  place() {
    this.#handles.forEach((handle, i) => {
      handle.style.left = `${(100 * this.#at[i]) / this.width}%`;
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", String(this.width));
      handle.setAttribute("aria-valuenow", String(Math.round(this.#at[i])));
      handle.setAttribute("aria-valuetext", t("{at} of {width}; the card is {length} long ## in pixels", { at: Math.round(this.#at[i]), width: this.width, length: Math.round(this.pixels) }));
    });
  }

  #key(event, i) {
    const far = event.shiftKey ? 10 : 1;
    const step = { ArrowLeft: -far, ArrowDown: -far, ArrowRight: far, ArrowUp: far, PageDown: -10, PageUp: 10 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#move(i, this.#at[i] + step);
  }

  #drag(event, i) {
    const { left, width } = this.#canvas.getBoundingClientRect();
    this.#move(i, ((event.clientX - left) / width) * this.width);
  }

  #move(i, to) {
    const [least, most] = i === 0 ? [0, this.#at[1] - 8] : [this.#at[0] + 8, this.width];
    this.#at[i] = Math.min(most, Math.max(least, to));
    this.place();
  }
}

// What is on the stage: the frame that is shown, the faces drawn over it, and a button for each of them.

import { element, $ } from "./dom.js";
import { enumerated } from "./figures.js";
import { cropped, fit, touchable } from "./geometry.js";
import { draw } from "./overlay.js";
import { Steady } from "./reading.js";
import { spoken } from "./words.js";

/**
 * Draws on animation frames. `faces(time, now)` gives the faces of the frame captured at `time`; `shown(captured)` when a frame comes to the screen; `opened(face)` when
 * one is chosen; `drawn(now)` after each drawing.
 */
export class Stage {
  mirrored = false;
  shown = []; // what the last drawing showed: {face, box, chip, text, more}
  #video = $("video");
  #canvas = $("overlay");
  #buttons = new Map();
  #places = new Map(); // where each face has its chip
  #steady = new Steady();
  #captured = null;
  #faces;
  #shown;
  #opened;
  #drawn;
  #running = false;

  constructor({ faces, shown, opened, drawn }) {
    this.#faces = faces;
    this.#shown = shown;
    this.#opened = opened;
    this.#drawn = drawn;
  }

  /** Begin to draw over this stream. */
  async show(stream) {
    this.#video.srcObject = stream;
    await this.#video.play().catch(() => {}); // interrupted by the next camera, which plays instead
    if (this.#running) return;
    this.#running = true;
    const frame = (now, facts) => {
      // Chromium says when the frame was captured; elsewhere what is shown is what is newest.
      this.#captured = facts.captureTime ?? null;
      if (this.#captured !== null) this.#shown(this.#captured);
      if (this.#running) this.#video.requestVideoFrameCallback(frame);
    };
    this.#video.requestVideoFrameCallback?.(frame);
    const tick = (now) => {
      if (!this.#running) return;
      this.#draw(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Stop drawing and let go of the picture. */
  clear() {
    this.#running = false;
    this.#captured = null;
    this.#video.srcObject = null;
    this.#render([], performance.now());
  }

  /** The face with this number now, {face, box, mirrored}, the box 0–1 of the picture; null where it is not seen. */
  look(track) {
    const entry = this.shown.find(({ face }) => face.track === track);
    return entry ? { face: entry.face, box: entry.face.box, mirrored: this.mirrored } : null;
  }

  #draw(now) {
    // A picture that stands still for long was not captured just now; do not look for faces in the future.
    const time = this.#captured !== null && now - this.#captured < 500 ? this.#captured : now;
    const faces = this.#faces(time, now);
    this.#steady.keep(new Set(faces.map(({ track }) => track)));
    this.#render(faces.map((face) => this.#steady.face(face)), now);
  }

  #render(faces, now) {
    const stage = { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
    const video = { width: this.#video.videoWidth || 4, height: this.#video.videoHeight || 3 };
    const mode = cropped(video, stage) > 0.35 ? "contain" : "cover";
    if (document.body.dataset.fit !== mode) document.body.dataset.fit = mode;
    this.shown = draw(this.#canvas, faces, fit(video, stage, mode, this.mirrored), stage, this.#places);
    this.#place();
    this.#drawn(now);
  }

  #place() {
    const alive = new Set();
    for (const { face, box, chip, text, more } of this.shown) {
      alive.add(face.track);
      let button = this.#buttons.get(face.track);
      if (!button) {
        button = element("button", { type: "button" }, element("span"));
        button.dataset.track = face.track;
        button.addEventListener("click", () => this.#choose(face.track));
        this.#buttons.set(face.track, button);
        $("faces").append(button);
      }
      const [x, y, w, h] = touchable(box);
      button.style.transform = `translate(${x}px, ${y}px)`;
      button.style.width = `${w}px`;
      button.style.height = `${h}px`;
      const [left, top, width, height] = chip.map(Math.round);
      const words = button.firstChild; // the chip's words are part of the button
      words.style.transform = `translate(${left - x}px, ${top - y}px)`;
      words.style.width = `${width}px`;
      words.style.height = `${height}px`;
      const title = [text, ...more].join("\n");
      if (button.title !== title) {
        button.title = title;
        button.setAttribute("aria-label", enumerated([spoken(face), ...more]));
      }
    }
    for (const [track, button] of this.#buttons) {
      if (alive.has(track)) continue;
      button.remove();
      this.#buttons.delete(track);
    }
  }

  #choose(track) {
    const entry = this.shown.find(({ face }) => face.track === track);
    if (entry) this.#opened(entry.face);
  }
}

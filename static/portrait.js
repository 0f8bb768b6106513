// A live picture of one face, cut from the video as it plays.

import { squareAround } from "./ring.js";

const FOLLOW = 0.18; // of the way to the face at each drawing: a picture that trembles with its box is hard to look at

/** Draws on a square canvas while it runs. `look()` gives {box, mirrored} of the face now, or null: then the picture stays where the face was. */
export class Portrait {
  #canvas;
  #video;
  #look;
  #square = null;
  #request = null;

  constructor(canvas, video, look) {
    this.#canvas = canvas;
    this.#video = video;
    this.#look = look;
  }

  start() {
    this.stop();
    this.#square = null;
    const tick = () => {
      this.#draw();
      this.#request = requestAnimationFrame(tick);
    };
    tick();
  }

  stop() {
    if (this.#request !== null) cancelAnimationFrame(this.#request);
    this.#request = null;
  }

  #draw() {
    const size = { width: this.#video.videoWidth, height: this.#video.videoHeight };
    if (!size.width) return;
    const seen = this.#look();
    if (seen) {
      const target = squareAround(seen.box, size);
      this.#square = this.#square?.map((value, i) => value + (target[i] - value) * FOLLOW) ?? target;
      this.mirrored = seen.mirrored;
    }
    if (!this.#square) return;
    const pixels = Math.round(this.#canvas.clientWidth * (window.devicePixelRatio || 1));
    if (pixels && this.#canvas.width !== pixels) this.#canvas.width = this.#canvas.height = pixels;
    const [x, y, side] = this.#square;
    const context = this.#canvas.getContext("2d");
    const scale = this.#canvas.width / side;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#15181d"; // beyond the picture's edge
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.width);
    if (this.mirrored) context.setTransform(-scale, 0, 0, scale, (x + side) * scale, -y * scale);
    else context.setTransform(scale, 0, 0, scale, -x * scale, -y * scale);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#video, 0, 0);
  }
}

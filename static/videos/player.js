// The player: the video itself, with a box and a name over every face.

import { element } from "../dom.js";
import { t } from "../language.js";
import { get } from "../people/api.js";
import { paragraph } from "../people/parts.js";
import { Boxes } from "./boxes.js";
import { labelOf } from "./times.js";

const UNPLAYABLE = t("This browser cannot play this kind of video. Who was seen, and when, is below all the same.");

export class Player {
  #video;
  #layer = element("div", { className: "boxes", ariaHidden: "true" });
  #subtitles = null;
  #marks = new Map(); // track → element
  #boxes;
  #names = new Map(); // track → {label, known}
  #address;

  /** `moved(seconds)` hears where it stands, about ten times a second. */
  constructor(video, result, moved) {
    this.#address = `/api/v1/videos/${video.id}`;
    this.#boxes = new Boxes((from, to) => get(`/videos/${video.id}/boxes?from=${from}&to=${to}`));
    this.#video = element("video", { controls: true, playsInline: true, preload: "auto", src: `${this.#address}/file` });
    this.#video.setAttribute("controlslist", "nofullscreen"); // the boxes would stay behind
    this.#video.setAttribute("aria-label", video.file);
    for (const kind of ["timeupdate", "seeked"]) this.#video.addEventListener(kind, () => moved(this.#video.currentTime));
    for (const kind of ["seeked", "loadeddata"]) this.#video.addEventListener(kind, () => this.#draw());
    this.root = element("div", { className: "player" }, this.#video, this.#layer);
    this.root.style.aspectRatio = `${result.width} / ${result.height}`;
    this.root.style.maxWidth = `calc(50vh * ${result.width / result.height})`;
    this.#video.addEventListener("error", () => this.root.replaceWith(element("div", { className: "card notice" }, paragraph(UNPLAYABLE))));
    this.named(result);
    this.#follow();
  }

  /** Names have changed. */
  named(result) {
    this.#names = new Map(result.people.flatMap((one) => one.tracks.map((track) => [track, { label: labelOf(one), known: one.person !== null }])));
    this.#subtitles?.remove();
    this.#subtitles = element("track", { kind: "captions", label: t("Who is seen"), srclang: "en", src: `${this.#address}/export.vtt` });
    this.#video.append(this.#subtitles);
    this.#draw();
  }

  show(boxes) {
    this.#layer.hidden = !boxes;
  }

  /** Go there. */
  seek(seconds) {
    this.#video.currentTime = seconds;
  }

  #follow() {
    if (this.#video.requestVideoFrameCallback) {
      const next = (_now, { mediaTime }) => {
        this.#draw(mediaTime);
        this.#video.requestVideoFrameCallback(next);
      };
      this.#video.requestVideoFrameCallback(next);
    }
    // While it stands still, what is on its way may still come.
    this.timer = setInterval(() => this.root.isConnected && (this.#video.paused || !this.#video.requestVideoFrameCallback) && this.#draw(), 250);
  }

  /** The page goes on to something else. */
  close() {
    clearInterval(this.timer);
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #draw(moment = this.#video.currentTime) {
    const seen = new Set();
    for (const { track, box } of this.#boxes.at(moment)) {
      seen.add(track);
      const { label, known } = this.#names.get(track) ?? { label: "", known: false };
      let mark = this.#marks.get(track);
      if (!mark) {
        mark = element("div", { className: "mark" }, element("span"));
        this.#marks.set(track, mark);
        this.#layer.append(mark);
      }
      ["left", "top", "width", "height"].forEach((side, index) => (mark.style[side] = `${100 * box[index]}%`));
      mark.classList.toggle("known", known);
      mark.firstChild.textContent = label;
    }
    for (const [track, mark] of this.#marks) {
      if (seen.has(track)) continue;
      mark.remove();
      this.#marks.delete(track);
    }
  }
}

// The guided part of the sheet: a ring around the live face, and what to do next, big enough to be read at arm's length.

import { Announcer } from "./announce.js";
import { $, element } from "./dom.js";
import { t } from "./language.js";
import { Portrait } from "./portrait.js";
import { arcPath, ringOf, wanted } from "./ring.js";
import { guiding, progress } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 46; // of a drawing of 100 by 100
const SPAN = 39; // degrees of 45: arcs that do not touch

/** Draws what `enrolling` messages say. `look(track)` gives {box, mirrored} of a face on the screen now, or null. */
export class Guide {
  #portrait;
  #look;
  #track = null;
  #mirrored = true;
  #arcs;
  #pointer;
  // A reason that changes from frame to frame could be neither read nor listened to.
  #shown = new Announcer((text) => ($("guide-advice").textContent = text), 250);
  #spoken = new Announcer((text) => ($("guide-said").textContent = text), 1200);

  constructor(look) {
    this.#look = look;
    this.#portrait = new Portrait($("guide-face"), $("video"), () => this.#seen());
    this.#arcs = Array.from({ length: 8 }, (_, i) => path("arc", arcPath(50, RADIUS, 45 * i - SPAN / 2, 45 * i + SPAN / 2)));
    this.#pointer = path("pointer", arcPath(50, RADIUS - 4.5, -7, 7));
    $("guide-arcs").append(...this.#arcs, this.#pointer);
  }

  start(track) {
    this.#track = track;
    $("guide").dataset.done = "no";
    this.#portrait.start();
    this.show({ samples: 0, needed: 5, hint: null });
    this.#tell(t("Look straight at the camera"));
  }

  stop() {
    this.#portrait.stop();
    this.#shown.forget();
    this.#spoken.forget();
    $("guide-said").textContent = "";
  }

  /** What an `enrolling` message says. */
  show(message) {
    const { arcs, marks, points } = ringOf(message, this.#mirrored);
    arcs.forEach(({ done, next }, i) => (this.#arcs[i].dataset.is = done ? "done" : next ? "next" : ""));
    this.#pointer.toggleAttribute("hidden", points === null);
    if (points !== null) this.#pointer.setAttribute("transform", `rotate(${points.toFixed(1)} 50 50)`);
    $("guide-marks").replaceChildren(
      ...marks.map(({ words, done, next }) => {
        const item = element("li", { textContent: words }, element("span", { className: "visually-hidden", textContent: done ? t(": done ## said after the name of a view of the face") : "" }));
        item.dataset.is = done ? "done" : next ? "next" : "";
        return item;
      }),
    );
    $("guide-progress").textContent = progress(message);
    const advice = guiding(message, wanted(message.coverage));
    this.#shown.tell(advice);
    this.#spoken.tell(t("{advice}. {samples} of {needed}.", { advice, samples: message.samples, needed: message.needed }));
  }

  /** All of it is there. */
  done(name) {
    $("guide").dataset.done = "yes";
    this.#tell(t("Hello, {name}", { name }));
  }

  #tell(text) {
    this.#shown.forget();
    this.#spoken.forget();
    $("guide-advice").textContent = text;
    $("guide-said").textContent = text;
  }

  #seen() {
    const seen = this.#look(this.#track);
    if (seen) this.#mirrored = seen.mirrored;
    return seen;
  }
}

function path(name, d) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", name);
  made.setAttribute("d", d);
  return made;
}

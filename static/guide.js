// The guided part of the sheet: a ring around the live face, and what to do next, big enough to be read at arm's length.

import { Announcer } from "./announce.js";
import { asked, ARROWS, LIT, standing } from "./challenge.js";
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
  #asked = ""; // the movement that was said last
  #drawn = null; // the arrow that is drawn
  /** Whether movements are being asked for: what `enrolling` says comes after them. */
  asking = false;
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

  /** `challenge`: movements will be asked for, one after the other. */
  start(track, challenge = false) {
    this.#track = track;
    this.asking = challenge;
    $("guide").dataset.done = "no";
    $("guide").dataset.asks = challenge ? "rest" : "no";
    $("guide-arrow").toggleAttribute("hidden", true);
    this.#portrait.start();
    this.show({ samples: 0, needed: 5, hint: null });
    this.#tell(t("Look straight at the camera"));
  }

  stop() {
    this.#portrait.stop();
    this.#shown.forget();
    this.#spoken.forget();
    $("guide-said").textContent = "";
    this.asking = false;
    $("guide").dataset.asks = "no";
    $("guide-arrow").toggleAttribute("hidden", true);
  }

  /** What a `challenge` message asks for. */
  ask(message) {
    this.asking = message.step !== "done";
    const { words, arrow } = asked(message, this.#mirrored);
    $("guide").dataset.asks = this.asking ? message.step : "no";
    if (arrow !== this.#drawn) $("guide-arrow").replaceChildren(...(ARROWS[arrow] ?? []).map((d) => path("way", d)));
    this.#drawn = arrow;
    this.#arcs.forEach((arc, i) => (arc.dataset.is = LIT[arrow]?.includes(i) ? "next" : ""));
    $("guide-arrow").toggleAttribute("hidden", arrow === null);
    $("guide-progress").textContent = standing(message);
    // A movement is said at once, as there are only seconds for it; what is missing of it may settle first.
    const what = `${message.number} ${message.step}`;
    if (what !== this.#asked) this.#tell(words);
    else {
      this.#shown.tell(words);
      this.#spoken.tell(words);
    }
    this.#asked = what;
  }

  /** What an `enrolling` message says. */
  show(message) {
    const { arcs, marks, points } = ringOf(message, this.#mirrored);
    this.#pointer.toggleAttribute("hidden", points === null);
    if (points !== null) this.#pointer.setAttribute("transform", `rotate(${points.toFixed(1)} 50 50)`);
    if (this.asking) return;
    arcs.forEach(({ done, next }, i) => (this.#arcs[i].dataset.is = done ? "done" : next ? "next" : ""));
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
    $("guide").dataset.asks = "no";
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

// 'Why this name?': the face beside the picture it was compared with, and what decided.

import { $, describe, element } from "./dom.js";
import { enumerated, number, percent } from "./figures.js";
import { isolated, t, tn } from "./language.js";
import { Portrait } from "./portrait.js";
import { readingFacts } from "./reading.js";
import { errorWords, heard } from "./server_words.js";
import { chance } from "./words.js";

const EVERY = 1000; // milliseconds between questions while the card is open
const QUALITY = { sharpness: t("Sharpness"), light: t("Light ## how well a face is lit"), pose: t("Facing the camera"), size: t("Size") };
const likeness = (value) => (Number.isFinite(value) ? number(value, 3) : null);

const count = (value) => (Number.isFinite(value) ? number(value) : null);

/** What the button that asks is called. */
export function question(identity) {
  return { known: t("Why this name?"), uncertain: t("Why not sure?"), unknown: t("Why no name?") }[identity] ?? null;
}

/**
 * The scale of similarity: from a round number below all of them up to 1, each place in percent of it: {from, marks: [{is, words, value, at}]}; `is` is "needed", "this" or
 * "next". Null without a similarity.
 */
export function scaleOf({ similarity, threshold, runner_up: next }) {
  if (!Number.isFinite(similarity)) return null;
  const marks = [
    { is: "next", words: next ? t("next: {name} ## the second most alike", next) : "", value: next?.similarity },
    { is: "needed", words: t("needed ## how alike a face has to be"), value: threshold },
    { is: "this", words: t("this face"), value: similarity },
  ].filter(({ value }) => Number.isFinite(value));
  const least = Math.min(...marks.map(({ value }) => value));
  const from = Math.max(-1, Math.floor((least - 0.05) * 10) / 10);
  const at = (value) => Math.min(100, Math.max(0, ((value - from) / (1 - from)) * 100));
  return { from, marks: marks.map((mark) => ({ ...mark, at: at(mark.value) })) };
}

/** The numbers of a `why` message as pairs for a list; what is unknown is null. */
export function factsOf(why) {
  const ahead = Number.isFinite(why.margin) ? (why.runner_up ? t("{number} ({name})", { number: likeness(why.margin), name: why.runner_up.name }) : likeness(why.margin)) : null;
  return [
    [t("Ahead of the next"), ahead],
    [t("Kept out by you"), why.rejected?.name ?? null],
    [t("Pictures that voted"), count(why.votes)],
    [t("Pictures looked at"), count(why.embedded)],
    [t("Width of the face"), Number.isFinite(why.width) ? tn(Math.round(why.width), "{count} pixel", "{count} pixels") : null],
  ];
}

/** The card. `ask(track)` sends the question and returns its number, `look(track)` gives {face, box, mirrored} of the face now. */
export class Why {
  #ask;
  #look;
  #portrait;
  #track = null;
  #command = null;
  #timer = null;
  #sample = null; // the sample whose picture is shown

  constructor({ ask, look }) {
    this.#ask = ask;
    this.#look = look;
    this.#portrait = new Portrait($("why-live"), $("video"), () => look(this.#track));
    $("why-kept").addEventListener("error", () => this.#picture(null));
  }

  get open() {
    return !$("why").hidden;
  }

  show(track) {
    this.hide();
    this.#track = track;
    $("why").hidden = false;
    $("why").dataset.is = "asking";
    $("why-words").textContent = t("Asking the server…");
    this.#portrait.start();
    this.#question();
    this.#timer = setInterval(() => this.#question(), EVERY);
  }

  hide() {
    clearInterval(this.#timer);
    this.#portrait.stop();
    this.#command = null;
    this.#sample = null;
    $("why").hidden = true;
    $("why-kept").removeAttribute("src");
  }

  /** An answer, or an error, to the newest question; everything else is somebody else's. */
  message(message) {
    if (this.#command === null || message.id !== this.#command) return;
    if (message.type === "why") this.#fill(message);
    else if (message.type === "error") this.#gone(errorWords(message));
  }

  #question() {
    const command = this.#ask(this.#track);
    if (command === null) this.#gone(t("There is no connection now."));
    else this.#command = command;
  }

  /** The face has left: what was known of it stays. */
  #gone(words) {
    $("why-words").textContent = words;
  }

  #fill(why) {
    $("why").dataset.is = "told";
    const said = chance(why.probability);
    $("why-chance").textContent = said && why.name ? t("{chance} sure it is {name}", { chance: said, name: why.name }) : "";
    const words = heard(why.words ?? "");
    if ($("why-words").textContent !== words) $("why-words").textContent = words;
    const sample = why.best_sample ?? null;
    $("why-kept-figure").hidden = sample === null;
    if (sample) {
      const near = Number.isFinite(sample.similarity) && t("{number} alike", { number: likeness(sample.similarity) });
      $("why-kept-words").textContent = enumerated([why.name ? t("Kept of {name} ## a picture", why) : t("Most like it"), near]);
      this.#picture(sample);
    }
    this.#scale(scaleOf(why));
    describe($("why-facts"), [...readingFacts(this.#look(this.#track)?.face), ...factsOf(why)]);
    $("why-quality").replaceChildren(
      ...Object.entries(QUALITY)
        .filter(([part]) => Number.isFinite(why.quality?.[part]))
        .map(([part, words]) => meter(words, why.quality[part])),
    );
  }

  #picture(sample) {
    const kept = sample?.crop === true;
    $("why-kept").hidden = !kept;
    $("why-none").hidden = kept;
    if (kept && this.#sample !== sample.id) $("why-kept").src = `/api/v1/samples/${encodeURIComponent(sample.id)}/crop`;
    this.#sample = kept ? sample.id : null;
  }

  #scale(scale) {
    $("why-scale").hidden = scale === null;
    if (!scale) return;
    const line = element("div", { className: "line" });
    const list = element("ul");
    for (const { is, words, value, at } of scale.marks) {
      const mark = element("i");
      mark.dataset.is = is;
      mark.style.left = `${at.toFixed(1)}%`;
      line.append(mark);
      const item = element("li", {}, element("i"), `${isolated(words)} ${likeness(value)}`);
      item.firstChild.dataset.is = is;
      list.append(item);
    }
    $("why-scale").replaceChildren(line, list);
  }
}

function meter(words, value) {
  const bar = element("meter", { min: 0, max: 1, value });
  bar.setAttribute("aria-label", words);
  return element("li", {}, element("span", { textContent: words }), bar, element("span", { textContent: percent(value) }));
}

// What the Status page says: states, what is worth a look, stages, jobs. No document.

import { size } from "../data/words.js";
import { duration, number, percent } from "../figures.js";
import { t, tn } from "../language.js";

/** The heading for each state. */
export const STATES = {
  well: t("All is well"),
  strained: t("It works, with something to look at"),
  unwell: t("Something does not work"),
  draining: t("The server is about to end"),
};

const PARTS = {
  store: t("The store does not answer: nobody new can be learnt, and nothing is noted."),
  decoder: t("Photos cannot be opened."),
  inference: t("The processes that recognise faces do not run."),
  accepting: t("No new sessions are taken."),
};

/** The stages of a frame: [what it is called, what it does]. */
export const STAGES = {
  queue: [t("Waiting"), t("until the session is free")],
  decode: [t("Decoding"), t("from packets to a picture")],
  flow: [t("Following"), t("where faces have moved")],
  convert: [t("Converting"), t("to the colours that networks want")],
  detect: [t("Looking"), t("where faces are; in some of the frames")],
  embed: [t("Recognising"), t("whose faces they are; in some of the frames")],
  attributes: [t("Reading"), t("apparent gender and age, where that is switched on")],
};

const WHY = {
  queue: t("Most of it is waiting for a session that is not done yet: the processors are too slow for so many cameras."),
  decode: t("Most of it is decoding: smaller pictures help."),
  detect: t("Most of it is looking for faces: a smaller detect_size helps."),
  embed: t("Most of it is recognising faces: many are in the picture."),
};

/** A remark in a sentence or two. */
export function remark({ code, value, part }) {
  switch (code) {
    case "not_ready":
      return PARTS[part] ?? t("A part does not work: {part}.", { part });
    case "full":
      return tn(value, "All places are taken: {count} camera is live, and further ones are turned away.", "All places are taken: {count} cameras are live, and further ones are turned away.");
    case "slow":
      return [t("Answers are slow: one in twenty takes more than {value} ms.", { value }), WHY[part]].filter(Boolean).join(" ");
    case "processors":
      return value < 0.5 ? t("The processors are busy, mostly with other programs.") : t("The processors are busy, with {share} of them for this server.", { share: percent(value) });
    case "threads":
      return t("Frames have waited up to {value} ms for a free thread.", { value });
    case "event_loop":
      return t("The server itself was late by up to {value} ms.", { value });
    case "memory":
      return t("Memory is short: {size} can be had.", { size: size(value) });
    case "disk":
      return t("The disk is nearly full: {size} are free.", { size: size(value) });
    case "webhooks":
      return t("A webhook’s receiver is behind by {time}.", { time: duration(value) });
    case "store":
      return tn(value, "The store or its disk has failed {count} time since the start.", "The store or its disk has failed {count} times since the start.");
    default:
      return code;
  }
}

/** What happens now, in a line. */
export function now({ sessions, answers }) {
  if (!sessions.now) return t("No camera is live.");
  const cameras = tn(sessions.now, "{count} camera is live", "{count} cameras are live");
  return answers.p50_ms === null ? `${cameras}.` : t("{cameras}; half of all answers come within {value} ms.", { cameras, value: milliseconds(answers.p50_ms) });
}

/** Milliseconds as people read them: fewer digits for more. */
export const milliseconds = (ms) => number(ms, ms < 10 ? 1 : 0);

const JOBS = { video: t("Videos"), evaluation: t("Measurement"), model_change: t("Change of models") };
export const job = (kind) => JOBS[kind] ?? kind;

/** How a kind of job stands. */
export function standing({ running, waiting }) {
  if (running && waiting) return t("at work, {count} waiting", { count: waiting });
  if (running) return t("at work");
  return waiting ? t("{count} waiting", { count: waiting }) : t("nothing to do");
}

/** How long it has been running, up to days. */
export function running(seconds) {
  const days = Math.floor(seconds / 86400);
  return days ? tn(days, "{count} day ## how long the server has been running", "{count} days ## how long the server has been running") : duration(seconds);
}

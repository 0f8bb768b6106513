// The movements that an enrolment may ask for: what is said and which way the arrow points. No DOM.

import { joined, t, tn } from "./language.js";
import { errorWords } from "./server_words.js";

const MOVES = {
  left: t("Turn your head to your left"),
  right: t("Turn your head to your right"),
  nearer: t("Come nearer"),
};
const HINTS = {
  "look straight": t("Look straight at the camera"),
  "hold still": t("Hold still until you are asked"),
  further: t("A little further"),
  nearer: t("A little nearer"),
  hold: t("Stay like that for a moment"),
};

/** Arrows in a drawing of 100 by 100, as paths. */
export const ARROWS = {
  left: ["M 30 50 H 72", "M 44 34 L 28 50 L 44 66"],
  right: ["M 28 50 H 70", "M 56 34 L 72 50 L 56 66"],
  nearer: ["M 38 30 H 26 V 42", "M 62 30 H 74 V 42", "M 38 70 H 26 V 58", "M 62 70 H 74 V 58"],
};

/** Which of the ring's eight parts, clockwise from the top, show the way. */
export const LIT = { left: [5, 6, 7], right: [1, 2, 3], nearer: [0, 1, 2, 3, 4, 5, 6, 7] };

/**
 * What a `challenge` message asks for: {words, arrow}. Left and right are the person's own: on a `mirrored` screen they are on the same side, on one that shows a camera
 * that looks away from it on the other.
 */
export function asked({ step, hint }, mirrored = true) {
  if (step === "done") return { words: t("That was it. Look straight at the camera"), arrow: null };
  if (step === "rest") return { words: HINTS[hint] ?? HINTS["look straight"], arrow: null };
  const across = { left: "right", right: "left" };
  const arrow = mirrored ? step : (across[step] ?? step);
  const more = HINTS[hint];
  return { words: more && hint !== "look straight" && hint !== "hold still" ? more : MOVES[step], arrow };
}

/** How far it is. */
export function standing({ step, number, of, seconds_left: left }) {
  if (step === "done") return t("{number} of {of} movements", { number: of, of });
  const time = step === "rest" ? null : t("{seconds} s left", { seconds: Math.max(0, Math.ceil(left)) });
  return joined([t("Movement {number} of {of}", { number, of }), time]);
}

/** Why an enrolment was refused, with what is left to whoever tries again. */
export function refusal({ code, message, tries_left: left }) {
  const words = errorWords({ code, message });
  if (code !== "challenge_failed" || !Number.isInteger(left)) return words;
  return `${words} ${left > 0 ? tn(left, "{count} try is left.", "{count} tries are left.") : t("Wait a minute before you try again.")}`;
}

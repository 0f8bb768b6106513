// Too many wrong attempts: for how long one has to wait, said once and counted down.

import { duration } from "../figures.js";
import { t } from "../language.js";
import { countDown, minutesAndSeconds } from "./countdown.js";

const UNSAID = 30; // seconds, where the server does not say

/** Say in `words` that it takes `after` seconds, count them down in `left`, and let `button` be pressed again after them. */
export function waitOut(after, { words, left, button }) {
  const seconds = after ?? UNSAID;
  button.disabled = true;
  words.textContent = t("Too many attempts that were wrong. Wait {time}, then try again.", { time: duration(seconds) });
  left.hidden = false;
  countDown(
    Date.now() + seconds * 1000,
    (rest) => (left.textContent = t("Still {time} ## that one has to wait", { time: minutesAndSeconds(rest) })),
    () => {
      left.hidden = true;
      button.disabled = false;
      words.textContent = t("You can try again now.");
    },
  );
}

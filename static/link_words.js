// What is said of links that let devices in, and what one may ask for. No DOM.

import { t, tn } from "./language.js";
import { until } from "./people/words.js";

/** For how long a link may work: [minutes, words]. */
export const VALID = [
  [10, t("10 minutes")],
  [60, t("1 hour")],
  [60 * 24, t("1 day")],
  [60 * 24 * 7, t("7 days")],
  [60 * 24 * 30, t("30 days")],
];
/** The most devices that a link may be limited to. */
export const DEVICES = 1000;

/** How many devices a link lets in; nothing where it is as many as come. */
export const devicesWords = (devices) => (devices ? tn(devices, "for {count} device ## a link works", "for {count} devices ## a link works") : "");

/** Whether somebody came by a link, and when last. */
export function usedWords(used) {
  if (!used) return t("not used yet");
  return t("last used {time}", { time: until(used) });
}

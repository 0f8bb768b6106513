// The connection in a word. No DOM.

import { t } from "./language.js";

/**
 * @param state "live", "connecting", "reconnecting", …
 * @param facts {rate: results a second or null, wanted: frames a second sent, age: ms since the last result, rtt: ms or null, loss: share or null}
 */
export function connectionWord(state, { rate, wanted, age, rtt, loss }) {
  if (state === "reconnecting") return "Reconnecting";
  if (state === "connecting") return "Connecting";
  if (state !== "live") return "Not connected";
  if (age > 2000) return "Lost";
  const share = wanted > 0 && rate !== null ? rate / wanted : 1;
  if (age > 600 || share < 0.4 || (loss ?? 0) > 0.1 || (rtt ?? 0) > 400) return "Poor";
  if (share < 0.8 || (loss ?? 0) > 0.02 || (rtt ?? 0) > 120) return "Good";
  return "Excellent";
}

/** The words themselves. */
export const NAMED = {
  Excellent: t("Excellent ## the connection"),
  Good: t("Good ## the connection"),
  Poor: t("Poor ## the connection"),
  Lost: t("Lost ## the connection"),
  Reconnecting: t("Reconnecting"),
  Connecting: t("Connecting"),
  "Not connected": t("Not connected"),
};

/** What a word means for whoever clicks on it. */
export const EXPLAINED = {
  Excellent: t("Nearly every frame is answered at once."),
  Good: t("Most frames are answered; a little is lost or late."),
  Poor: t("Many frames are lost or late. Come nearer to the Wi-Fi, or close what else uses it."),
  Lost: t("No answer has come for two seconds."),
  Reconnecting: t("The connection broke; a new one is being made."),
  Connecting: t("The server is being asked."),
  "Not connected": t("Press start to begin."),
};

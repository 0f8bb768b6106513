// States of cameras and of watching them, in words. No DOM.

import { number } from "../figures.js";
import { joined, t, tn } from "../language.js";

const STATES = {
  connecting: t("Connecting"),
  live: t("Live ## a camera that sends pictures"),
  silent: t("Silent ## a camera that sends no pictures"),
  away: t("Away ## a camera whose connection broke"),
  retrying: t("Trying again ## to reach a camera"),
};

const EXPLAINED = {
  connecting: t("This camera is connecting…"),
  silent: t("No picture has come for two seconds."),
  away: t("The connection to this camera broke. It is waited for."),
  retrying: t("This camera cannot be reached at the moment. It is tried again."),
};

/** A camera's state in a word. */
export const stateWord = (state) => STATES[state] ?? state;

/** What stands over a camera's picture because of its state; nothing while it is live. */
export const stateExplained = (state) => EXPLAINED[state] ?? "";

const WAYS = {
  webrtc: t("video over WebRTC"),
  websocket: t("single pictures over a WebSocket"),
  source: t("a network camera"),
};

/** The pill of a camera: answers a second, and how long one takes. */
export function pillWords({ rate, latency_p95_ms: latency }) {
  return joined([
    Number.isFinite(rate) && rate > 0 && t("{number}/s ## answers a second", { number: Math.round(rate) }),
    Number.isFinite(latency) && t("{number} ms", { number: Math.round(latency) }),
  ]);
}

/** What the pill means. */
export const PILL_MEANS = t("Pictures looked at a second, and how long one takes on the server");

/** More about a camera, where there is room; `glass` is how old the picture on this screen is, in ms, or null. */
export function cameraFacts({ width, height, codec, way, viewers, guest }, glass) {
  return joined([
    width > 0 && `${width} × ${height}`,
    codec,
    WAYS[way],
    Number.isFinite(viewers) && viewers > 0 && tn(viewers, "{count} viewer", "{count} viewers"),
    guest && t("a guest's"),
    Number.isFinite(glass) && t("on this screen after {number} ms", { number: number(glass) }),
  ]);
}

const ENDS = {
  ended: t("The host has ended this camera."),
  "camera ended": t("This camera has ended."),
  hidden: t("Not shown while nobody looks."),
};

/** Why watching is over for good; nothing for what is worth another try. */
export const endWords = (reason) => ENDS[reason] ?? "";

/** What a refusal to be watched means: {words, again}, where `again` is whether somebody may try again by hand. Other refusals speak for themselves. */
export function refusalOf({ status, message }) {
  if (status === 406) return { words: t("This browser cannot show this camera's video. Another browser may."), again: false };
  if (status === 404) return { words: ENDS["camera ended"], again: true };
  if (status === 401 || status === 403) return { words: t("This link does not let you watch this camera."), again: false };
  return { words: message, again: true };
}

// What the server gives this camera: so many pictures a second of at most this size, and why (docs/protocol.md, "budget"). No DOM.

import { number } from "./figures.js";
import { t } from "./language.js";

const FLUENT = 15; // pictures a second below which the picture on this page would seem to stutter: the camera stays there, and fewer are sent
const FULL_RATE = 30;
const LEAST_BITRATE = 150_000;
const FEW = 5; // pictures a second, at and under which it is said without being asked for

/** What a sender's encoding has to be for this budget; `settings` are the camera's own {width, height}. */
export function encoding(budget, settings, maxBitrate) {
  const long = Math.max(settings.width ?? 0, settings.height ?? 0);
  const scale = Math.max(1, long / Math.max(budget.width, budget.height));
  const full = Math.min(1, budget.fps / FULL_RATE);
  // Pictures further apart have less in common: half as many a second need more than half the bits.
  const bitrate = Math.round((maxBitrate * Math.sqrt(full)) / scale);
  return { maxFramerate: budget.fps, scaleResolutionDownBy: scale, maxBitrate: Math.max(LEAST_BITRATE, bitrate) };
}

/** What is asked of the camera itself. */
export const constraints = (budget, video) => ({
  width: { ideal: video.width },
  height: { ideal: video.height },
  frameRate: { ideal: Math.min(video.frameRate, Math.max(FLUENT, budget.fps)) },
});

/** Milliseconds between two results, as the budget lets them come. */
export const spacing = (budget) => (budget ? 1000 / budget.fps : 0);

/** What it is, and why, in a sentence or two. */
export function sharing(budget) {
  if (!budget) return "";
  const given = t("This server looks at {rate} pictures a second of this camera, at most {width} × {height}.", {
    rate: number(budget.fps, budget.fps < 10 && budget.fps % 1 ? 1 : 0),
    width: budget.width,
    height: budget.height,
  });
  return `${given} ${reasons(budget)}`.trim();
}

function reasons({ reason, sessions }) {
  const cameras = { cameras: sessions };
  if (reason === "shared") return t("{cameras} cameras share its processors.", cameras);
  if (reason === "settled") return t("{cameras} cameras share its processors; others with new faces get more, as nothing new is to be seen here.", cameras);
  if (reason === "new_face") return t("{cameras} cameras share its processors; this one gets more while it has a new face.", cameras);
  return t("This camera gets all that it can use.");
}

/** What is said across the picture, where there is so little that it shows. */
export const scarcity = (budget) => (budget && budget.fps <= FEW ? t("The server is busy: names follow more slowly.") : "");

// The ring around a face that is being learnt: what it shows, and where its parts lie. No DOM.

import { t } from "./language.js";

const SIDES = ["up", "right", "down", "left"]; // clockwise, as the ring is drawn
const ACROSS = { left: "right", right: "left" };
const MARKS = { front: t("Straight ## a face that looks ahead"), near: t("Near ## a face"), far: t("Far ## a face") };
const ORDER = ["front", "left", "right", "up", "down", "near", "far"]; // what is asked for first
// From where the server takes a head for turned or nodded (docs/protocol.md), as parts of its range.
const TURNED = 0.15;
const NODDED = 0.07;

/**
 * The first view that is missing from a message's `coverage`, or null: what to ask for next. The server's left is that of the picture as the camera took it; this one is
 * the person's own, which is the other.
 */
export function wanted(coverage) {
  return ORDER.find((view) => coverage?.[ACROSS[view] ?? view] === false) ?? null;
}

/**
 * What the ring shows of a message: eight arcs clockwise from the top, each {done, next}; the marks for straight, near and far; and where the head points now, an angle
 * in degrees clockwise from the top, or null. All as it is seen on the screen, `mirrored` or not.
 */
export function ringOf({ coverage = {}, pose = null }, mirrored = true) {
  const next = wanted(coverage);
  const taken = (side) => (mirrored ? (ACROSS[side] ?? side) : side); // the server's name of a side of the screen
  const done = SIDES.map((side) => coverage[taken(side)] === true);
  const arcs = [];
  SIDES.forEach((side, i) => {
    arcs.push({ done: done[i], next: next !== null && taken(side) === (ACROSS[next] ?? next) });
    arcs.push({ done: done[i] && done[(i + 1) % 4], next: false }); // between two sides: seen once both are
  });
  const marks = Object.entries(MARKS).map(([view, words]) => ({ view, words, done: coverage[view] === true, next: view === next }));
  return { arcs, marks, points: pointing(pose, mirrored) };
}

/** Where a head with this pose points on the screen; yaw is positive towards the right of the picture as the camera took it, pitch positive upwards. */
function pointing(pose, mirrored) {
  if (!Number.isFinite(pose?.yaw) || !Number.isFinite(pose?.pitch)) return null;
  const [right, up] = [(mirrored ? -pose.yaw : pose.yaw) / TURNED, pose.pitch / NODDED];
  if (Math.hypot(right, up) < 1) return null;
  return (Math.atan2(right, up) * 180) / Math.PI;
}

/** An arc as the `d` of an SVG path: about (c, c), from one angle to another, degrees clockwise from the top. */
export function arcPath(c, radius, from, to) {
  const at = (degrees) => {
    const angle = ((degrees - 90) * Math.PI) / 180;
    return `${(c + radius * Math.cos(angle)).toFixed(2)} ${(c + radius * Math.sin(angle)).toFixed(2)}`;
  };
  return `M ${at(from)} A ${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${at(to)}`;
}

/** The square of a `video` {width, height} in pixels that shows a face of this `box` (0–1) with air around it: [x, y, side]. It may reach outside. */
export function squareAround([x, y, w, h], { width, height }, air = 1.7) {
  const side = air * Math.max(w * width, h * height);
  return [(x + w / 2) * width - side / 2, (y + h / 2) * height - side / 2, side];
}

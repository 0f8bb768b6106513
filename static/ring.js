// The ring around a face that is being learnt: what it shows, and where its parts lie. No DOM.

const SIDES = ["up", "right", "down", "left"]; // clockwise, as the ring is drawn
const MARKS = { front: "Straight", near: "Near", far: "Far" };
const ORDER = ["front", "left", "right", "up", "down", "near", "far"]; // what is asked for first
const TURNED = 0.12; // of −1…1: below it a head looks straight ahead

/** The first view that is missing from `coverage`, or null: what to ask for next. */
export function wanted(coverage) {
  return ORDER.find((view) => coverage && coverage[view] === false) ?? null;
}

/**
 * What the ring shows: eight arcs clockwise from the top, each {done, next}; the marks for straight, near and far; and where the head points now, an angle in
 * degrees clockwise from the top, or null. 'Left' is the person's own: on the left of a mirrored picture, on the right of another.
 */
export function ringOf({ coverage = {}, pose = null }, mirrored = true) {
  const next = wanted(coverage);
  const meant = (side) => (mirrored ? side : { left: "right", right: "left" }[side] ?? side);
  const done = SIDES.map((side) => coverage[meant(side)] === true);
  const arcs = [];
  SIDES.forEach((side, i) => {
    arcs.push({ done: done[i], next: meant(side) === next });
    arcs.push({ done: done[i] && done[(i + 1) % 4], next: false }); // between two sides: seen once both are
  });
  const marks = Object.entries(MARKS).map(([view, words]) => ({ view, words, done: coverage[view] === true, next: view === next }));
  return { arcs, marks, points: pointing(pose, mirrored) };
}

/** Where a head with this pose points on the screen; yaw is positive towards the right of the picture as the camera took it, pitch positive upwards. */
function pointing(pose, mirrored) {
  if (!Number.isFinite(pose?.yaw) || !Number.isFinite(pose?.pitch)) return null;
  const [x, up] = [mirrored ? -pose.yaw : pose.yaw, pose.pitch];
  if (Math.hypot(x, up) < TURNED) return null;
  return (Math.atan2(x, up) * 180) / Math.PI;
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

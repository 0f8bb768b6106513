// Where a point of the video lies on the stage. No DOM.

/**
 * How a picture of `video` {width, height} is shown on a stage of `stage` {width, height} pixels: filling it ("cover") or within it
 * ("contain"), mirrored or not. The result maps boxes of 0–1 to stage pixels.
 */
export function fit(video, stage, mode = "cover", mirrored = false) {
  const pick = mode === "cover" ? Math.max : Math.min;
  const scale = pick(stage.width / video.width, stage.height / video.height);
  const width = video.width * scale;
  const height = video.height * scale;
  return { left: (stage.width - width) / 2, top: (stage.height - height) / 2, width, height, mirrored };
}

/** The share of a picture that filling the stage would cut off. */
export function cropped(video, stage) {
  if (!stage.width || !stage.height) return 0;
  const a = video.width / video.height;
  const b = stage.width / stage.height;
  return 1 - Math.min(a, b) / Math.max(a, b);
}

/** A box [x, y, width, height] of 0–1 in stage pixels. */
export function place(box, view) {
  const x = view.mirrored ? 1 - box[0] - box[2] : box[0];
  return [view.left + x * view.width, view.top + box[1] * view.height, box[2] * view.width, box[3] * view.height];
}

const GAP = 6;
const SLACK = 5; // less than the gap, or a label would be in the way of its own face

/**
 * Where the labels of many faces go: each above its box, else below, in the first of its sizes that covers no face and no other label; where
 * none does, where it covers least. Always on the stage.
 *
 * `items` are {key, box, sizes: [{width, height}, …]}. `before` maps keys to the choices made last and is brought up to date: a choice is kept until
 * another has room to spare, so that labels do not jump to and fro. Returns [{size, box: [x, y, width, height]}], `size` an index.
 */
export function placeLabels(items, stage, before = new Map()) {
  const boxes = items.map((item) => item.box);
  const taken = [];
  const covers = (label) => sum(boxes, (box) => overlap(label, box)) + 3 * sum(taken, (other) => overlap(label, other));
  const placed = items.map(({ key, box, sizes }) => {
    const choices = [
      ...sizes.map((size) => beside(box, box[1] - GAP - size.height, size, stage)),
      ...sizes.map((size) => beside(box, box[1] + box[3] + GAP, size, stage)),
    ];
    const last = before.get(key);
    const costs = choices.map((label, i) => covers(last === undefined || last === i ? label : grow(label)));
    const choice = costs.indexOf(Math.min(...costs));
    before.set(key, choice);
    taken.push(choices[choice]);
    return { size: choice % sizes.length, box: choices[choice] };
  });
  const keys = new Set(items.map((item) => item.key));
  for (const key of before.keys()) if (!keys.has(key)) before.delete(key);
  return placed;
}

function beside([x, , w], top, { width, height }, stage) {
  const clamp = (value, most) => Math.max(GAP, Math.min(value, most - GAP));
  return [clamp(x + (w - width) / 2, stage.width - width), clamp(top, stage.height - height), width, height];
}

function grow([x, y, w, h]) {
  return [x - SLACK, y - SLACK, w + 2 * SLACK, h + 2 * SLACK];
}

function overlap([ax, ay, aw, ah], [bx, by, bw, bh]) {
  const w = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const h = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  return w > 0 && h > 0 ? w * h : 0;
}

function sum(values, of) {
  return values.reduce((total, value) => total + of(value), 0);
}

/** A box in whole pixels that a finger can hit: grown about its middle to 44 pixels at least. */
export function touchable([x, y, w, h], least = 44) {
  const [width, height] = [Math.max(w, least), Math.max(h, least)];
  return [x - (width - w) / 2, y - (height - h) / 2, width, height].map(Math.round);
}

/** Part of `to` mixed into `from`, 0–1, number by number. */
export function mix(from, to, part) {
  return from.map((value, i) => value + (to[i] - value) * part);
}

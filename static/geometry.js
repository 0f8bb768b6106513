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

/** A box [x, y, width, height] of 0–1 in stage pixels. */
export function place(box, view) {
  const x = view.mirrored ? 1 - box[0] - box[2] : box[0];
  return [view.left + x * view.width, view.top + box[1] * view.height, box[2] * view.width, box[3] * view.height];
}

/** Where a label of this size goes: above the box, below where there is no room, always on the stage. */
export function placeLabel([x, y, w, h], label, stage, gap = 6) {
  const above = y - gap - label.height;
  const below = y + h + gap;
  let top = above;
  if (above < gap) top = below + label.height <= stage.height - gap ? below : Math.max(gap, y + gap);
  const left = Math.min(Math.max(x + (w - label.width) / 2, gap), Math.max(gap, stage.width - label.width - gap));
  return [left, Math.min(top, stage.height - label.height - gap)];
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

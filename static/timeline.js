// Results in time: which faces belong to the frame that is on the screen. No DOM; all times are milliseconds of performance.now().

import { mix } from "./geometry.js";

const KEEP = 1500;
export const STALE = 300;
export const FADE = 120;
export const AHEAD = 100;
const SNAP = 7;
const WRAP = 2 ** 32;

/**
 * Finds when the frame of a result was captured, by this browser's own clock: from the sender report's time, or from the constant
 * difference of RTP time and capture time learnt so far, and exactly where the frame was seen on the screen with its capture time.
 */
export class CaptureClock {
  #origin; // performance.timeOrigin
  #shown = []; // capture times of the frames shown last
  #offsets = []; // capture − rtp/90, newest last

  constructor(origin) {
    this.#origin = origin;
  }

  /** A frame captured at this time was shown. */
  shown(captured) {
    this.#shown.push(captured);
    if (this.#shown.length > 64) this.#shown.shift();
  }

  /** Capture time of a result's frame, or null while it cannot be known. */
  captured(result) {
    const { rtp } = result;
    if (Number.isFinite(result.capture)) {
      const time = this.#snap(result.capture * 1000 - this.#origin);
      return rtp === null ? time : this.#remember(rtp, time);
    }
    if (rtp === null || this.#offsets.length === 0) return null;
    return this.#snap(unwrap(rtp / 90, this.#median()));
  }

  /** The capture time of the shown frame that is meant: clocks differ by a millisecond, frames by sixteen or more. */
  #snap(time) {
    let best = time;
    let distance = SNAP;
    for (const captured of this.#shown) {
      if (Math.abs(captured - time) < distance) {
        distance = Math.abs(captured - time);
        best = captured;
      }
    }
    return best;
  }

  #remember(rtp, time) {
    const offset = modulo(time - rtp / 90, WRAP / 90);
    this.#offsets.push({ offset, time });
    if (this.#offsets.length > 31) this.#offsets.shift();
    return time;
  }

  #median() {
    const sorted = [...this.#offsets].sort((a, b) => a.offset - b.offset);
    return { ...sorted[sorted.length >> 1], time: this.#offsets.at(-1).time };
  }
}

/** The time nearest to the newest known one that this offset allows: the 32-bit timestamp wraps every 13 hours. */
function unwrap(base, { offset, time }) {
  const period = WRAP / 90;
  const raw = base + offset;
  return raw + Math.round((time - raw) / period) * period;
}

function modulo(value, by) {
  return ((value % by) + by) % by;
}

/** Keeps the last results and tells where each face is at the moment a frame was captured. */
export class Timeline {
  #entries = []; // {captured, arrived, faces: Map(track → face)}, by capture time

  /** Take in a result with its capture time (its arrival where that is unknown). */
  add(result, captured, arrived) {
    const faces = new Map(result.faces.map((face) => [face.track, face]));
    const entry = { captured: captured ?? arrived, arrived, faces };
    let i = this.#entries.length;
    while (i > 0 && this.#entries[i - 1].captured > entry.captured) i--;
    this.#entries.splice(i, 0, entry);
    while (this.#entries.length > 2 && entry.captured - this.#entries[0].captured > KEEP) this.#entries.shift();
  }

  /** Nobody, until results come again. */
  clear() {
    this.#entries = [];
  }

  /**
   * The faces of the frame captured at `time`, as the screen should show them at `now`: each a face of the newest result that has it, with `box`
   * moved to that time and `opacity` 0–1.
   */
  at(time, now) {
    const newest = this.#entries.at(-1);
    if (!newest) return [];
    const late = now - newest.arrived - STALE;
    const shown = late <= 0 ? 1 : Math.max(0, 1 - late / FADE);
    if (shown === 0) return [];
    const out = [];
    const seen = new Set();
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i];
      const gone = newest.captured - entry.captured;
      if (gone > FADE) break;
      for (const [track, face] of entry.faces) {
        if (seen.has(track)) continue;
        seen.add(track);
        const opacity = entry === newest ? shown : shown * (1 - gone / FADE);
        if (opacity > 0) out.push({ ...face, box: this.#boxAt(track, time), opacity });
      }
    }
    return out.sort((a, b) => a.track - b.track);
  }

  #boxAt(track, time) {
    const path = this.#entries.filter((entry) => entry.faces.has(track));
    const box = (entry) => entry.faces.get(track).box;
    const last = path.at(-1);
    if (path.length === 1) return box(last);
    if (time <= path[0].captured) return box(path[0]);
    if (time >= last.captured) return this.#ahead(path, time, box);
    const after = path.findIndex((entry) => entry.captured >= time);
    const [a, b] = [path[after - 1], path[after]];
    return mix(box(a), box(b), (time - a.captured) / Math.max(b.captured - a.captured, 1));
  }

  /** A little ahead of the newest result, at the pace of the last tenth of a second, slowing down. */
  #ahead(path, time, box) {
    const last = path.at(-1);
    const from = path.findLast((entry) => last.captured - entry.captured >= 80) ?? path[0];
    const span = last.captured - from.captured;
    if (span < 15 || span > 250) return box(last);
    const step = Math.min(time - last.captured, AHEAD);
    const damped = step * (1 - step / (2 * AHEAD));
    return box(last).map((value, i) => value + ((value - box(from)[i]) / span) * damped);
  }
}

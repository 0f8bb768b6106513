// Which result belongs to the frame on the screen, and how old that frame is. No DOM; times are milliseconds of performance.now().

const WRAP = 2 ** 32;
const RATE = 90; // RTP ticks a millisecond
const FAR = 5000; // ms between a result and the newest frame, above which its `clock` is not to be believed yet
const STILL = 500; // ms without a frame after which the newest result is what is meant
const KEPT = 90; // frames
const APART = -2; // ms by which two clocks that agree may seem to run backwards

/** The RTP timestamp by which this browser calls the frame of a result (docs/rooms.md, "Watching"). */
export const timestampOf = (rtp, offset) => (((rtp + offset) % WRAP) + WRAP) % WRAP;

/**
 * Puts results and frames on one line of media time, which never wraps. Until a `clock` has come and a frame has said its timestamp, results stand by their
 * arrival and the newest is what is meant; `exact` says which of the two it is, and a change of it makes what stands in a timeline void.
 */
export class FrameClock {
  exact = false;
  #offset = null;
  #ticks = null; // the line, as far as it has been followed
  #frame = null; // {media, at} of the newest frame
  #newest = null; // time of the newest result

  /** The server says how results and frames go together from now on. */
  tell(offset) {
    if (Number.isInteger(offset)) this.#offset = offset;
  }

  /** A frame came to the screen at `now`. */
  shown(timestamp, now) {
    if (!Number.isInteger(timestamp)) return;
    this.#frame = { media: this.#media(timestamp), at: now };
  }

  /** The frame's timestamp of a result, or null while it cannot be known. */
  timestamp({ rtp }) {
    return this.#offset === null || !Number.isInteger(rtp) ? null : timestampOf(rtp, this.#offset);
  }

  /** The time of a result for a timeline. */
  place(result, arrived) {
    const timestamp = this.timestamp(result);
    const media = timestamp === null || this.#frame === null ? null : this.#media(timestamp, false);
    const exact = media !== null && Math.abs(media - this.#frame.media) < FAR;
    if (exact !== this.exact) this.#newest = null;
    this.exact = exact;
    const time = exact ? media : arrived;
    this.#newest = Math.max(this.#newest ?? time, time);
    return time;
  }

  /** The time to ask a timeline for: that of the frame on the screen, or of the newest result. */
  time(now) {
    const frame = this.exact && this.#frame !== null && now - this.#frame.at < STILL;
    return frame ? this.#frame.media : (this.#newest ?? now);
  }

  #media(timestamp, follow = true) {
    const ticks = this.#ticks === null ? timestamp : this.#ticks + ((timestamp - this.#ticks) | 0); // the nearest of those that are called so
    if (follow) this.#ticks = ticks;
    return ticks / RATE;
  }
}

/** When a result's picture was taken, by this browser's clock; null where the clocks of sender, server and viewer do not agree. `origin`: performance.timeOrigin. */
export function takenAt({ capture, timing }, arrived, origin) {
  if (!Number.isFinite(capture) || !Number.isFinite(timing?.sent)) return null;
  const taken = capture * 1000 - origin;
  const sent = timing.sent * 1000 - origin;
  const received = Number.isFinite(timing.received) ? timing.received * 1000 - origin : sent;
  return received - taken >= APART && arrived - sent >= APART && arrived - taken < 2 * FAR ? taken : null;
}

/** How long the newest frames took from the camera to this screen. A frame and its result come in either order. */
export class GlassToGlass {
  #shown = new Map(); // timestamp → when it was shown
  #taken = new Map(); // timestamp → when it was taken
  #last = [];

  /** A frame was shown; returns how long it took, or null. */
  shown(timestamp, at) {
    return this.#pair(this.#shown, timestamp, at);
  }

  /** A result says when its frame was taken; the same. */
  taken(timestamp, at) {
    return timestamp === null || at === null ? null : this.#pair(this.#taken, timestamp, at);
  }

  /** The median of the last frames; null without any. */
  get median() {
    return this.#last.length ? this.#last.toSorted((a, b) => a - b)[this.#last.length >> 1] : null;
  }

  #pair(side, timestamp, at) {
    side.set(timestamp, at);
    if (side.size > KEPT) side.delete(side.keys().next().value);
    if (!this.#shown.has(timestamp) || !this.#taken.has(timestamp)) return null;
    const took = this.#shown.get(timestamp) - this.#taken.get(timestamp);
    if (took < APART) return null;
    this.#last.push(took);
    if (this.#last.length > 30) this.#last.shift();
    return took;
  }
}

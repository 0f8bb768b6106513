// A camera's picture on the wall: the video, and the faces drawn over the frame that is shown.

import { element } from "../dom.js";
import { cropped, fit } from "../geometry.js";
import { t } from "../language.js";
import { draw } from "../overlay.js";
import { Steady } from "../reading.js";
import { STALE, Timeline } from "../timeline.js";
import { FrameClock, GlassToGlass, takenAt } from "./clock.js";

const CUT = 0.12; // share of a picture that may be cut off to fill its tile
const KEPT = 900;
const FADES = STALE - 50; // ms without a result

/** What is measured of a camera: docs/page.md, "For tests and measurements". */
export const measuredOf = () => ({ results: [], frames: 0, firstFrameAt: null, shownAt: null, shown: [], glass: null, glassMedian: null, exact: false, faces: [] });

/** `began()` is called when the first frame of a stream is on the screen. */
export class Picture {
  called = new Map(); // what strangers are called, by track
  #video = element("video", { muted: true, autoplay: true, playsInline: true, disablePictureInPicture: true });
  #canvas = element("canvas", { ariaHidden: "true" });
  #measured;
  #began;
  #clock = new FrameClock();
  #glass = new GlassToGlass();
  #timeline = new Timeline();
  #steady = new Steady();
  #places = new Map();
  #stream = null;
  #drawn = 0; // faces on the canvas
  #same = ""; // what the last drawing depended on

  constructor(measured, began) {
    this.#measured = measured;
    this.#began = began;
    this.element = element("div", { className: "picture" }, this.#video, this.#canvas);
    this.#video.addEventListener("playing", () => this.#frame(performance.now(), {}));
  }

  /** How long newest frames took to this screen, in ms, or null. */
  get glass() {
    return this.#glass.median;
  }

  /** What the picture is called. */
  name(words) {
    this.#video.ariaLabel = words;
  }

  /** Show this stream from now on, or nothing. */
  stream(stream) {
    this.#stream = stream;
    this.#same = "";
    this.#video.srcObject = stream;
    this.#timeline.clear();
    this.#clock = new FrameClock();
    this.#measured.firstFrameAt = null;
    if (stream === null) return this.draw(performance.now());
    this.#video.play().catch(() => {}); // interrupted by the next
    const follow = (now, facts) => {
      if (this.#stream !== stream) return;
      this.#frame(now, facts);
      this.#video.requestVideoFrameCallback(follow);
    };
    this.#video.requestVideoFrameCallback?.(follow);
  }

  #frame(now, { rtpTimestamp: rtp, expectedDisplayTime: due }) {
    const measured = this.#measured;
    if (this.#stream === null) return;
    if (measured.firstFrameAt === null) {
      measured.firstFrameAt = now;
      this.#began();
    }
    const at = Number.isFinite(due) ? Math.max(now, due) : now; // when it is seen
    measured.shownAt = at;
    if (rtp === undefined) return;
    measured.frames += 1;
    keep(measured.shown, { rtp, at });
    this.#clock.shown(rtp, now);
    this.#took(this.#glass.shown(rtp, at));
  }

  /** A result of its camera. */
  result(result, arrived) {
    const measured = this.#measured;
    const before = this.#clock.exact;
    const time = this.#clock.place(result, arrived);
    if (this.#clock.exact !== before) this.#timeline.clear(); // what is there stands in another time
    measured.exact = this.#clock.exact;
    this.#timeline.add(result, time, arrived);
    const timestamp = this.#clock.timestamp(result);
    keep(measured.results, Object.assign(result, { arrived, timestamp }));
    this.#took(this.#glass.taken(timestamp, takenAt(result, arrived, performance.timeOrigin)));
  }

  #took(ms) {
    if (ms === null) return;
    this.#measured.glass = ms;
    this.#measured.glassMedian = this.#glass.median;
  }

  /** A message of its camera beside results. */
  message(message) {
    if (message.type === "clock") this.#clock.tell(message.offset);
  }

  /** Draw what belongs over the frame that is shown now. */
  draw(now) {
    const time = this.#clock.time(now);
    const faces = this.#stream === null ? [] : this.#timeline.at(time, now);
    if (faces.length === 0 && this.#drawn === 0) return;
    // A screen has more frames than a camera: nothing is drawn twice. Boxes fade by the clock on the wall once results are late.
    const newest = this.#measured.results.at(-1);
    const same = [time, newest?.seq, this.#canvas.clientWidth, this.#canvas.clientHeight, now - newest?.arrived < FADES ? 0 : now].join();
    if (same === this.#same) return;
    this.#same = same;
    this.#steady.keep(new Set(faces.map(({ track }) => track)));
    const stage = { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
    const video = { width: this.#video.videoWidth || 4, height: this.#video.videoHeight || 3 };
    const mode = cropped(video, stage) > CUT ? "contain" : "cover";
    if (this.element.dataset.fit !== mode) this.element.dataset.fit = mode;
    const called = (face) => (face.identity === "unknown" ? { ...face, called: this.called.get(face.track) ?? t("Unknown") } : face);
    const shown = draw(this.#canvas, faces.map((face) => called(this.#steady.face(face))), fit(video, stage, mode), stage, this.#places);
    this.#drawn = shown.length;
    this.#measured.faces = shown.map(({ face, box, text, more }) => ({ track: face.track, name: face.name, identity: face.identity, label: text, read: more, box }));
  }

  /** The faces of the newest result, for words. */
  get faces() {
    return this.#stream === null ? [] : (this.#measured.results.at(-1)?.faces ?? []);
  }
}

function keep(list, item) {
  list.push(item);
  if (list.length > KEPT) list.shift();
}

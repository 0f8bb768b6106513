// The camera, with a browser's own part played by a fake: what is asked for, what is let go, and in which order.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Camera, CameraError, explain } from "../../static/camera.js";

const VIDEO = { width: 640, height: 480, frameRate: 30 };
let asked; // constraints, in the order they were asked for
let tracks; // every track ever given out
let answer; // (constraints) → a promise of what the browser answers

class Track extends EventTarget {
  readyState = "live";
  constructor(settings) {
    super();
    this.settings = settings;
    tracks.push(this);
  }
  getSettings() {
    return this.settings;
  }
  stop() {
    this.readyState = "ended"; // a browser fires no event for a stop of the page's own
  }
}

const stream = (settings) => {
  const track = new Track(settings);
  return { getTracks: () => [track], getVideoTracks: () => [track] };
};
const refusal = (name) => Promise.reject(new DOMException("no", name));

beforeEach(() => {
  asked = [];
  tracks = [];
  answer = async (video) => stream({ deviceId: video.deviceId?.exact ?? "front", facingMode: video.facingMode });
  const kept = new Map();
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  globalThis.window = { isSecureContext: true };
  const mediaDevices = {
    getUserMedia: (constraints) => {
      assert.equal(constraints.audio, false);
      asked.push(constraints.video);
      return answer(constraints.video);
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
});

const camera = (more = {}) => new Camera({ onEnded() {}, onMuted() {}, ...more });

test("the camera used last is asked for by its id, and any if it is gone", async () => {
  await camera().open(VIDEO, { deviceId: "desk" });
  const next = camera();
  answer = (video) => (video.deviceId ? refusal("OverconstrainedError") : Promise.resolve(stream({ deviceId: "front" })));
  await next.open(VIDEO);
  assert.deepEqual(asked.map((video) => video.deviceId?.exact ?? null), ["desk", "desk", null]);
  assert.equal(next.deviceId, "front");
});

test("the one before is let go before another is asked for", async () => {
  const one = camera();
  await one.open(VIDEO);
  answer = async () => {
    assert.equal(tracks[0].readyState, "ended");
    return stream({ deviceId: "back", facingMode: "environment" });
  };
  await one.open(VIDEO, { facing: "environment" });
  assert.equal(one.facing, "environment");
  assert.equal(one.track.readyState, "live");
});

test("a camera that comes after it was closed is let go at once", async () => {
  let give;
  answer = () => new Promise((resolve) => (give = resolve));
  const one = camera();
  const opening = one.open(VIDEO);
  one.close();
  give(stream({ deviceId: "front" }));
  assert.equal(await opening, null);
  assert.equal(tracks[0].readyState, "ended");
  assert.equal(one.stream, null);
});

test("of two questions only the later answer counts, whichever comes first", async () => {
  const gives = [];
  answer = () => new Promise((resolve) => gives.push(resolve));
  const one = camera();
  const openings = [one.open(VIDEO), one.open(VIDEO)];
  gives[1](stream({ deviceId: "second" }));
  await openings[1];
  gives[0](stream({ deviceId: "first" }));
  assert.equal(await openings[0], null);
  assert.equal(one.deviceId, "second");
  assert.deepEqual(tracks.map((track) => track.readyState), ["live", "ended"]);
});

test("a refusal that comes after it was closed is nobody's error", async () => {
  let refuse;
  answer = () => new Promise((_, reject) => (refuse = reject));
  const one = camera();
  const opening = one.open(VIDEO);
  one.close();
  refuse(new DOMException("no", "NotAllowedError"));
  assert.equal(await opening, null);
});

test("a camera that ends by itself is told, one that was replaced is not", async () => {
  let ended = 0;
  const one = camera({ onEnded: () => (ended += 1) });
  await one.open(VIDEO);
  await one.open(VIDEO, { deviceId: "other" });
  tracks[0].dispatchEvent(new Event("ended"));
  assert.equal(ended, 0);
  tracks[1].dispatchEvent(new Event("ended"));
  assert.equal(ended, 1);
});

test("a camera that gives no picture for a while is told, both ways", async () => {
  const told = [];
  const one = camera({ onMuted: (muted) => told.push(muted) });
  await one.open(VIDEO);
  one.track.dispatchEvent(new Event("mute"));
  one.track.dispatchEvent(new Event("unmute"));
  assert.deepEqual(told, [true, false]);
});

test("without a secure connection nothing is asked for, and trying again is no way out", async () => {
  globalThis.window.isSecureContext = false;
  await assert.rejects(camera().open(VIDEO), (error) => error instanceof CameraError && error.canRetry === false && /https/.test(error.advice));
  assert.equal(asked.length, 0);
});

test("storage that is switched off only forgets which camera was used", async () => {
  const refuse = () => {
    throw new DOMException("no", "SecurityError");
  };
  globalThis.localStorage = { getItem: refuse, setItem: refuse };
  assert.notEqual(await camera().open(VIDEO), null);
});

test("every error says what is wrong and what to do, each in its own words", () => {
  const names = ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "AbortError", "TypeError"];
  const said = names.map((name) => explain({ name, message: "" }));
  assert.equal(new Set(said.map((error) => error.message)).size, names.length);
  for (const error of said) assert.match(error.advice, /again|open this page/i);
});

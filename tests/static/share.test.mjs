// What a camera sends of what the server gives it, and what is said of that.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../../static/protocol.js";
import { constraints, encoding, scarcity, sharing, spacing } from "../../static/share.js";

const ALL = { fps: 30, width: 640, height: 480, keyframe_interval: 0.6, reason: "alone", sessions: 1 };
const LITTLE = { fps: 2.2, width: 320, height: 240, keyframe_interval: 0.9, reason: "shared", sessions: 100 };
const VIDEO = { width: 640, height: 480, frameRate: 30 };

test("who gets all sends as if there were no budget", () => {
  assert.deepEqual(encoding(ALL, { width: 640, height: 480 }, 1_500_000), { maxFramerate: 30, scaleResolutionDownBy: 1, maxBitrate: 1_500_000 });
});

test("fewer and smaller pictures take fewer bits, but not by as much", () => {
  const sent = encoding(LITTLE, { width: 640, height: 480 }, 1_500_000);
  assert.equal(sent.maxFramerate, 2.2);
  assert.equal(sent.scaleResolutionDownBy, 2);
  assert.ok(sent.maxBitrate > (1_500_000 * 2.2) / 30 && sent.maxBitrate < 500_000);
});

test("a phone held upright and a larger camera are scaled by their long side", () => {
  assert.equal(encoding(ALL, { width: 480, height: 640 }, 1e6).scaleResolutionDownBy, 1);
  assert.equal(encoding(ALL, { width: 1280, height: 720 }, 1e6).scaleResolutionDownBy, 2);
  assert.equal(encoding(ALL, {}, 1e6).scaleResolutionDownBy, 1); // a camera that does not say
});

test("the picture on the page itself stays fluent", () => {
  assert.equal(constraints(LITTLE, VIDEO).frameRate.ideal, 15);
  assert.equal(constraints(ALL, VIDEO).frameRate.ideal, 30);
});

test("what is said names rate, size and reason", () => {
  assert.match(sharing(LITTLE), /2\.2 pictures a second.*320 × 240.*100 cameras/);
  assert.match(sharing({ ...LITTLE, reason: "settled" }), /nothing new/);
  assert.match(sharing({ ...LITTLE, reason: "new_face" }), /new face/);
  assert.match(sharing(ALL), /all that it can use/);
  assert.match(sharing({ ...ALL, reason: "a reason of a newer server" }), /30 pictures/);
  assert.equal(sharing(null), "");
  assert.equal(scarcity(ALL), "");
  assert.match(scarcity(LITTLE), /busy/);
  assert.equal(scarcity(null), "");
  assert.equal(Math.round(spacing(LITTLE)), 455);
  assert.equal(spacing(null), 0);
});

test("a budget that is none is not taken", () => {
  const message = (fields) => parse(JSON.stringify({ v: 1, type: "budget", ...LITTLE, ...fields }));
  assert.ok(message({}));
  for (const wrong of [{ fps: 0 }, { fps: "fast" }, { width: -1 }, { keyframe_interval: null }, { reason: 5 }, { sessions: 1.5 }]) {
    assert.equal(message(wrong), null, JSON.stringify(wrong));
  }
});

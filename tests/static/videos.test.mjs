// Times, places and boxes of the videos page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { leftWords } from "../../static/people/queue.js";
import { Boxes } from "../../static/videos/boxes.js";
import { duration as span } from "../../static/figures.js";
import { about, boxAt, clock, place, standing } from "../../static/videos/times.js";

test("times read as on a clock, lengths as people say them", () => {
  assert.deepEqual([0, 5.9, 65, 3723].map(clock), ["0:00", "0:05", "1:05", "1:02:03"]);
  assert.deepEqual([0.2, 42, 61, 3600, 3900].map(span), ["1\u00a0s", "42\u00a0s", "1\u00a0min", "1\u00a0h", "1\u00a0h 5\u00a0min"]);
});

test("an interval on the bar is never too thin to be seen, and never beyond its end", () => {
  assert.deepEqual(place([10, 20], 40), { left: 25, width: 25 });
  const { left, width } = place([3599.9, 3600], 3600);
  assert.ok(width >= 0.5 && left + width <= 100);
  assert.deepEqual(place([0, 0], 0).left, 0);
});

test("a box is drawn on the straight line between two points, and not where there is a gap", () => {
  const points = [[1, 0, 0, 0.2, 0.2], [2, 0.4, 0.2, 0.2, 0.2], [9, 0.5, 0.5, 0.1, 0.1]];
  assert.deepEqual(boxAt(points, 1, 2.5), [0, 0, 0.2, 0.2]);
  assert.deepEqual(boxAt(points, 1.5, 2.5), [0.2, 0.1, 0.2, 0.2]);
  for (const moment of [0.9, 5, 9.1]) assert.equal(boxAt(points, moment, 2.5), null);
  assert.equal(boxAt([], 1, 2.5), null);
});

test("where a video stands is said in words", () => {
  const video = { words: "", done: null, total: null, left: null, seconds: null };
  assert.equal(standing({ ...video, state: "waiting" }, leftWords), "Waits for its turn");
  assert.equal(standing({ ...video, state: "running" }, leftWords), "Opening the video");
  assert.equal(standing({ ...video, state: "running", done: 30, total: 90, left: 20 }, leftWords), "0:30 of 1:30, about 20 seconds left");
  assert.equal(standing({ ...video, state: "running", done: 30 }, leftWords), "0:30 done");
  assert.equal(standing({ ...video, state: "failed", words: "No video." }, leftWords), "No video.");
  assert.equal(standing({ ...video, state: "done", seconds: 60 }, leftWords), "1\u00a0min long");
});

test("one line says how long, how often and how surely", () => {
  const one = { seconds: 12, intervals: [[0, 5], [9, 16]], person: null, perhaps: null, probability: null };
  assert.equal(about(one), "12\u00a0s · 2 times");
  assert.equal(about({ ...one, person: { name: "Ada" }, probability: 0.97 }), "12\u00a0s · 2 times · 97\u00a0% sure");
  assert.equal(about({ ...one, intervals: [[0, 12]], perhaps: { name: "Ada" } }), "12\u00a0s · perhaps Ada");
});

test("boxes are asked for a minute at a time, the next one before it is needed", async () => {
  const asked = [];
  const boxes = new Boxes(async (from, to) => {
    asked.push([from, to]);
    return { longest: 2.5, tracks: { 7: [[from, 0, 0, 0.1, 0.1], [from + 2, 0.2, 0, 0.1, 0.1]] } };
  });
  assert.deepEqual(boxes.at(1), []);
  await new Promise(setImmediate);
  assert.deepEqual(boxes.at(1), [{ track: 7, box: [0.1, 0, 0.1, 0.1] }]);
  assert.deepEqual(asked, [[0, 60]]);
  boxes.at(55);
  assert.deepEqual(asked, [[0, 60], [60, 120]]);
});

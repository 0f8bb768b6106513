// What the Status page says, without a document.

import assert from "node:assert/strict";
import { test } from "node:test";

import { curve, History } from "../../static/status/history.js";
import { milliseconds, now, remark, running, standing } from "../../static/status/words.js";

const BOX = { width: 140, height: 40, top: 20 };

test("a curve ends at the right, is broken where there was nothing, and stays in its box", () => {
  assert.deepEqual(curve([5, 10], BOX), ["130,30 140,20"]);
  assert.deepEqual(curve([5, 10, null, 20, 99], BOX), ["100,30 110,20", "130,0 140,0"]);
  assert.deepEqual(curve([null, 5, null], BOX), []); // one point is no curve
  assert.deepEqual(curve([], BOX), []);
});

test("a curve of many values is as wide as its box", () => {
  const points = curve(Array(60).fill(1), BOX)[0].split(" ");
  assert.equal(points.length, 60);
  assert.equal(points[0].split(",")[0], "0");
  assert.equal(points.at(-1).split(",")[0], "140");
});

test("two minutes are remembered", () => {
  const history = new History();
  for (let ms = 0; ms < 100; ms += 1) history.add({ answers: { p50_ms: ms % 2 ? ms : undefined } });
  const kept = history.of((status) => status.answers.p50_ms);
  assert.equal(kept.length, 60);
  assert.deepEqual(kept.slice(0, 2), [null, 41]);
});

test("every remark is a sentence, and one that is not known is no error", () => {
  for (const code of ["not_ready", "full", "slow", "processors", "threads", "event_loop", "memory", "disk", "webhooks", "store"]) {
    const words = remark({ code, value: { memory: 9e8, disk: 1e9 }[code] ?? 0.93, part: "store" });
    assert.match(words, /^[A-Z].*\.$/, code);
    assert.doesNotMatch(words, /[{}]|undefined|null/, code);
  }
  assert.match(remark({ code: "slow", value: 300, part: "detect" }), /300 ms\. Most of it is looking for faces/);
  assert.match(remark({ code: "processors", value: 0.1, part: "" }), /mostly with other programs/);
  assert.equal(remark({ code: "not_ready", value: null, part: "new part" }), "A part does not work: new part.");
  assert.equal(remark({ code: "something new", value: 1, part: "" }), "something new");
});

test("what happens now is a line", () => {
  const answers = { p50_ms: null };
  assert.equal(now({ sessions: { now: 0 }, answers }), "No camera is live.");
  assert.equal(now({ sessions: { now: 1 }, answers }), "1 camera is live.");
  assert.equal(now({ sessions: { now: 2 }, answers: { p50_ms: 12.4 } }), "2 cameras are live; half of all answers come within 12 ms.");
});

test("figures are said in few digits", () => {
  assert.deepEqual([0.04, 4.26, 41.7].map(milliseconds), ["0.0", "4.3", "42"]);
  assert.equal(running(90), "2\u00a0min");
  assert.equal(running(3 * 86400 + 5), "3 days");
  assert.deepEqual([standing({ running: 1, waiting: 2 }), standing({ running: 1, waiting: 0 }), standing({ running: 0, waiting: 2 }), standing({ running: 0, waiting: 0 })], ["at work, 2 waiting", "at work", "2 waiting", "nothing to do"]);
});

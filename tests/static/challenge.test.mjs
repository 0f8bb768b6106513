// What an enrolment with movements says: node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ARROWS, asked, refusal, standing } from "../../static/challenge.js";
import { parse } from "../../static/protocol.js";

const message = (more = {}) => ({ v: 1, type: "challenge", id: 4, track: 7, step: "left", number: 1, of: 3, seconds_left: 5.2, hint: null, ...more });

test("left is the person's own: on a mirrored screen the same side, else the other", () => {
  assert.deepEqual(asked(message(), true), { words: "Turn your head to your left", arrow: "left" });
  assert.deepEqual(asked(message(), false), { words: "Turn your head to your left", arrow: "right" });
  assert.equal(asked(message({ step: "right" }), true).arrow, "right");
  assert.equal(asked(message({ step: "right" }), false).arrow, "left");
  assert.equal(asked(message({ step: "nearer" }), false).arrow, "nearer");
  const tip = (arrow) => Number(ARROWS[arrow][1].match(/L (\d+) 50/)[1]);
  assert.ok(tip("left") < 50 && tip("right") > 50);
});

test("what is missing of a movement is said instead of it", () => {
  assert.equal(asked(message({ hint: "further" })).words, "A little further");
  assert.equal(asked(message({ hint: "hold" })).words, "Stay like that for a moment");
  assert.equal(asked(message({ hint: "look straight" })).words, "Turn your head to your left");
  assert.equal(asked(message({ hint: "something newer" })).words, "Turn your head to your left");
});

test("between movements nothing is given away", () => {
  assert.deepEqual(asked(message({ step: "rest", hint: "hold still" })), { words: "Hold still until you are asked", arrow: null });
  assert.deepEqual(asked(message({ step: "rest" })), { words: "Look straight at the camera", arrow: null });
  assert.equal(standing(message({ step: "rest" })), "Movement 1 of 3");
  assert.match(standing(message()), /Movement 1 of 3.*6 s left/);
  assert.equal(asked(message({ step: "done" })).arrow, null);
});

test("a refusal says why and what is left", () => {
  const failed = { code: "challenge_failed", message: "The movement did not come in time." };
  assert.equal(refusal({ ...failed, tries_left: 1 }), "The movement did not come in time. 1 try is left.");
  assert.equal(refusal({ ...failed, tries_left: 0 }), "The movement did not come in time. Wait a minute before you try again.");
  assert.equal(refusal({ code: "bad_name", message: "A name must not be empty." }), "A name must not be empty.");
});

test("a challenge that is none is not read", () => {
  const read = (more) => parse(JSON.stringify(message(more)));
  assert.equal(read().step, "left");
  for (const wrong of [{ step: "up" }, { step: null }, { number: -1 }, { of: "3" }, { seconds_left: null }, { track: "7" }, { hint: 3 }]) assert.equal(read(wrong), null);
});

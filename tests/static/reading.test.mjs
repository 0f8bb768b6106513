// What is said of distance, gender and age, and what is kept of cameras: node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cameraKey, degrees, isCamera, KnownCameras } from "../../static/known_cameras.js";
import { Commands, parse } from "../../static/protocol.js";
import { briefReadings, metres, readingFacts, readings, span, Steady } from "../../static/reading.js";

const distance = { m: 2.41, low: 1.93, high: 3.08, band: "near" };
const all = { gender: "female", p: 0.923, age: 35, low: 30, high: 41, looks: 5, reason: null };

test("a distance is about so many metres", () => {
  assert.deepEqual([0.42, 0.96, 0.98, 2.41, 9.94, 9.96, 14.4].map(metres), ["40 cm", "95 cm", "1.0 m", "2.4 m", "9.9 m", "10 m", "14 m"]);
  assert.equal(metres(undefined), null);
  assert.equal(metres(NaN), null);
  assert.equal(span(distance), "1.9–3.1 m");
  assert.equal(span({ low: 0.364, high: 0.49 }), "36–49 cm");
  assert.equal(span({ low: 0.82, high: 1.3 }), "0.8–1.3 m");
  assert.equal(span({ low: 8.4, high: 13.2 }), "8–13 m");
});

test("what is asked for is said, and no more", () => {
  assert.deepEqual(readings({}), []);
  assert.deepEqual(readings({ distance }), ["about 2.4 m"]);
  assert.deepEqual(readings({ distance, apparent: all }), ["about 2.4 m", "looks 30–41", "apparently female 92\u00a0%"]);
  assert.deepEqual(readings({ apparent: { gender: "male", p: 0.999, looks: 1, reason: null } }), ["apparently male 99\u00a0%"]);
  assert.deepEqual(readings({ apparent: { age: 35, low: 30, high: 41, looks: 1, reason: null } }), ["looks 30–41"]);
  assert.deepEqual(briefReadings({ distance, apparent: all }), ["2.4 m"]);
});

test("what is not known is not said", () => {
  const far = { gender: null, p: 0.71, age: null, low: null, high: null, looks: 3, reason: "too far" };
  assert.deepEqual(readings({ apparent: far }), ["too far to say"]);
  assert.deepEqual(readings({ identity: "unreadable", distance, apparent: far }), ["about 2.4 m"]);
  assert.deepEqual(readings({ apparent: { ...all, gender: null, p: 0.6, reason: "not sure" } }), ["looks 30–41", "gender hard to tell"]);
  // Only the age is asked for, and it is there: that the gender is unsure is nobody's business.
  assert.deepEqual(readings({ apparent: { age: 35, low: 30, high: 41, looks: 1, reason: "not sure" } }), ["looks 30–41"]);
  const facts = Object.fromEntries(readingFacts({ distance, apparent: far }));
  assert.equal(facts["Apparent gender"], "Too far to say");
  assert.equal(facts["Apparent age"], "Too far to say");
});

test("never a certainty, never 'is'", () => {
  for (const p of [0.5, 0.9, 0.999, 1]) {
    const said = readings({ apparent: { ...all, p } }).join(" ");
    assert.doesNotMatch(said, /\bis\b|100 %/);
    assert.match(said, /apparently/);
  }
});

test("the sheet has the interval and the looks", () => {
  const facts = Object.fromEntries(readingFacts({ distance, apparent: all }));
  assert.equal(facts.Distance, "about 2.4 m: 1.9–3.1 m, near");
  assert.equal(facts["Apparent gender"], "female 92\u00a0%, seen 5 times");
  assert.equal(facts["Apparent age"], "30–41, seen 5 times");
  assert.deepEqual(readingFacts(null).map(([, value]) => value), [null, null, null]);
});

test("a distance that trembles stands still, and one that changes is followed", () => {
  const steady = new Steady();
  const at = (m, band = "near") => steady.face({ track: 1, distance: { ...distance, m, band } }).distance.m;
  assert.deepEqual([2, 2.1, 1.9, 2.2, 2.1, 3].map((m) => at(m)), [2, 2, 2, 2.2, 2.2, 3]);
  assert.equal(at(3.05, "middle"), 3.05);
  steady.keep(new Set([2]));
  assert.equal(at(3.1), 3.1);
  assert.deepEqual(steady.face({ track: 5 }), { track: 5 });
});

const storage = (text = null) => ({ text, getItem() { return this.text; }, setItem(_key, value) { this.text = value; } });
const card = { focal: 0.81, spread: 0.042, known: "card" };

test("a camera is kept with the shape of its picture", () => {
  const known = new KnownCameras(storage());
  const key = cameraKey({ deviceId: "a", label: "Front", width: 640, height: 480 });
  assert.equal(key, cameraKey({ deviceId: "a", label: "Front", width: 480, height: 640 }));
  assert.notEqual(key, cameraKey({ deviceId: "a", label: "Front", width: 1280, height: 720 }));
  assert.notEqual(key, cameraKey({ deviceId: "b", label: "Front", width: 640, height: 480 }));
  assert.equal(cameraKey({}), "camera ?");
  assert.equal(known.get(key), null);
  known.keep(key, { ...card, v: 1, type: "camera", id: 3 });
  assert.deepEqual(known.get(key), card);
  known.forget(key);
  assert.equal(known.get(key), null);
});

test("only the newest cameras are kept", () => {
  const known = new KnownCameras(storage());
  for (let i = 0; i < 30; i++) known.keep(`camera ${i}`, card);
  assert.equal(known.get("camera 9"), null);
  assert.deepEqual(known.get("camera 29"), card);
});

test("what else is in the storage is no camera", () => {
  for (const text of ["{", "[]", "null", "7", '{"x":null}', '{"x":{"focal":0.8}}', '{"x":{"focal":"0.8","spread":0.1,"known":"card"}}', '{"x":{"focal":99,"spread":0.1,"known":"card"}}', '{"x":{"focal":0.8,"spread":0,"known":"card"}}', '{"x":{"focal":0.8,"spread":0.1,"known":"usual"}}'])
    assert.equal(new KnownCameras(storage(text)).get("x"), null, text);
  assert.equal(isCamera(card), true);
  const broken = { getItem() { throw new Error("off"); }, setItem() { throw new Error("full"); } };
  const known = new KnownCameras(broken);
  known.keep("x", card);
  assert.equal(known.get("x"), null);
  assert.equal(new KnownCameras(null).get("x"), null);
});

test("a focal length is an angle", () => {
  assert.equal(degrees(0.77), 66);
  assert.equal(degrees(0.5), 90);
});

test("messages about cameras and readings are read with suspicion", () => {
  const say = (message) => parse(JSON.stringify({ v: 1, ...message }));
  assert.notEqual(say({ type: "camera", id: 1, focal: 0.8, spread: 0.1, known: "card" }), null);
  assert.equal(say({ type: "camera", id: 1, focal: "0.8", spread: 0.1, known: "card" }), null);
  assert.notEqual(say({ type: "reading", distance: true, gender: false, age: false }), null);
  assert.equal(say({ type: "reading", distance: true, gender: 1, age: false }), null);
  assert.equal(say({ type: "hello", reading: { distance: true } }), null);
  const face = { track: 1, box: [0, 0, 1, 1], identity: "unknown" };
  const result = (more) => say({ type: "result", seq: 1, width: 4, height: 3, timing: {}, faces: [{ ...face, ...more }] });
  assert.notEqual(result({ distance, apparent: all }), null);
  assert.equal(result({ distance: { m: "near" } }), null);
  assert.equal(result({ apparent: "male" }), null);
  assert.deepEqual(JSON.parse(new Commands().camera({ from: "usual" }).text), { v: 1, type: "camera", id: 1, from: "usual" });
});

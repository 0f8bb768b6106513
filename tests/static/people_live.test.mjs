// Learning, explaining and correcting: the halves that need no document. node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Announcer } from "../../static/announce.js";
import { inRoom, roomsOf, summary } from "../../static/people_list.js";
import { Commands, parse } from "../../static/protocol.js";
import { BACKOFF, Reconnector, SPREAD } from "../../static/reconnect.js";
import { arcPath, ringOf, squareAround, wanted } from "../../static/ring.js";
import { asking, visitOf } from "../../static/session.js";
import { factsOf, question, scaleOf } from "../../static/why.js";
import { chance, guiding, progress, SCOPES, scopes, visiting } from "../../static/words.js";

const NOTHING = { front: false, left: false, right: false, up: false, down: false, near: false, far: false };
const ALL = Object.fromEntries(Object.keys(NOTHING).map((view) => [view, true]));
const said = (message) => parse(JSON.stringify({ v: 1, ...message }));

test("a message about learning or explaining is read only if it can be believed", () => {
  const enrolling = { type: "enrolling", id: 4, track: 7, name: "Ada", samples: 2, needed: 5, hint: null };
  assert.ok(said(enrolling));
  assert.ok(said({ ...enrolling, coverage: ALL, pose: { yaw: 0.1, pitch: -0.2, size: 140 }, seconds_left: 31.5 }));
  for (const wrong of [{ samples: "2" }, { samples: -1 }, { needed: null }, { hint: 3 }, { coverage: [] }, { pose: { yaw: "left" } }, { pose: 3 }, { seconds_left: "soon" }, { track: "7" }]) {
    assert.equal(said({ ...enrolling, ...wrong }), null, JSON.stringify(wrong));
  }
  const why = { type: "why", id: 5, track: 7, identity: "known", person: "c1", name: "Ada", probability: 0.97, similarity: 0.95, threshold: 0.9, margin: 0.03, runner_up: { person: "c2", name: "Alan", similarity: 0.9 }, best_sample: { id: "s1", similarity: 0.96, crop: true }, votes: 5, quality: { size: 0.5 }, width: 120, embedded: 9, rejected: null, words: "Because." };
  assert.ok(said(why));
  assert.ok(said({ ...why, identity: "unknown", name: null, person: null, runner_up: null, best_sample: null, probability: null }));
  for (const wrong of [{ identity: 1 }, { name: {} }, { similarity: "high" }, { runner_up: { name: "Alan" } }, { runner_up: "Alan" }, { best_sample: { crop: true } }, { quality: [1] }, { words: 7 }, { rejected: {} }]) {
    assert.equal(said({ ...why, ...wrong }), null, JSON.stringify(wrong));
  }
  assert.ok(said({ type: "error", id: 1, code: "review_failed", message: "No." }));
  assert.equal(said({ type: "error", id: 1, code: "looks_like", message: "No." }), null);
  assert.ok(said({ type: "error", id: 1, code: "looks_like", message: "No.", person: "c1", name: "Ada" }));
  assert.equal(said({ type: "enrolled", id: 1, name: "Ada" }), null);
  assert.equal(said({ type: "noted", id: 1, track: 7 }), null);
  assert.equal(said({ type: "noted", id: 1, track: 7, person: "c1", change: {} }), null);
  assert.ok(said({ type: "noted", id: 1, track: 7, person: "c1", change: null }));
});

test("each command says what it is about", () => {
  const commands = new Commands();
  const sent = [commands.finishEnrol(3), commands.why(3), commands.notPerson(3, "c1"), commands.cancelEnrol(3)].map(({ text }) => JSON.parse(text));
  assert.deepEqual(sent.map(({ type }) => type), ["finish_enrol", "why", "not_person", "cancel_enrol"]);
  assert.ok(sent.every(({ track }) => track === 3));
  assert.equal(sent[2].person, "c1");
  assert.equal(new Set(sent.map(({ id }) => id)).size, 4);
});

test("the ring asks for one view at a time and closes once all sides were seen", () => {
  const empty = ringOf({ coverage: NOTHING });
  assert.equal(empty.arcs.length, 8);
  assert.ok(empty.arcs.every(({ done }) => !done));
  assert.deepEqual(empty.marks.map(({ view, next }) => [view, next]), [["front", true], ["near", false], ["far", false]]);
  const sideways = ringOf({ coverage: { ...NOTHING, front: true } });
  assert.equal(wanted({ ...NOTHING, front: true }), "left");
  assert.equal(wanted({ ...NOTHING, front: true, right: true }), "right", "who turned to the right of the picture turned to their own left");
  assert.equal(sideways.arcs.findIndex(({ next }) => next), 6, "in the mirror, one's own left is on the left");
  assert.equal(sideways.arcs.filter(({ next }) => next).length, 1);
  const two = ringOf({ coverage: { ...NOTHING, right: true, up: true } });
  assert.deepEqual(two.arcs.map(({ done }) => done), [true, false, false, false, false, false, true, true]);
  assert.ok(ringOf({ coverage: ALL }).arcs.every(({ done }) => done));
  assert.equal(wanted(ALL), null);
  assert.equal(wanted(undefined), null);
  assert.equal(ringOf({}).arcs.filter(({ done, next }) => done || next).length, 0);
});

test("left is the person's own: where they see it in a mirror, on the other side without one", () => {
  const coverage = { ...NOTHING, right: true }; // of the picture as the camera took it
  const side = (mirrored) => ringOf({ coverage }, mirrored).arcs.findIndex(({ done }) => done);
  assert.deepEqual([side(true), side(false)], [6, 2]);
  // A nose that points to the right of the camera's picture is turned to the person's own left.
  const towards = { coverage, pose: { yaw: 0.6, pitch: 0, size: 100 } };
  assert.deepEqual([ringOf(towards, true).points, ringOf(towards, false).points], [-90, 90]);
  assert.ok(ringOf({ coverage, pose: { yaw: 0, pitch: 0.5, size: 100 } }).points === 0, "up is up");
  assert.equal(ringOf({ coverage, pose: { yaw: 0.1, pitch: 0.02, size: 1 } }).points, null, "straight ahead points nowhere");
  assert.equal(ringOf({ coverage, pose: { yaw: null, pitch: null, size: null } }).points, null);
});

test("an arc lies where it should", () => {
  const numbers = arcPath(50, 40, -20, 20).match(/-?[\d.]+/g).map(Number);
  const [x1, y1, , , , , , x2, y2] = numbers;
  assert.ok(Math.abs(Math.hypot(x1 - 50, y1 - 50) - 40) < 0.02 && Math.abs(x1 + x2 - 100) < 0.02 && y1 === y2 && y1 < 20);
});

test("the live picture is a square about the face", () => {
  const [x, y, side] = squareAround([0.25, 0.25, 0.25, 0.5], { width: 640, height: 480 }, 1.5);
  assert.deepEqual([x + side / 2, y + side / 2, side], [240, 240, 360]);
});

test("every reason has words a person can follow, and what is wrong comes first", () => {
  const state = { samples: 2, needed: 5, hint: null };
  assert.equal(guiding(state, "left"), "Turn your head a little to the left");
  assert.equal(guiding({ ...state, hint: "same view" }, "up"), "Lift your chin a little");
  assert.equal(guiding({ ...state, hint: "two faces" }, "left"), "Only one face, please");
  assert.equal(guiding({ ...state, hint: "something new" }, "left"), "something new");
  assert.equal(guiding({ samples: 5, needed: 5, hint: null }, null), "That is enough");
  const views = Object.keys(NOTHING).map((view) => guiding(state, view));
  assert.equal(new Set(views).size, views.length);
  for (const hint of ["too dark", "too bright", "blurred", "turned away", "too far", "two faces", "face is gone"]) assert.notEqual(guiding({ ...state, hint }, null), hint);
  assert.equal(progress({ samples: 3, needed: 5, seconds_left: 41.2 }), "3 of 5 · 42 s left");
  assert.equal(progress({ samples: 3, needed: 5 }), "3 of 5");
  assert.equal(progress({ samples: 6, needed: 5, seconds_left: -1 }), "6 pictures · 0 s left");
});

test("nothing is ever quite certain", () => {
  assert.deepEqual([0.97, 0.99999, 0, 1, null, NaN].map(chance), ["97\u00a0%", "99\u00a0%", "1\u00a0%", "99\u00a0%", null, null]);
});

test("whom a name is for: only what this visit leaves open", () => {
  assert.deepEqual(scopes({ room: null, guest: false }), []);
  assert.deepEqual(scopes({ room: "lab", guest: false }), ["room", "everyone", "session"]);
  assert.deepEqual(scopes({ room: "lab", guest: true }), ["session"]);
  for (const scope of scopes({ room: "lab", guest: false })) assert.ok(SCOPES[scope].words && SCOPES[scope].means);
  assert.equal(visiting({ room: null, guest: false }), "");
  assert.equal(visiting({ room: "lab", guest: false }), "Room lab");
  assert.match(visiting({ room: "lab", guest: true }), /^Room lab · Guest: .* gone when you leave$/);
});

test("the page's address says whose visit it is, and the offer passes it on", () => {
  assert.deepEqual(visitOf(""), { room: null, guest: false, name: null });
  assert.deepEqual(visitOf("?room=lab&guest=1&x=2"), { room: "lab", guest: true, name: null });
  assert.deepEqual(visitOf("?room=&guest=yes&name="), { room: null, guest: false, name: null });
  assert.equal(asking("/api/v1/whip", visitOf("?room=lab&name=Front+door")), "/api/v1/whip?room=lab&name=Front+door");
  assert.equal(asking("/api/v1/whip", visitOf("")), "/api/v1/whip");
  assert.equal(asking("/api/v1/whip", visitOf("?guest=1&room=a%26b")), "/api/v1/whip?room=a%26b&guest=1");
});

test("the scale shows the face, the next and the bar in their order", () => {
  const { from, marks } = scaleOf({ similarity: 0.957, threshold: 0.9, runner_up: { name: "Alan", similarity: 0.83 } });
  assert.equal(from, 0.7);
  const at = Object.fromEntries(marks.map((mark) => [mark.is, mark.at]));
  assert.ok(0 < at.next && at.next < at.needed && at.needed < at.this && at.this < 100);
  assert.deepEqual(scaleOf({ similarity: 0.5, threshold: 0.9, runner_up: null }).marks.map(({ is }) => is), ["needed", "this"]);
  assert.equal(scaleOf({ similarity: null, threshold: 0.9 }), null);
  const low = scaleOf({ similarity: -0.2, threshold: 1 });
  assert.ok(low.marks.every(({ at: place }) => place >= 0 && place <= 100));
});

test("why: only what is known is told", () => {
  const facts = Object.fromEntries(factsOf({ margin: 0.0314, runner_up: { name: "Alan" }, votes: 5, embedded: 9, width: 143.6, rejected: null }));
  assert.equal(facts["Ahead of the next"], "0.031 (Alan)");
  assert.equal(facts["Width of the face"], "144 pixels");
  assert.ok(factsOf({}).every(([, value]) => value === null));
  assert.equal(new Set(["known", "uncertain", "unknown"].map(question)).size, 3);
  assert.equal(question("pending"), null);
});

test("people by room", () => {
  const people = [{ name: "Ada", room: null, samples: 1 }, { name: "Bo", room: "lab", samples: 5 }, { name: "Cy", room: "all", samples: 5 }];
  assert.deepEqual(roomsOf(people.slice(0, 1)), []);
  assert.deepEqual(roomsOf(people).map(([value]) => value), ["all", "everyone", "room:all", "room:lab"]);
  assert.deepEqual(["all", "everyone", "room:lab", "room:all"].map((filter) => inRoom(people, filter).length), [3, 1, 1, 1]);
  assert.deepEqual(people.slice(0, 2).map(summary), ["1 picture", "5 pictures · room lab"]);
});

test("only what has settled is announced, and nothing twice", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const heard = [];
  const announcer = new Announcer((text) => heard.push(text), 1000);
  for (const text of ["a", "b", "a", "b"]) {
    announcer.tell(text);
    t.mock.timers.tick(300);
  }
  assert.deepEqual(heard, []);
  t.mock.timers.tick(1000);
  announcer.tell("b");
  t.mock.timers.tick(2000);
  assert.deepEqual(heard, ["b"]);
  announcer.tell("c");
  announcer.forget();
  t.mock.timers.tick(2000);
  assert.deepEqual(heard, ["b"]);
});

test("each try waits longer, unless the server says how long, and one that worked starts over", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const again = new Reconnector(() => 0.5);
  let connected = 0;
  for (const wait of [...BACKOFF, BACKOFF.at(-1)]) {
    assert.match(again.schedule("failed", null, () => connected++), /again/);
    t.mock.timers.tick(wait - 1);
    assert.equal(connected, 0);
    t.mock.timers.tick(1);
    assert.equal(connected, 1);
    connected = 0;
  }
  assert.equal(again.schedule("The server is full.", 3, () => connected++), "The server is full.");
  t.mock.timers.tick(2999);
  assert.equal(connected, 0);
  again.reset();
  t.mock.timers.tick(9999);
  assert.deepEqual([connected, again.tries], [0, 0]);
  assert.match(again.schedule("shutdown", null, () => {}), /stopped/);
});

test("many pages do not come back at once, and none later than it may", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const [random, share] of [[0, 1 - SPREAD], [1, 1 + SPREAD]]) {
    let connected = 0;
    new Reconnector(() => random).schedule("failed", null, () => connected++);
    t.mock.timers.tick(BACKOFF[0] * share - 1);
    assert.equal(connected, 0);
    t.mock.timers.tick(1);
    assert.equal(connected, 1);
  }
});

test("a network that is back is not waited for, a server that says when is", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const again = new Reconnector();
  let connected = 0;
  again.schedule("failed", null, () => connected++);
  again.hurry();
  again.hurry(); // it is on its way
  t.mock.timers.tick(9999);
  assert.equal(connected, 1);
  again.schedule("The server is full.", 3, () => connected++);
  again.hurry();
  assert.equal(connected, 1);
  again.reset();
  again.schedule("failed", null, () => connected++);
  again.reset(); // no longer wanted
  again.hurry();
  t.mock.timers.tick(9999);
  assert.equal(connected, 1);
});

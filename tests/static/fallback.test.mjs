// The way pictures go where UDP is blocked, and who decides it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, FALLBACK_AFTER } from "../../static/connection.js";
import { Flight, Ladder, WINDOW, packed } from "../../static/fallback.js";
import { SessionError } from "../../static/session.js";

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** A session that does what it is told. */
class Told extends EventTarget {
  ended = 0;
  #fails;
  constructor(id, resume, fails = false) {
    super();
    Object.assign(this, { id, resume });
    this.#fails = fails;
  }
  async start() {
    if (this.#fails) throw new SessionError("Full");
  }
  say(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
  end() {
    this.ended += 1;
  }
}

function connection({ full = false } = {}) {
  const made = { rtc: [], fallback: [] };
  const heard = [];
  const make = {
    rtc: (resume) => (made.rtc.push(new Told("r", resume)), made.rtc.at(-1)),
    fallback: (resume) => (made.fallback.push(new Told("f", resume, full)), made.fallback.at(-1)),
  };
  const whole = new Connection(null, null, "before", make);
  for (const type of ["result", "way", "lost"]) whole.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  return { whole, made, heard };
}

test("WebRTC that connects in time has no rival", async () => {
  const { whole, made, heard } = connection();
  await whole.start("stream");
  made.rtc[0].say("connected");
  made.rtc[0].say("result", 1);
  await wait(FALLBACK_AFTER + 100);
  assert.deepEqual(heard, [["way", { fallback: false }], ["result", 1]]);
  assert.equal(made.rtc[0].resume, "before");
  assert.equal(made.fallback.length, 0);
});

test("what does not connect is done without, until it connects after all", async () => {
  const { whole, made, heard } = connection();
  await whole.start("stream");
  await wait(FALLBACK_AFTER + 100);
  made.fallback[0].say("connected");
  made.fallback[0].say("result", 1);
  made.rtc[0].say("connected");
  made.fallback[0].say("result", 2); // of a session that is over
  made.rtc[0].say("result", 3);
  assert.deepEqual(heard, [["way", { fallback: true }], ["result", 1], ["way", { fallback: false }], ["result", 3]]);
  assert.equal(made.fallback[0].ended, 1);
  made.rtc[0].say("lost", { reason: "failed" });
  assert.deepEqual(heard.at(-1), ["lost", { reason: "failed" }]);
});

test("a server with room for one is still reached by either way", async () => {
  const { whole, made, heard } = connection({ full: true });
  await whole.start("stream");
  await wait(FALLBACK_AFTER + 100);
  assert.deepEqual(heard, []);
  made.rtc[0].say("lost", { reason: "no connection" });
  assert.deepEqual(heard, [["lost", { reason: "no connection" }]]);
  const next = connection();
  await next.whole.start("stream"); // now without waiting, and with the session that broke
  assert.equal(next.made.fallback[0].resume, "before");
  next.made.fallback[0].say("connected");
  next.made.rtc[0].say("lost", { reason: "no connection" });
  assert.deepEqual(next.heard, [["way", { fallback: true }]]);
  next.made.fallback[0].say("lost", { reason: "closed" });
  assert.deepEqual(next.heard.at(-1), ["lost", { reason: "closed" }]);
  next.made.rtc[0].say("connected");
});

test("what was ended stays ended", async () => {
  const { whole, made, heard } = connection();
  await whole.start("stream");
  whole.end();
  await wait(FALLBACK_AFTER + 100);
  made.rtc[0].say("connected");
  assert.equal(made.fallback.length, 0);
  assert.deepEqual(heard, []);
});

test("no more pictures are on their way than the window allows", () => {
  const flight = new Flight();
  for (let number = 1; number <= WINDOW; number += 1) {
    assert.equal(flight.full, false);
    flight.add(number, 100 * number);
  }
  assert.equal(flight.full, true);
  assert.equal(flight.done(99, 500), null);
  assert.equal(flight.full, false);
  flight.add(3, 600);
  assert.equal(flight.done(3, 650), 50);
});

test("pictures get smaller where the way is slow, and larger again", () => {
  const ladder = new Ladder();
  assert.equal(ladder.step.width, 640);
  [500, 500, 500, 500].forEach((ms) => ladder.took(ms));
  assert.equal(ladder.step.width, 320);
  for (let i = 0; i < 20; i += 1) ladder.took(100);
  assert.equal(ladder.step.width, 480);
  ladder.took(300);
  for (let i = 0; i < 19; i += 1) ladder.took(100);
  assert.equal(ladder.step.width, 480);
});

test("a picture has its number and time before it", () => {
  const message = new DataView(packed(7, 1800000000.25, new Uint8Array([0xff, 0xd8]).buffer));
  assert.deepEqual([message.getUint32(0), message.getFloat64(4), message.getUint16(12)], [7, 1800000000.25, 0xffd8]);
});

// The halves of the wall that need no document: node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "UTC";
const { CameraName } = await import("../../static/camera_name.js");
const { Reconnector } = await import("../../static/reconnect.js");
const { FrameClock, GlassToGlass, takenAt, timestampOf } = await import("../../static/room/clock.js");
const { EventParser } = await import("../../static/room/event_stream.js");
const { layOut, NARROW, shapeOf } = await import("../../static/room/layout.js");
const { cameraName, entries, sentence, Strangers, strangersBefore, untold, untoldWords } = await import("../../static/room/present.js");
const { cameraFacts, endWords, pillWords, refusalOf, stateExplained, stateWord } = await import("../../static/room/state_words.js");
const { Watching } = await import("../../static/room/watching.js");
const { SessionError } = await import("../../static/signalling.js");
const { brief, label, visiting } = await import("../../static/words.js");

const WRAP = 2 ** 32;
const result = (rtp, more = {}) => ({ rtp, capture: null, timing: { sent: null }, faces: [], ...more });

// -- which frame a result belongs to ---------------------------------------------------------------------------------

test("a result's timestamp in this browser wraps as on the wire", () => {
  assert.equal(timestampOf(10, 5), 15);
  assert.equal(timestampOf(WRAP - 10, 30), 20);
  assert.equal(timestampOf(10, -30), WRAP - 20);
});

test("until a clock and a frame have come, the newest result is what is meant", () => {
  const clock = new FrameClock();
  assert.equal(clock.time(7), 7);
  assert.equal(clock.place(result(3000), 100), 100);
  assert.equal(clock.place(result(6000), 133), 133);
  assert.equal(clock.exact, false);
  assert.equal(clock.time(150), 133);
  clock.tell(1000);
  assert.equal(clock.place(result(9000), 166), 166, "no frame has said its timestamp");
});

test("with both, the frame on the screen is what is meant, across the wrap", () => {
  const clock = new FrameClock();
  const offset = WRAP - 9000; // the first frame's timestamp in this browser is just before the wrap
  clock.tell(offset);
  clock.shown(offset + 3000, 1000);
  const times = [3000, 6000, 9000, 12000, 15000].map((rtp) => clock.place(result(rtp), 1000));
  assert.equal(clock.exact, true);
  assert.deepEqual(times.map((time) => Math.round(time - times[0])), [0, 33, 67, 100, 133]);
  clock.shown((offset + 12000) % WRAP, 1100);
  assert.equal(clock.time(1110), times[3]);
  clock.shown((offset + 15000) % WRAP, 1133);
  assert.equal(clock.time(1140), times[4]);
});

test("a picture that stands still, and an offset that cannot be right, are not believed", () => {
  const clock = new FrameClock();
  clock.tell(500);
  clock.shown(3500, 1000);
  const time = clock.place(result(6000), 1010);
  assert.equal(clock.time(1010), 3500 / 90);
  assert.equal(clock.time(1600), time, "half a second later the newest result is meant");
  assert.equal(clock.place(result(90_000 * 60), 1700), 1700, "the sender began anew and its clock has not come yet");
  assert.equal(clock.exact, false);
  clock.tell(500 - 90_000 * 60 + 6000);
  clock.place(result(90_000 * 60), 1733);
  assert.equal(clock.exact, true);
  clock.tell("x");
  clock.shown(undefined, 1800);
  assert.equal(clock.timestamp(result(null)), null);
});

test("glass to glass is told where a frame and its result meet, in either order", () => {
  const glass = new GlassToGlass();
  assert.equal(glass.median, null);
  assert.equal(glass.shown(3000, 150), null);
  assert.equal(glass.taken(3000, 100), 50);
  assert.equal(glass.taken(6000, 133), null);
  assert.equal(glass.shown(6000, 193), 60);
  assert.equal(glass.taken(null, 1), null);
  assert.equal(glass.taken(9000, null), null);
  assert.equal(glass.median, 60);
  glass.taken(12000, 500);
  assert.equal(glass.shown(12000, 300), null, "before it was taken: the clocks do not agree");
});

test("a capture time counts where sender, server and viewer agree what time it is", () => {
  const origin = 1_000_000;
  const at = (capture, received, sent) => result(1, { capture: (origin + capture) / 1000, timing: { received: received && (origin + received) / 1000, sent: (origin + sent) / 1000 } });
  assert.equal(Math.round(takenAt(at(100, 110, 115), 120, origin)), 100);
  assert.equal(Math.round(takenAt(at(100, null, 115), 120, origin)), 100);
  assert.equal(takenAt(at(100, 90, 115), 120, origin), null, "received before it was taken");
  assert.equal(takenAt(at(100, 110, 140), 120, origin), null, "arrived before it was sent");
  assert.equal(takenAt(at(-60_000, 110, 115), 120, origin), null);
  assert.equal(takenAt(result(1), 120, origin), null);
});

// -- layout ----------------------------------------------------------------------------------------------------------

test("a wall is filled as well as it can be", () => {
  const wall = { width: 1264, height: 730 };
  assert.deepEqual([1, 2, 4, 6].map((count) => layOut(count, wall, 4 / 3).columns), [1, 2, 2, 3]);
  for (let count = 1; count <= 9; count++) {
    const { columns, width, height } = layOut(count, wall, 4 / 3);
    const rows = Math.ceil(count / columns);
    assert.ok(columns * width + (columns - 1) * 8 <= wall.width, `${count} fit across`);
    assert.ok(rows * (height + 44) + (rows - 1) * 8 <= wall.height + 1, `${count} fit one above the other`);
  }
});

test("a phone has one column, and a crowd on a small wall scrolls", () => {
  for (const count of [1, 2, 9]) assert.equal(layOut(count, { width: 336, height: 640 }, 4 / 3).columns, 1);
  assert.equal(layOut(1, { width: 336, height: 640 }, 4 / 3).width, 336);
  const lying = layOut(9, { width: 716, height: 300 }, 4 / 3);
  assert.ok(lying.columns >= 2 && lying.width >= 220);
  const tall = layOut(1, { width: NARROW - 1, height: 300 }, 3 / 4);
  assert.ok(tall.height <= 220, "a tall picture does not push its caption off the screen");
});

test("tiles have the shape of the picture in the middle, within reason", () => {
  assert.equal(shapeOf([]), 4 / 3);
  assert.equal(shapeOf([{ width: 0, height: 0 }]), 4 / 3);
  assert.equal(shapeOf([{ width: 640, height: 480 }, { width: 480, height: 640 }, { width: 640, height: 480 }]), 4 / 3);
  assert.equal(shapeOf([{ width: 4000, height: 100 }]), 16 / 9);
  assert.equal(shapeOf([{ width: 100, height: 4000 }]), 3 / 4);
});

// -- who is here -----------------------------------------------------------------------------------------------------

const cameras = [{ id: "one", number: 1, name: "Door", faces: 2 }, { id: "two", number: 2, name: null, faces: 2 }, { id: "three", number: 3, name: null, faces: 0 }];
const seen = (key, identity, name, minute, ...views) => ({ key, identity, name, probability: 0.999, since: `2026-11-28T10:0${minute}:00Z`, views: views.map((camera, i) => ({ camera, track: i + 1 })) });
const present = [seen("u:b", "unknown", null, 5, "two"), seen("p:a", "known", "Ada", 9, "one", "two"), seen("u:a", "unknown", null, 2, "one"), seen("p:b", "uncertain", "Bob", 1, "gone")];

test("there is one entry a person: known people first, strangers by the order in which they came", () => {
  const shown = entries({ present, cameras }, new Strangers());
  assert.deepEqual(shown.map(({ words }) => words), ["Ada", "Perhaps Bob", "Unknown 1", "Unknown 2"]);
  assert.deepEqual(shown.map(({ about }) => about), ["in Door and Camera 2 · since 10:09", "since 10:01", "in Door · since 10:02", "in Camera 2 · since 10:05"]);
  assert.deepEqual(shown.map(({ sure }) => sure), ["99\u00a0%", null, null, null]);
  assert.equal(sentence(shown), "Here: Ada, Perhaps Bob, Unknown 1 and Unknown 2.");
  assert.equal(sentence([]), "Nobody is here.");
});

test("a stranger's number stays, whoever goes", () => {
  const strangers = new Strangers();
  entries({ present, cameras }, strangers);
  const later = [seen("u:c", "unknown", null, 6), present[0]];
  assert.deepEqual(entries({ present: later, cameras }, strangers).map(({ words }) => words), ["Unknown 2", "Unknown 3"]);
  assert.deepEqual([...strangersBefore({ present }, "two", strangers)], [[1, "Unknown 2"]]);
  assert.deepEqual([...strangersBefore({ present }, "three", strangers)], []);
});

test("cameras without a name are numbered; a face in no entry is counted", () => {
  assert.deepEqual(cameras.map(cameraName), ["Door", "Camera 2", "Camera 3"]);
  assert.equal(untold({ present: present.slice(0, 2), cameras }), 1);
  assert.equal(untold({ present, cameras }), 0);
  assert.deepEqual([untoldWords(0), untoldWords(1), untoldWords(2)], ["", "a face that cannot be told", "2 faces that cannot be told"]);
});

test("on the wall a stranger has a number, and on a camera's own page a question", () => {
  assert.equal(label({ identity: "unknown" }), "Unknown — who is this?");
  assert.equal(label({ identity: "unknown", called: "Unknown 2" }), "Unknown 2");
  assert.equal(brief({ identity: "unknown", called: "Unknown 2" }), "Unknown 2");
});

// -- words -----------------------------------------------------------------------------------------------------------

test("states, figures and ends are words", () => {
  assert.deepEqual(["connecting", "live", "silent", "away", "retrying"].map(stateWord), ["Connecting", "Live", "Silent", "Away", "Trying again"]);
  assert.equal(stateWord("of tomorrow"), "of tomorrow");
  assert.equal(stateExplained("live"), "");
  for (const state of ["connecting", "silent", "away", "retrying"]) assert.ok(stateExplained(state));
  assert.equal(pillWords({ rate: 29.9, latency_p95_ms: 18.2 }), "30/s · 18 ms");
  assert.equal(pillWords({ rate: 0, latency_p95_ms: null }), "");
  assert.equal(cameraFacts({ width: 640, height: 480, codec: "VP8", way: "webrtc", viewers: 2, guest: true }, 61.7), "640 × 480 · VP8 · video over WebRTC · 2 viewers · a guest's · on this screen after 62 ms");
  assert.equal(cameraFacts({ width: 0, viewers: 0 }, null), "");
  assert.equal(endWords("ended"), "The host has ended this camera.");
  assert.equal(endWords("closed"), "");
});

test("a refusal is told apart: what no other try changes, and what may be tried by hand", () => {
  assert.equal(refusalOf({ status: 406, message: "x" }).again, false);
  assert.equal(refusalOf({ status: 403, message: "x" }).again, false);
  assert.equal(refusalOf({ status: 404, message: "x" }).again, true);
  assert.deepEqual(refusalOf({ status: 422, message: "The offer holds no video." }), { words: "The offer holds no video.", again: true });
});

test("a visit says its camera's name and its room", () => {
  assert.equal(visiting({ room: "kitchen", name: "Door" }), "Camera “Door” in room kitchen");
  assert.equal(visiting({ room: "kitchen", name: null }), "Room kitchen");
  assert.equal(visiting({ room: null, name: "Door" }), "Camera “Door”");
  assert.equal(visiting({ room: null, name: null }), "");
});

// -- events ----------------------------------------------------------------------------------------------------------

test("events are read however the stream is cut", () => {
  const text = ': hello\n\nevent: room\ndata: {"a":1,\ndata: "b":2}\n\nevent:closed\r\ndata:{}\r\n\r\ndata: plain\n\n';
  for (const size of [1, 2, 3, 7, text.length]) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(events, [{ type: "room", data: '{"a":1,\n"b":2}' }, { type: "closed", data: "{}" }, { type: "message", data: "plain" }], `by ${size}`);
  }
});

// -- a camera's name -------------------------------------------------------------------------------------------------

test("the name the host gave is said again, by room, until the address asks for another", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
  const door = new CameraName(storage, { room: "kitchen", name: "Door" });
  assert.equal(door.name, "Door");
  door.keep("Back door");
  assert.equal(new CameraName(storage, { room: "kitchen", name: "Door" }).name, "Back door");
  assert.equal(new CameraName(storage, { room: "kitchen", name: "Window" }).name, "Window");
  assert.equal(new CameraName(storage, { room: "attic", name: null }).name, null);
  kept.set("visavis.camera-name", "{");
  assert.equal(door.name, "Door");
  door.keep("");
  const none = new CameraName(null, { room: null, name: null });
  none.keep("x");
  assert.equal(none.name, null);
});

// -- keeping a camera watched ----------------------------------------------------------------------------------------

class FakeWatch extends EventTarget {
  ended = false;
  constructor(fails = null) {
    super();
    this.fails = fails;
  }
  async start() {
    if (this.fails) throw this.fails;
  }
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
  end() {
    this.ended = true;
  }
}

function watching(...fails) {
  const made = [];
  const said = [];
  const watching = new Watching(() => made[made.push(new FakeWatch(fails[made.length] ?? null)) - 1], { stream: () => {}, result: () => {}, message: () => {}, said: (words) => said.push(words) });
  return { made, said, watching };
}
const turn = () => new Promise((done) => setImmediate(done));

test("a camera is watched while somebody looks and it sends", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { made, watching: one } = watching();
  one.state("connecting");
  one.look(true);
  assert.equal(made.length, 0);
  one.state("live");
  assert.equal(made.length, 1);
  one.look(false);
  one.look(true);
  context.mock.timers.tick(5000);
  assert.equal(made[0].ended, false, "scrolled past and back");
  one.look(false);
  context.mock.timers.tick(5000);
  assert.equal(made[0].ended, true);
  one.look(true);
  assert.equal(made.length, 2);
  one.end();
  assert.equal(made[1].ended, true);
});

test("another codec is watched at once, a break after a while, an end not at all", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { made, said, watching: one } = watching();
  one.state("live");
  one.look(true);
  made[0].tell("lost", { reason: "codec changed" });
  assert.equal(made.length, 2);
  made[0].tell("lost", { reason: "closed" });
  assert.equal(made.length, 2, "that is the one before");
  made[1].tell("lost", { reason: "failed" });
  assert.equal(made.length, 2);
  assert.match(said.at(-1).words, /Connecting again/);
  context.mock.timers.tick(700);
  assert.equal(made.length, 3);
  made[2].tell("lost", { reason: "ended" });
  context.mock.timers.tick(20_000);
  assert.equal(made.length, 3);
  assert.deepEqual(said.at(-1), { words: "The host has ended this camera.", again: false });
  one.state("connecting");
  one.state("live");
  assert.equal(made.length, 4, "it came back");
});

test("a full server is asked again when it said, a missing codec only by hand", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const full = new SessionError("The server is full.", { retry: true, after: 5, status: 503 });
  const none = new SessionError("No codec in common.", { retry: false, status: 406 });
  const { made, said, watching: one } = watching(full, none);
  one.state("live");
  one.look(true);
  await turn();
  assert.equal(said.at(-1).words, "The server is full.");
  one.hurry();
  assert.equal(made.length, 1);
  context.mock.timers.tick(5001);
  assert.equal(made.length, 2);
  await turn();
  assert.match(said.at(-1).words, /cannot show this camera's video/);
  context.mock.timers.tick(60_000);
  assert.equal(made.length, 2);
  one.retry();
  assert.equal(made.length, 3);
});

test("tries come less and less often, and a result makes the next one quick again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const again = new Reconnector(() => 0.5);
  let tries = 0;
  for (const wait of [500, 1000, 2000, 3000, 3000]) {
    again.schedule("closed", null, () => (tries += 1));
    const before = tries;
    context.mock.timers.tick(wait - 1);
    assert.equal(tries, before);
    context.mock.timers.tick(1);
    assert.equal(tries, before + 1);
  }
});

// The halves of the page that need no document: node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fit, mix, place, placeLabels, touchable } from "../../static/geometry.js";
import { Latency, Window } from "../../static/latency.js";
import { Commands, Sequence, credentials, fragment, parse } from "../../static/protocol.js";
import { connectionWord, EXPLAINED } from "../../static/quality.js";
import { AHEAD, CaptureClock, FADE, STALE, Timeline } from "../../static/timeline.js";
import { brief, enrolling, label, present, shorten, spoken } from "../../static/words.js";

const face = (track, x, more = {}) => ({ track, box: [x, 0.2, 0.1, 0.2], identity: "unknown", ...more });
const result = (seq, faces, more = {}) => ({ v: 1, type: "result", seq, width: 640, height: 480, timing: {}, faces, rtp: null, capture: null, ...more });

test("a good result is read", () => {
  const message = parse(JSON.stringify(result(3, [face(1, 0.5)])));
  assert.equal(message.seq, 3);
  assert.equal(message.faces[0].track, 1);
});

test("nothing else gets through", () => {
  const bad = [
    null, new ArrayBuffer(3), "", "{", "[]", "null", "7", '{"v":2,"type":"hello"}', '{"v":1}', '{"v":1,"type":3}',
    JSON.stringify({ v: 1, type: "result" }),
    JSON.stringify(result("1", [])),
    JSON.stringify(result(1, {})),
    JSON.stringify(result(1, [null])),
    JSON.stringify(result(1, [{ track: 1, identity: "known", box: [1, 2, 3] }])),
    JSON.stringify(result(1, [{ track: 1, identity: "known", box: [1, 2, 3, "4"] }])),
    JSON.stringify(result(1, [{ track: 1.5, identity: "known", box: [0, 0, 1, 1] }])),
    JSON.stringify({ ...result(1, []), width: 0 }),
    JSON.stringify({ ...result(1, []), timing: null }),
  ];
  for (const text of bad) assert.equal(parse(text), null, String(text));
});

test("unknown fields and types are left to whoever reads them", () => {
  assert.equal(parse('{"v":1,"type":"from the future","x":1}').type, "from the future");
});

test("results out of order are dropped", () => {
  const sequence = new Sequence();
  assert.deepEqual([0, 2, 1, 2, 3].map((seq) => sequence.accept({ seq })), [true, true, false, false, true]);
});

test("commands have numbers of their own", () => {
  const commands = new Commands();
  const [one, two] = [commands.enrol(7, "Ada"), commands.enrol(7, "Ada", { mode: "guided", scope: "room", confirm: "new" })];
  assert.deepEqual(JSON.parse(one.text), { v: 1, type: "enrol", id: one.id, track: 7, name: "Ada" });
  assert.deepEqual(JSON.parse(two.text), { v: 1, type: "enrol", id: two.id, track: 7, name: "Ada", mode: "guided", scope: "room", confirm: "new" });
  assert.notEqual(one.id, two.id);
});

test("candidates become fragments", () => {
  const sdp = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n";
  assert.deepEqual(credentials(sdp), { ufrag: "abcd", password: "secret" });
  const text = fragment("abcd", "secret", { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid: "0" });
  assert.match(text, /^a=ice-ufrag:abcd\r\n/);
  assert.match(text, /\r\na=candidate:1 1 udp/);
  assert.match(fragment("abcd", "secret", null), /a=end-of-candidates/);
});

test("covering cuts off, containing leaves borders, mirroring turns round", () => {
  const video = { width: 640, height: 480 };
  const cover = fit(video, { width: 640, height: 240 }, "cover");
  assert.deepEqual([cover.left, cover.top, cover.width, cover.height], [0, -120, 640, 480]);
  const contain = fit(video, { width: 640, height: 240 }, "contain");
  assert.deepEqual([contain.left, contain.width], [160, 320]);
  const view = fit(video, video, "cover", true);
  assert.deepEqual(place([0, 0, 0.25, 0.5], view), [480, 0, 160, 240]);
  assert.deepEqual(mix([0, 10], [10, 20], 0.5), [5, 15]);
});

test("a label stays on the stage", () => {
  const stage = { width: 320, height: 240 };
  const sizes = [{ width: 120, height: 28 }];
  for (const box of [[-40, -40, 60, 60], [300, 220, 60, 60], [100, 2, 100, 100], [0, 0, 320, 240], [100, 100, 20, 20]]) {
    const [{ box: [x, y, w, h] }] = placeLabels([{ key: 1, box, sizes }], stage);
    assert.ok(x >= 0 && x + w <= stage.width, `${box}: x ${x}`);
    assert.ok(y >= 0 && y + h <= stage.height, `${box}: y ${y}`);
  }
});

const apart = ([ax, ay, aw, ah], [bx, by, bw, bh]) => ax + aw <= bx || bx + bw <= ax || ay + ah <= by || by + bh <= ay;
const SIZES = [{ width: 180, height: 28 }, { width: 50, height: 22 }];

test("labels of a crowd keep off each other and off the faces", () => {
  const boxes = [[60, 80, 30, 40], [110, 85, 30, 40], [160, 82, 30, 40], [210, 88, 30, 40], [120, 34, 30, 30]];
  const placed = placeLabels(boxes.map((box, key) => ({ key, box, sizes: SIZES })), { width: 320, height: 240 });
  placed.forEach(({ box: label }, i) => {
    boxes.forEach((box) => assert.ok(apart(label, box), `label ${i} covers the face at ${box}`));
    placed.slice(0, i).forEach(({ box: other }, j) => assert.ok(apart(label, other), `labels ${j} and ${i}`));
  });
  assert.ok(placed.some(({ size }) => size === 1), "not all of them have room for all their words");
});

test("two labels that would only meet each other keep apart", () => {
  const boxes = [[60, 100, 30, 30], [200, 100, 30, 30]];
  const [one, two] = placeLabels(boxes.map((box, key) => ({ key, box, sizes: SIZES })), { width: 320, height: 240 });
  assert.ok(apart(one.box, two.box));
  assert.deepEqual([one.size, two.size], [0, 1]);
});

test("somebody alone is labelled in full, above", () => {
  const [{ size, box }] = placeLabels([{ key: 1, box: [100, 100, 60, 60], sizes: SIZES }], { width: 320, height: 240 });
  assert.deepEqual([size, ...box], [0, 40, 66, 180, 28]);
});

test("a label does not jump to and fro where there is just room", () => {
  const stage = { width: 320, height: 240 };
  const before = new Map();
  const choices = new Set();
  for (let i = 0; i < 40; i++) {
    // The second face's own words reach up to the first face, give or take a pixel.
    const boxes = [[60, 30, 60, 60], [70, 124 + (i % 2 ? 1 : -1), 40, 60]];
    const placed = placeLabels(boxes.map((box, key) => ({ key, box, sizes: SIZES })), stage, before);
    if (i > 0) choices.add(`${placed[1].size} ${placed[1].box[1] > 120}`);
  }
  assert.equal(choices.size, 1);
  placeLabels([], stage, before);
  assert.equal(before.size, 0);
});

test("a box is where the face was when the shown frame was captured", () => {
  const timeline = new Timeline();
  timeline.add(result(0, [face(1, 0.1)]), 1000, 1015);
  timeline.add(result(1, [face(1, 0.2)]), 1033, 1048);
  assert.ok(Math.abs(timeline.at(1016.5, 1050)[0].box[0] - 0.15) < 1e-9);
  assert.equal(timeline.at(900, 1050)[0].box[0], 0.1);
});

test("a moving box runs ahead a little and no further", () => {
  const timeline = new Timeline();
  for (let i = 0; i <= 4; i++) timeline.add(result(i, [face(1, 0.1 + 0.01 * i)]), 1000 + 33 * i, 1010 + 33 * i);
  const soon = timeline.at(1132 + 20, 1160)[0].box[0];
  assert.ok(soon > 0.14 && soon < 0.148);
  const [far, farther] = [AHEAD, 5 * AHEAD].map((ms) => timeline.at(1132 + ms, 1160)[0].box[0]);
  assert.equal(far, farther);
  assert.ok(far < 0.16);
});

test("results that overtake one another are put in order", () => {
  const timeline = new Timeline();
  timeline.add(result(1, [face(1, 0.3)]), 1066, 1070);
  timeline.add(result(0, [face(1, 0.1)]), 1000, 1071);
  assert.ok(Math.abs(timeline.at(1033, 1075)[0].box[0] - 0.2) < 1e-9);
});

test("boxes vanish when results stop, and when a face has gone", () => {
  const timeline = new Timeline();
  timeline.add(result(0, [face(1, 0.1), face(2, 0.5)]), 1000, 1010);
  assert.equal(timeline.at(1000, 1010 + STALE - 1).length, 2);
  assert.ok(timeline.at(1000, 1010 + STALE + FADE / 2)[0].opacity < 0.6);
  assert.equal(timeline.at(1000, 1010 + STALE + FADE + 1).length, 0);
  timeline.add(result(1, [face(2, 0.5)]), 1033, 1043);
  assert.ok(timeline.at(1033, 1045).find((f) => f.track === 1).opacity < 1);
  timeline.add(result(2, [face(2, 0.5)]), 1000 + FADE + 1, 1140);
  assert.deepEqual(timeline.at(1130, 1141).map((f) => f.track), [2]);
  timeline.clear();
  assert.deepEqual(timeline.at(1130, 1141), []);
});

test("capture time: by the sender's clock, learnt, and exactly where the frame was shown", () => {
  const origin = 1_000_000;
  const clock = new CaptureClock(origin);
  assert.equal(clock.captured(result(0, [], { rtp: 90_000 })), null);
  assert.equal(clock.captured(result(2, [], { rtp: 93_000, capture: (origin + 5033.5) / 1000 })).toFixed(1), "5033.5");
  assert.ok(Math.abs(clock.captured(result(3, [], { rtp: 96_000 })) - 5066.8) < 1);
  for (const captured of [5066, 5099.2, 5133]) clock.shown(captured);
  assert.equal(clock.captured(result(4, [], { rtp: 99_000, capture: (origin + 5100.4) / 1000 })), 5099.2);
  assert.equal(clock.captured(result(5, [], { rtp: 102_000 })), 5133);
  assert.equal(clock.captured(result(6, [], { rtp: null, capture: (origin + 5200) / 1000 })), 5200);
});

test("the 32-bit timestamp may wrap", () => {
  const clock = new CaptureClock(0);
  const end = 2 ** 32 - 9000;
  for (let i = 0; i < 3; i++) clock.captured(result(i, [], { rtp: end + 3000 * i, capture: (7000 + (3000 * i) / 90) / 1000 }));
  const after = clock.captured(result(3, [], { rtp: 1500 }));
  assert.ok(Math.abs(after - (7000 + 10_500 / 90)) < 1, String(after));
});

test("percentiles are of the last seconds only", () => {
  const window = new Window(1);
  for (let i = 1; i <= 100; i++) window.add(i, 0);
  assert.equal(window.percentile(50), 51);
  assert.equal(window.percentile(95), 96);
  window.add(7, 5000);
  assert.equal(window.percentile(95), 7);
  window.add(NaN, 5000);
  assert.equal(window.percentile(100), 7);
  assert.equal(new Window().percentile(50), null);
});

test("latency is told in parts, and clocks that disagree are not believed", () => {
  const latency = new Latency();
  const timing = { decode: 1, queue: 2, total: 3, received: 1.008, sent: 1.014 };
  latency.add({ timing }, { captured: 1000, arrived: 1016, drawn: 1020, origin: 0 });
  const { p50, parts } = latency.summary();
  assert.equal(p50, 20);
  assert.equal(Math.round(parts.network.p50), 8);
  assert.equal(Math.round(parts.return.p50), 2);
  const elsewhere = new Latency();
  elsewhere.add({ timing: { ...timing, received: 99, sent: 99 } }, { captured: 1000, arrived: 1016, drawn: 1020, origin: 0 });
  assert.equal(elsewhere.summary().parts.network.p50, 5);
});

test("a rate counts from the first value, not from a whole span before it", () => {
  const window = new Window(3);
  assert.equal(window.rate(0), null);
  for (let now = 0; now <= 1000; now += 100) window.add(1, now);
  assert.equal(Math.round(window.rate(1000)), 11);
  for (let now = 1100; now <= 6000; now += 100) window.add(1, now);
  assert.equal(Math.round(window.rate(6000)), 10);
  assert.equal(window.rate(20000), 0);
});

test("the connection in a word", () => {
  const well = { rate: 30, wanted: 30, age: 20, rtt: 5, loss: 0 };
  assert.equal(connectionWord("live", well), "Excellent");
  assert.equal(connectionWord("live", { ...well, loss: 0.05 }), "Good");
  assert.equal(connectionWord("live", { ...well, rate: 20 }), "Good");
  assert.equal(connectionWord("live", { ...well, rate: 5 }), "Poor");
  assert.equal(connectionWord("live", { ...well, age: 2500 }), "Lost");
  assert.equal(connectionWord("reconnecting", well), "Reconnecting");
  assert.equal(connectionWord("idle", well), "Not connected");
  assert.equal(connectionWord("connecting", well), "Connecting");
  assert.equal(connectionWord("live", { ...well, rate: null }), "Excellent");
  assert.equal(connectionWord("live", { ...well, rtt: null, loss: null }), "Excellent");
  for (const word of ["Excellent", "Good", "Poor", "Lost", "Reconnecting", "Not connected"]) assert.ok(EXPLAINED[word]);
});

test("every identity has words of its own, and none says it is certain", () => {
  const known = { identity: "known", name: "Ada", probability: 0.9999 };
  assert.equal(label(known), "Ada 99\u00a0%");
  const identities = ["known", "uncertain", "unknown", "pending", "unreadable"];
  const faces = identities.map((identity) => ({ identity, name: "Ada", probability: 0.8, quality: null }));
  assert.equal(new Set(faces.map(label)).size, identities.length);
  assert.equal(new Set(faces.map(spoken)).size, identities.length);
  assert.equal(new Set(faces.map(brief)).size, identities.length);
  faces.forEach((face) => assert.ok(brief(face).length <= label(face).length));
  assert.equal(label({ identity: "uncertain", name: null }), "Not sure");
  const quality = { size: 0.8, pose: 0.05, sharpness: 0.9 };
  assert.equal(label({ identity: "unreadable", quality }), "Turned away");
});

test("long names are shortened by whole characters", () => {
  assert.equal(shorten("Ada"), "Ada");
  assert.equal(shorten("A".repeat(30), 10), `${"A".repeat(9)}…`);
  const family = "👩‍👩‍👧‍👦";
  assert.equal(shorten(family.repeat(5), 3), `${family.repeat(2)}…`);
});

test("an enrolment says what it wants", () => {
  assert.equal(enrolling({ samples: 2, needed: 5, hint: null }), "2 of 5");
  assert.equal(enrolling({ samples: 2, needed: 5, hint: "same view" }), "2 of 5. Turn your head a little");
  assert.equal(enrolling({ samples: 2, needed: 5, hint: "a reason of tomorrow" }), "2 of 5. a reason of tomorrow");
});

test("a small box grows about its middle until a finger can hit it", () => {
  assert.deepEqual(touchable([100, 100, 20, 60]), [88, 100, 44, 60]);
  assert.deepEqual(touchable([10.4, 9.6, 200, 300]), [10, 10, 200, 300]);
});

test("who is in the picture, in a sentence", () => {
  const of = (identity, name = null) => ({ identity, name });
  assert.equal(present([]), "Nobody is in the picture.");
  assert.equal(present([of("known", "Ada")]), "In the picture: Ada.");
  assert.equal(present([of("known", "Ada"), of("known", "Alan"), of("unknown")]), "In the picture: Ada, Alan and an unknown face.");
  assert.equal(present([of("pending"), of("unknown"), of("unknown")]), "In the picture: 2 unknown faces and a face that cannot be told.");
  assert.notEqual(present([of("unreadable")]), present([]));
});

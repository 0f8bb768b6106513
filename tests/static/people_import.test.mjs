// Photos on their way: what was dropped, sending it, and what the server thinks of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../static/people/api.js";
import { groups, groupWords, leftOut, needsYou, saveWords, tally, tooLarge, verdictWords } from "../../static/people/draft.js";
import { Parcel, progress, Queue, timeLeft } from "../../static/people/queue.js";
import { contents, nameOf, ofInput, sort, walk } from "../../static/people/walk.js";

// The browser's entries of a drop: a folder gives out its content in parts.
const fileEntry = (name) => ({ name, isFile: true, file: (give) => give({ name, size: 10, type: "image/jpeg" }) });
const lostEntry = (name) => ({ name, isFile: true, file: (_give, refuse) => refuse(new Error("gone")) });
const folderEntry = (name, children, part = 2) => ({
  name,
  isFile: false,
  createReader: () => {
    let at = 0;
    return { readEntries: (give) => give(children.slice(at, (at += part))) };
  },
});

test("a dropped folder is read to its end, however deep, without what systems leave behind", async () => {
  const photos = Array.from({ length: 5 }, (_, at) => fileEntry(`${at}.jpg`));
  const found = await walk([
    folderEntry("team", [folderEntry("Ada", [...photos, fileEntry(".DS_Store"), fileEntry("Thumbs.db"), lostEntry("lost.jpg")]), folderEntry("__MACOSX", photos)]),
    fileEntry("loose.png"),
  ]);
  assert.deepEqual(found.map(({ path }) => path), ["0", "1", "2", "3", "4"].map((at) => `team/Ada/${at}.jpg`).concat("loose.png"));
});

test("the folder a photo lies in is its person", () => {
  assert.deepEqual(["Ada/1.jpg", "team/Ada/1.jpg", "1.jpg", "/1.jpg", "Zoe\u0308/1.jpg"].map(nameOf), ["Ada", "Ada", "", "", "Zo\u00eb"]);
});

test("photos, ZIPs and the rest are told apart, and said in words", () => {
  const found = ["Ada/1.JPG", "Ada/2.heic", "Bob/1.webp", "loose.png", "all.ZIP", "Ada/notes.txt"].map((path) => ({ path, file: { type: "" } }));
  const sorted = sort(found);
  assert.deepEqual([sorted.named.length, sorted.loose.length, sorted.zips.length, sorted.passed], [3, 1, 1, 1]);
  assert.equal(contents(sorted), "3 photos of 2 people, 1 photo without a name, 1 ZIP file. 1 other file was left out.");
  assert.match(contents(sort([])), /no photos/);
  assert.equal(sort([{ path: "picture", file: { type: "image/jpeg" } }]).loose.length, 1);
});

test("an input's folder has paths, its files only names", () => {
  const files = [{ name: "1.jpg", webkitRelativePath: "Ada/1.jpg" }, { name: "2.jpg", webkitRelativePath: "" }];
  assert.deepEqual(ofInput(files).map(({ path }) => path), ["Ada/1.jpg", "2.jpg"]);
});

const parcels = (number, size = 100) => Array.from({ length: number }, (_, at) => new Parcel({ file: { size }, name: "Ada", path: `${at}.jpg` }));
const soon = () => new Promise((resolve) => setImmediate(resolve));

test("two at a time, and all of them", async () => {
  let [now, most] = [0, 0];
  const send = async () => {
    most = Math.max(most, ++now);
    await soon();
    now -= 1;
  };
  const queue = new Queue({ send });
  queue.add(parcels(7));
  await queue.settled();
  assert.equal(most, 2);
  assert.ok(queue.parcels.every(({ state }) => state === "done"));
});

test("a connection that breaks is tried again, as long as the server asks to wait", async () => {
  const waits = [];
  const answers = [new Refusal(0), new Refusal(429, null, 7), null];
  const send = async () => {
    const error = answers.shift();
    if (error) throw error;
  };
  const queue = new Queue({ send, pause: async (seconds) => waits.push(seconds) });
  queue.add(parcels(1));
  await queue.settled();
  assert.equal(queue.parcels[0].state, "done");
  assert.deepEqual(waits, [1, 7]);
});

test("what cannot get through fails in the end, what is refused at once, and either may be tried anew", async () => {
  let sent = 0;
  let refusal = new Refusal(0);
  const send = async () => {
    sent += 1;
    if (refusal) throw refusal;
  };
  const queue = new Queue({ send, pause: async () => {} });
  queue.add(parcels(1));
  await queue.settled();
  assert.deepEqual([queue.parcels[0].state, sent], ["failed", 4]);
  refusal = new Refusal(415);
  queue.retry(queue.parcels[0]);
  await queue.settled();
  assert.deepEqual([queue.parcels[0].state, sent], ["failed", 5]);
  refusal = null;
  queue.retry(queue.parcels[0]);
  await queue.settled();
  assert.equal(queue.parcels[0].state, "done");
});

test("stopping ends what is on its way and sends nothing more; later files go again", async () => {
  const signals = [];
  const send = (_parcel, signal) => {
    signals.push(signal);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))));
  };
  const queue = new Queue({ send });
  queue.add(parcels(5));
  queue.cancel();
  await queue.settled();
  assert.ok(signals.length === 2 && signals.every((signal) => signal.aborted));
  assert.ok(queue.parcels.every(({ state }) => state === "cancelled"));
  await soon();
  queue.add(parcels(1));
  assert.equal(queue.parcels.at(-1).state, "sending");
});

test("how far it is, and how long it takes", () => {
  const all = parcels(4);
  all[0].state = "done";
  Object.assign(all[1], { state: "sending", sent: 50 });
  all[3].state = "cancelled";
  assert.deepEqual(progress(all), { files: 1, of: 3, gone: 150, bytes: 300, waiting: null });
  all[1].error = new Refusal(0);
  assert.match(progress(all).waiting, /cannot be reached/);
  const left = (gone, elapsed) => timeLeft({ gone, bytes: 1000 }, elapsed);
  assert.deepEqual([left(0, 60), left(500, 1), left(1000, 60)], ["", "", ""]);
  assert.equal(left(500, 3), "a few seconds left");
  assert.equal(left(500, 22), "about 25 seconds left");
  assert.equal(left(500, 60), "about 1 minute left");
  assert.equal(left(100, 60), "about 9 minutes left");
  assert.equal(left(10, 120), "about 3 h left");
});

const entry = (id, verdict, name = "Ada", more = {}) => ({ id, verdict, name, file: `${id}.jpg`, words: "", ...more });
const DRAFT = [
  entry("1", "used"), entry("10", "used", "ada"), entry("2", "looks_like"), entry("3", "duplicate"),
  entry("4", "no_face", "Bob"), entry("5", "poor_quality", "Bob"), entry("6", "used", "Cy"), entry("7", "several_faces", "Cy"),
];

test("what is saved is counted: people without regard to case, nothing that waits or was refused", () => {
  const sums = tally(DRAFT);
  assert.deepEqual(sums, { used: 3, needs: 2, duplicates: 1, refused: 2, people: 2 });
  assert.equal(saveWords(sums), "Save 2 people, 3 pictures");
  assert.equal(leftOut(sums), "2 pictures still need you and would be left out. 2 files cannot be used. 1 is known already.");
  assert.equal(saveWords(tally([])), "Nothing to save yet");
});

test("files stand by their person, what needs somebody first, duplicates only as a number", () => {
  const found = groups(DRAFT, { existing: ["ADA"] });
  assert.deepEqual(found.map(({ name, exists }) => [name, exists]), [["Ada", true], ["Bob", false], ["Cy", false]]);
  assert.deepEqual(found[0].files.map(({ id }) => id), ["2", "1", "10"]);
  assert.equal(groupWords(found[0]), "2 pictures to add · 1 needs you · 1 known already");
  assert.equal(groupWords(found[1]), "nothing to save · 2 left out");
});

test("the filter leaves what needs somebody, and nothing else", () => {
  const found = groups(DRAFT, { onlyNeeds: true });
  assert.deepEqual(found.map(({ name }) => name), ["Ada", "Cy"]);
  assert.ok(found.every(({ files }) => files.length === 1 && needsYou(files[0])));
});

test("every verdict has words, one of a newer server too", () => {
  for (const verdict of ["used", "no_face", "several_faces", "poor_quality", "duplicate", "looks_like", "not_a_picture", "too_large"]) {
    assert.match(verdictWords(verdict), /^[A-Z][a-z ]+$/);
  }
  assert.equal(verdictWords("upside_down"), "upside down");
});

test("a file larger than the server takes is not sent at all", () => {
  const limits = { file_bytes: 20 * 2 ** 20, archive_bytes: 200 * 2 ** 20 };
  const of = (path, megabytes) => tooLarge({ file: { size: megabytes * 2 ** 20 }, name: "Ada", path }, limits);
  assert.equal(of("1.jpg", 20), null);
  assert.match(of("1.jpg", 31).words, /31\sMB.*20\sMB/);
  assert.equal(of("all.zip", 150), null);
  assert.equal(of("all.zip", 250).verdict, "too_large");
  assert.equal(tooLarge({ file: { size: 9e9 }, name: "Ada", path: "1.jpg" }, undefined), null);
});

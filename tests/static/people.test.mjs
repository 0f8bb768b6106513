// The halves of the people page that need no document: node --test.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Refusal, refusalWords } from "../../static/people/api.js";
import { across, outline, range, sides, table, ticks } from "../../static/people/histogram.js";
import { neighbour, route, TABS } from "../../static/people/tabs.js";
import { about, initials, matching, persons, resemblesOther, sightings, until, usualSize, view, when } from "../../static/people/words.js";

const NOW = new Date("2026-11-23T16:00:00");

test("the address names a tab and a place in it; anything else is the first tab", () => {
  assert.deepEqual(route("#add"), { tab: "add", rest: "" });
  assert.deepEqual(route("#people/abc"), { tab: "people", rest: "abc" });
  for (const hash of ["", "#", "#nonsense", "#__proto__/x"]) assert.deepEqual(route(hash), { tab: "people", rest: "" });
});

test("arrow keys go round the tabs", () => {
  assert.equal(neighbour("people", "ArrowRight"), "add");
  assert.equal(neighbour("threshold", "ArrowRight"), "people");
  assert.equal(neighbour("people", "ArrowLeft"), "threshold");
  assert.deepEqual([neighbour("add", "Home"), neighbour("add", "End")], [TABS[0], TABS.at(-1)]);
  assert.equal(neighbour("add", "a"), null);
});

test("a refusal says what the server said, and otherwise what its number means", () => {
  assert.equal(refusalWords(409, { detail: "Grace is taken." }), "Grace is taken.");
  const said = [0, 401, 403, 404, 409, 413, 415, 429, 503, 500, 418].map((status) => refusalWords(status, null));
  for (const words of said) assert.match(words, /^[A-Z].*[.?]$/);
  assert.equal(new Set(said).size, said.length);
  for (const detail of [" ", 7, null, {}]) assert.equal(refusalWords(413, { detail }), refusalWords(413, null));
});

test("only what may pass by itself is worth another try", () => {
  for (const status of [0, 429, 503]) assert.ok(new Refusal(status).passing, String(status));
  for (const status of [400, 404, 409, 413, 415]) assert.ok(!new Refusal(status).passing, String(status));
});

test("times are said as people say them", () => {
  assert.equal(when("2026-11-23T14:02:00", NOW), "today 14:02");
  assert.equal(when("2026-11-20T14:02:00", NOW), "20 Nov");
  assert.equal(when("2025-11-20T14:02:00", NOW), "20 Nov 2025");
  assert.equal(until("2026-11-30T09:30:00", NOW), "30 Nov, 09:30");
  assert.equal(when("nonsense", NOW), "");
  assert.equal(sightings({ began: "2026-11-23T14:02:00", ended: "2026-11-23T14:05:10" }, NOW), "today 14:02, 3 min");
  assert.equal(sightings({ began: "2026-11-23T14:02:00", ended: "2026-11-23T14:02:10" }, NOW), "today 14:02, less than a minute");
});

test("initials are whole characters of whatever script", () => {
  assert.deepEqual(["Ada Lovelace", "zoë", "  ", "Mary Ann van Dyke", "👩‍🔬 Lab", "李 明"].map(initials), ["AL", "Z", "?", "MD", "👩‍🔬L", "李明"]);
});

test("somebody is found whatever the case, the accents and the order of words", () => {
  const people = [{ name: "Zoë O’Neill", room: "lab" }, { name: "Ada Lovelace", room: null }];
  const names = (wanted) => matching(people, wanted).map((person) => person.name);
  assert.deepEqual(names("zoe"), ["Zoë O’Neill"]);
  assert.deepEqual(names("LOVELACE ada"), ["Ada Lovelace"]);
  assert.deepEqual(names("lab"), ["Zoë O’Neill"]);
  assert.deepEqual(names(" "), people.map((person) => person.name));
  assert.deepEqual(names("nobody"), []);
});

test("how a face stands in its picture", () => {
  assert.equal(view({ yaw: 0, pitch: -0.08 }), "front");
  assert.equal(view({ yaw: -0.5, pitch: -0.08, size: 130 }, 100), "left, near");
  assert.equal(view({ yaw: 0.5, pitch: 0.1, size: 80 }, 100), "right, up, far");
  assert.equal(view({ yaw: 0, pitch: -0.3, size: 100 }, 100), "down");
  assert.equal(view({ yaw: null, pitch: null, size: null }), "");
  assert.equal(usualSize([{ size: 90 }, { size: 10 }, { size: null }, { size: 100 }]), 90);
  assert.equal(usualSize([{ size: 90 }]), null);
});

test("a picture that looks more like somebody else says so; one alone cannot be compared", () => {
  const nearest = { name: "Grace", similarity: 0.6 };
  assert.ok(resemblesOther({ fits: 0.5, nearest }));
  assert.ok(!resemblesOther({ fits: 0.7, nearest }));
  assert.ok(!resemblesOther({ fits: null, nearest }));
  assert.ok(!resemblesOther({ fits: 0.5, nearest: null }));
});

test("one line about somebody", () => {
  assert.equal(about({ samples: 1, room: null, negatives: 0 }), "1 picture");
  assert.equal(about({ samples: 7, room: "lab", negatives: 2 }), "7 pictures · Room lab · 2 “not this person” marks");
  assert.equal(persons(1234), "1,234 people");
});

const histogram = (counts, from = 0, step = 0.1) => ({ from, step, counts });

test("the picture shows everything that is counted, and the line", () => {
  const axis = range({ genuine: histogram([0, 0, 0, 0, 0, 0, 3, 1, 0]), impostor: histogram([0, 5, 9, 0]), threshold: 0.95 });
  assert.ok(axis.from < 0.1 && axis.from > -0.1, String(axis.from));
  assert.ok(axis.to > 0.95 && axis.to < 1.1, String(axis.to));
  const nothing = range({ genuine: histogram([]), impostor: histogram([]), threshold: 0.4 });
  assert.ok(nothing.from < 0.4 && nothing.to > 0.4);
});

test("a histogram stands on the floor, is as wide as what it counts, and reaches the top once", () => {
  const path = outline(histogram([0, 2, 4, 0]), { from: 0, to: 0.4 }, 400, 100);
  assert.equal(path, "M100.0 100V50.0H200.0V0.0H300.0V100Z");
  assert.equal(outline(histogram([0, 0]), { from: 0, to: 1 }, 400, 100), "");
  assert.equal(outline(histogram([]), { from: 0, to: 1 }, 400, 100), "");
  assert.equal(across(0.5, { from: 0, to: 2 }, 400), 100);
});

test("the axis has a few round values within it", () => {
  for (const axis of [{ from: -0.2, to: 0.98 }, { from: 0, to: 0.031 }, { from: 3, to: 250 }]) {
    const marks = ticks(axis);
    assert.ok(marks.length >= 2 && marks.length <= 6, marks.join());
    for (const mark of marks) assert.ok(mark >= axis.from && mark <= axis.to);
  }
});

test("who cannot see the picture gets its figures, none of them lost", () => {
  const [genuine, impostor] = [histogram(Array(60).fill(2)), histogram([...Array(59).fill(1), 7])];
  const rows = table(genuine, impostor);
  assert.ok(rows.length <= 12);
  assert.equal(rows.reduce((sum, row) => sum + row.genuine, 0), 120);
  assert.equal(rows.reduce((sum, row) => sum + row.impostor, 0), 66);
  assert.deepEqual(sides(histogram([1, 2, 4]), 0.2), { below: 3, above: 4 });
  assert.deepEqual(table(histogram([]), histogram([])), []);
});

test("the document has every element that the modules look for, and holds no script or style of its own", () => {
  const folder = new URL("../../static/people/", import.meta.url);
  const page = readFileSync(new URL("../people.html", folder), "utf-8");
  const ids = new Set([...page.matchAll(/\bid="([\w-]+)"/g)].map(([, id]) => id));
  for (const tab of TABS) for (const id of [`tab-${tab}`, `panel-${tab}`]) assert.ok(ids.has(id), id);
  assert.ok(ids.has("toasts"));
  const modules = readdirSync(folder).filter((name) => name.endsWith(".js"));
  for (const name of modules) {
    const text = readFileSync(new URL(name, folder), "utf-8");
    for (const [, other] of text.matchAll(/from "\.\/([\w.-]+)"/g)) assert.ok(modules.includes(other), `${name}: ${other}`);
  }
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/);
});

// What is said of why somebody may be recognised.

import assert from "node:assert/strict";
import { test } from "node:test";

import { agreeWords, ahead, dayOf, erasedOn, lastDay, mark, mayBeRecognised, standing } from "../../static/consent_words.js";

const NOW = new Date(2026, 10, 28, 12);
const held = (more = {}) => ({ consent: { state: "holds", basis: "consent", given: "2026-11-20", expires: null, withdrawn: null, ...more } });

test("days are those of this browser, and a year ahead is a day of the calendar", () => {
  assert.equal(dayOf(new Date(2026, 0, 5, 23, 59)), "2026-01-05");
  assert.equal(ahead(365, NOW), "2027-11-28");
  assert.equal(ahead(1, new Date(2028, 1, 28)), "2028-02-29");
  assert.equal(ahead(0, NOW), "");
});

test("midnight belongs to the day before", () => {
  assert.equal(lastDay(new Date(2027, 10, 29).toISOString()), "28 November 2027");
  assert.equal(lastDay(new Date(2027, 10, 29, 12).toISOString()), "29 November 2027");
});

test("the box says what is agreed to", () => {
  assert.equal(agreeWords({ basis: "consent", expires: "2027-11-28" }), "They agree to be recognised here until 28 November 2027");
  assert.equal(agreeWords({ basis: "consent", expires: "", many: true }), "All of them agree to be recognised here, with no end set");
  assert.equal(agreeWords({ basis: "contract", expires: "" }), "They may be recognised here, with no end set");
});

test("who is marked in a list, and who is not", () => {
  assert.equal(mark(held(), NOW), null);
  assert.equal(mark({ consent: null }, NOW), null);
  assert.equal(mark(held({ expires: new Date(2026, 11, 29).toISOString() }), NOW), null); // 31 days
  assert.match(mark(held({ expires: new Date(2026, 11, 28).toISOString() }), NOW).words, /until 27 December 2026 only/);
  assert.equal(mark(held({ state: "over" }), NOW).kind, "over");
  assert.equal(mark(held({ state: "withdrawn" }), NOW).kind, "over");
  assert.equal(mark(held({ state: "not_recorded" }), NOW).kind, "needs");
});

test("only a record that holds spares the question", () => {
  assert.equal(mayBeRecognised(held()), true);
  for (const state of ["over", "withdrawn", "not_recorded"]) assert.equal(mayBeRecognised(held({ state })), false);
  assert.equal(mayBeRecognised({ consent: null }), false);
});

test("how it stands, and when somebody is erased", () => {
  assert.equal(standing(held().consent), "Holds, with no end set.");
  assert.equal(standing({ state: "withdrawn", withdrawn: new Date(2026, 10, 28, 9).toISOString() }), "Withdrawn on 28 November 2026. This person is not recognised any more.");
  assert.equal(erasedOn({ withdrawn: new Date(2026, 10, 28, 9).toISOString() }, 30), "28 December 2026");
  assert.equal(erasedOn({ withdrawn: null, expires: new Date(2026, 10, 28).toISOString() }, 0), "28 November 2026");
});

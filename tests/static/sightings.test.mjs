// Days and lanes of the sightings page. `node --test tests/static`

import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "Europe/Paris";
const { duration: lasting } = await import("../../static/figures.js");
const { boundsOf, dayOf, place, rowsOf, shifted, ticks, windowOf } = await import("../../static/sightings/day.js");

const at = (hour, minute = 0) => new Date(2026, 10, 24, hour, minute).toISOString();
const seen = (began, ended, person = null) => ({ began, ended, person });

test("a day is the reader's, also where the clock is changed", () => {
  const { begin, end } = boundsOf("2026-10-25");
  assert.equal(end - begin, 25 * 3_600_000);
  assert.equal(dayOf(begin), "2026-10-25");
  assert.equal(shifted("2026-10-25", 1), "2026-10-26");
  assert.equal(shifted("2026-03-01", -1), "2026-02-28");
});

test("what is no day is none", () => {
  for (const wrong of ["", "2026-02-30", "2026-13-01", "24.11.2026", "2026-1-1", "x"]) assert.equal(boundsOf(wrong), null);
});

test("the window holds everything, whole hours, and at least four of them", () => {
  const day = boundsOf("2026-11-24");
  const range = windowOf([seen(at(9, 20), at(9, 25))], day);
  assert.ok(range.end - range.begin >= 4 * 3_600_000);
  assert.ok(range.begin <= new Date(at(9)) && range.end >= new Date(at(10)));
  const long = windowOf([seen(at(6, 30), at(7)), seen(at(20), at(21, 10))], day);
  assert.deepEqual([long.begin.getHours(), long.end.getHours()], [6, 22]);
  assert.deepEqual(windowOf([], day), day);
});

test("what began before the day is cut at its beginning", () => {
  const day = boundsOf("2026-11-24");
  const before = seen(new Date(2026, 10, 23, 23).toISOString(), at(1));
  const range = windowOf([before], day);
  assert.ok(range.begin >= day.begin);
  assert.equal(place(before, range).left, 0);
});

test("bars lie within their lane and can be seen", () => {
  const range = { begin: new Date(at(8)), end: new Date(at(12)) };
  assert.deepEqual(place(seen(at(9), at(10)), range), { left: 25, width: 25 });
  const short = place(seen(at(12), at(12)), range);
  assert.ok(short.width >= 0.6 && short.left + short.width <= 100);
});

test("ticks are few, and hours", () => {
  const found = ticks({ begin: new Date(at(0)), end: new Date(2026, 10, 25) }, 8);
  assert.ok(found.length <= 9);
  assert.ok(found.every((time) => time.getMinutes() === 0));
});

test("one row for each person in the order they came, strangers last", () => {
  const [ada, bob] = [{ id: "a", name: "Ada" }, { id: "b", name: "Bob" }];
  const rows = rowsOf([seen(at(11), at(12), ada), seen(at(8), at(9)), seen(at(10), at(11), bob), seen(at(9), at(10), ada)]);
  assert.deepEqual(rows.map(({ person, sightings }) => [person?.name, sightings.length]), [["Ada", 2], ["Bob", 1], [undefined, 1]]);
});

test("how long, in words", () => {
  assert.equal(lasting(0), "1\u00a0s");
  assert.equal(lasting(59.8), "1\u00a0min");
  assert.equal(lasting(3599), "1\u00a0h");
  assert.equal(lasting(3900), "1\u00a0h 5\u00a0min");
});

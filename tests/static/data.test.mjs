import assert from "node:assert/strict";
import test from "node:test";

import { action, actor, erased, kept, remaining, size } from "../../static/data/words.js";

test("how long something is kept is said in words", () => {
  assert.equal(kept({ rule: "days", amount: 1 }), "1 day");
  assert.equal(kept({ rule: "days", amount: 14 }), "14 days");
  assert.equal(kept({ rule: "days", amount: 0 }), "until somebody deletes it");
  assert.equal(kept({ rule: "minutes", amount: 60 }), "in memory, for 60 minutes after the last use");
  assert.equal(kept({ rule: "forgotten", amount: null }), "until the person is forgotten");
  assert.equal(kept({ rule: "none", amount: null }), "nothing is kept");
});

test("bytes are said as people say them", () => {
  const said = [0, null, 1, 999, 1000, 4230, 42_300, 9_960_000, 3e9, 5e15].map((bytes) => size(bytes).replace("\u00a0", " "));
  assert.deepEqual(said, ["", "", "1 bytes", "999 bytes", "1.0 kB", "4.2 kB", "42 kB", "10.0 MB", "3.0 GB", "5,000 TB"]);
});

test("a receipt says what was erased and what may remain, also what this page does not know", () => {
  assert.equal(erased({ what: "samples", count: 1 }), "1 set of numbers of the face");
  assert.equal(erased({ what: "ghosts", count: 2 }), "2 ghosts");
  const moment = () => "tomorrow";
  const id = "a".repeat(32);
  assert.equal(remaining({ what: "film", where: `video ${id}`, until: "2026-11-28T10:00:00+00:00" }, moment), "The film of video aaaaaaaa, until tomorrow");
  assert.equal(remaining({ what: "film", where: `video ${id}`, until: "until it is deleted" }, moment), "The film of video aaaaaaaa, until it is deleted");
  assert.equal(remaining({ what: "ghosts", where: "the attic", until: "dawn" }, moment), "ghosts, the attic, dawn");
});

test("who did what is said without a name", () => {
  assert.equal(actor("local"), "This computer");
  assert.equal(actor("key:abcd1234"), "Key abcd1234");
  assert.equal(actor("ghost"), "ghost");
  assert.equal(action("person.forgotten"), "Forgot a person for good");
  assert.equal(action("ghost.seen"), "ghost.seen");
});

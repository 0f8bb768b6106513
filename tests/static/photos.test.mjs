import assert from "node:assert/strict";
import { test } from "node:test";

import { asCsv, asJson } from "../../static/photos/export.js";

const FACE = { box: [0.1, 0.2, 0.3, 0.4], identity: "known", name: "Ada", probability: 0.9999, quality: { overall: 0.8 }, distance: { m: 1.5 } };
const NOBODY = { box: [0, 0, 1, 1], identity: "unknown", name: null, probability: null, quality: null, distance: null };

test("a line for each face, in pixels, and nothing is certain", () => {
  const [head, ada, nobody, end] = asCsv([{ file: "a.jpg", width: 200, height: 100, faces: [FACE, NOBODY] }]).split("\r\n");
  assert.equal(head, "file,face,x,y,width,height,identity,name,probability,quality,metres");
  assert.equal(ada, "a.jpg,0,20.0,20.0,60.0,40.0,known,Ada,0.990,0.8,1.5");
  assert.equal(nobody, "a.jpg,1,0.0,0.0,200.0,100.0,unknown,,,,");
  assert.equal(end, "");
});

test("names cannot break out of their cell, nor be formulas", () => {
  const table = asCsv([{ file: "a,b.jpg", width: 1, height: 1, faces: [{ ...FACE, name: '=cmd("x")' }] }]);
  assert.ok(table.includes('"a,b.jpg"'));
  assert.ok(table.includes(`"'=cmd(""x"")"`));
});

test("json is what the server said", () => {
  assert.deepEqual(JSON.parse(asJson([{ file: "a", faces: [NOBODY] }])), [{ file: "a", faces: [NOBODY] }]);
});

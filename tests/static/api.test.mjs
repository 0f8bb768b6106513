// What the page about the interface says of the document, without a page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { address, bodies, byTag, command, kind, matches } from "../../static/api/document.js";

const PERSON = { type: "object", properties: { id: { type: "string" }, friend: { anyOf: [{ $ref: "#/components/schemas/Person" }, { type: "null" }] } }, required: ["id"] };
const spec = { components: { schemas: { Person: PERSON } }, paths: { "/api/v1/b": { get: { tags: ["people"], summary: "See" }, post: { tags: ["people"], summary: "Add" } }, "/api/v1/a": { get: { tags: ["live"], summary: "Look" } } } };

test("operations are grouped by what they are about", () => {
  assert.deepEqual(
    byTag(spec).map(({ tag, operations }) => [tag, operations.map((one) => `${one.method} ${one.path}`)]),
    [["live", ["GET /api/v1/a"]], ["people", ["GET /api/v1/b", "POST /api/v1/b"]]],
  );
});

test("every word that is sought has to be there, in any order", () => {
  const [{ operations }] = byTag(spec).slice(1);
  assert.deepEqual(operations.map((one) => matches(one, "PEOPLE see")), [true, false]);
  assert.equal(matches(operations[0], ""), true);
});

test("a schema is spelt out, and one inside itself only once", () => {
  assert.equal(kind({ $ref: "#/components/schemas/Person" }, spec), "{\n  id: string\n  friend?: Person or null\n}");
  assert.equal(kind({ type: "array", items: { enum: ["a", "b"] } }, spec), 'list of "a" or "b"');
  assert.equal(kind({ type: "number", minimum: 0, maximum: 1 }, spec), "number 0 to 1");
  assert.equal(kind({ type: "string", maxLength: 80 }, spec), "string up to 80 characters");
  assert.equal(kind({ const: true }, spec), "true");
  assert.equal(kind({}, spec), "anything");
});

test("an address takes its variables, and a query only what was said", () => {
  const operation = { path: "/api/v1/people/{id}/merge", parameters: [{ name: "id", in: "path" }, { name: "into", in: "query" }, { name: "room", in: "query" }] };
  assert.equal(address(operation, { id: "a/b", into: "c&d", room: "" }), "/api/v1/people/a%2Fb/merge?into=c%26d");
});

test("how to ask from a terminal", () => {
  const operation = { method: "POST", path: "/api/v1/photos", "x-scope": "recognise", requestBody: { content: { "image/jpeg": {} } } };
  assert.equal(command(operation, "http://h"), 'curl -X POST -H "Authorization: Bearer $KEY" -H "Content-Type: image/jpeg" --data-binary @FILE "http://h/api/v1/photos"');
  assert.equal(command({ method: "GET", path: "/x", "x-scope": null }, "http://h"), 'curl "http://h/x"');
});

test("only JSON has a schema to be spelt out", () => {
  assert.deepEqual(bodies({ "image/jpeg": { schema: {} }, "application/json": { schema: { type: "null" } } }, spec), [
    { type: "image/jpeg", words: "" },
    { type: "application/json", words: "null" },
  ]);
  assert.deepEqual(bodies(undefined, spec), []);
});

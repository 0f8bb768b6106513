// The halves of the pages of access that need no document: node --test.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

const { countDown, minutesAndSeconds } = await import("../../static/access/countdown.js");
const { answered, browserHasThem, creation, deviceName, failed, isBareAddress, request } = await import("../../static/access/passkeys.js");
const { goOn, localPath } = await import("../../static/access/where.js");
const { devicesWords, usedWords } = await import("../../static/link_words.js");
const { errorWords } = await import("../../static/server_words.js");
const { SessionError } = await import("../../static/signalling.js");
const { signInPath } = await import("../../static/signed_out.js");
const { kindOf, readVisitor } = await import("../../static/visitor.js");

const HERE = "https://visavis.local:8443";

test("the way on is a page of this server, whatever the address says", () => {
  for (const path of ["/", "/rooms", "/room/kitchen?x=1#y", "/people#add", "/sightings#2030-05-01", "/signal", "/?room=kitchen"]) assert.equal(localPath(path, HERE), path);
  const elsewhere = [
    ...["//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "javascript:alert(1)", "data:text/html,x", "evil", "", "/\t/evil.example", "/\n//evil.example", "/%09/../..//evil.example", "/.//evil.example", "/x/..//evil.example", "/x\\..\\evil", "http:/rooms", "///evil"],
    ...["/sign-in", "/sign-in?next=/x", "/own/TOKEN", "/api/v1/people", "/static/x.js", "/join/TOKEN", "/x/../own/TOKEN", null, undefined, 7, ["/rooms"]],
  ];
  for (const path of elsewhere) assert.equal(localPath(path, HERE), null, String(path));
  assert.equal(goOn("?next=%2Frooms%3Fx%3D1", "/people", HERE), "/rooms?x=1");
  assert.equal(goOn("?next=%2F%2Fevil.example", "/people", HERE), "/people");
  assert.equal(goOn("", "//evil.example", HERE), "/");
  assert.equal(goOn("", undefined, HERE), "/");
});

test("the way to sign in carries the way back", () => {
  const path = signInPath({ pathname: "/room/kitchen", search: "?a=1&b=2", hash: "#c" });
  assert.equal(path, "/sign-in?next=%2Froom%2Fkitchen%3Fa%3D1%26b%3D2%23c");
  assert.equal(goOn(new URL(path, HERE).search, "/", HERE), "/room/kitchen?a=1&b=2#c");
});

test("what the server says of a visitor makes one of five sorts", () => {
  const state = { owner: true, signed_in: false, role: null, name: null, passkeys: true, local_owner: false };
  assert.equal(kindOf(null), "unknown");
  assert.equal(kindOf({}), "unknown");
  assert.equal(kindOf({ detail: "x" }), "unknown");
  assert.equal(kindOf(state), "nobody");
  assert.equal(kindOf({ ...state, signed_in: true, role: "host", name: "Ada" }), "account");
  assert.equal(kindOf({ ...state, role: "camera" }), "link");
  assert.equal(kindOf({ ...state, signed_in: true, role: "viewer" }), "link");
  assert.equal(kindOf({ ...state, role: "owner", local_owner: true }), "local");
  assert.equal(kindOf({ ...state, local_owner: true }), "nobody");
  assert.equal(kindOf({ ...state, role: "owner", name: "Ada", signed_in: true, local_owner: true }), "account", "who signed in all the same can sign out");
  assert.equal(kindOf({ ...state, role: "camera", local_owner: true }), "link");
});

test("a server that does not say who somebody is, says nothing worse", async () => {
  const before = globalThis.fetch;
  for (const answer of [() => Promise.reject(new TypeError("away")), async () => ({ ok: false, json: async () => ({ owner: true }) }), async () => ({ ok: true, json: () => Promise.reject(new SyntaxError("<html>")) })]) {
    globalThis.fetch = answer;
    assert.equal(await readVisitor(), null);
  }
  globalThis.fetch = async () => ({ ok: true, json: async () => ({ owner: false }) });
  assert.deepEqual(await readVisitor(), { owner: false });
  globalThis.fetch = before;
});

// -- passkeys ----------------------------------------------------------------------------------------------------------

const all = Uint8Array.from({ length: 256 }, (_, i) => i);
const url = (bytes) => Buffer.from(bytes).toString("base64url");

test("what the server asks becomes bytes, and everything else stays", () => {
  const made = creation({ rp: { id: "localhost", name: "Visavis" }, user: { id: url(all), name: "Ada", displayName: "Ada" }, challenge: url(all.slice(3)), pubKeyCredParams: [{ type: "public-key", alg: -7 }], excludeCredentials: [{ type: "public-key", id: url(all.slice(5)) }], timeout: 60000 });
  assert.deepEqual([...made.user.id], [...all]);
  assert.deepEqual([...made.challenge], [...all.slice(3)]);
  assert.deepEqual([...made.excludeCredentials[0].id], [...all.slice(5)]);
  assert.deepEqual([made.user.name, made.timeout, made.rp.id, made.pubKeyCredParams[0].alg], ["Ada", 60000, "localhost", -7]);
  const asked = request({ challenge: url(all), rpId: "localhost", userVerification: "required" });
  assert.deepEqual([[...asked.challenge], asked.allowCredentials, asked.userVerification], [[...all], [], "required"]);
});

test("what the browser answers becomes JSON as WebAuthn writes it", () => {
  const of = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const common = { id: "abc", rawId: of(all), type: "public-key", authenticatorAttachment: "platform", getClientExtensionResults: () => ({}) };
  const registered = answered({ ...common, response: { clientDataJSON: of(all.slice(1)), attestationObject: of(all.slice(2)), authenticatorData: of(all.slice(3)), getTransports: () => ["internal"] } });
  assert.deepEqual(registered, { id: "abc", rawId: url(all), type: "public-key", authenticatorAttachment: "platform", clientExtensionResults: {}, response: { clientDataJSON: url(all.slice(1)), attestationObject: url(all.slice(2)), transports: ["internal"] } });
  const signed = answered({ ...common, authenticatorAttachment: null, response: { clientDataJSON: of(all), authenticatorData: of(all), signature: of(all.slice(9)), userHandle: null } });
  assert.deepEqual(signed, { id: "abc", rawId: url(all), type: "public-key", clientExtensionResults: {}, response: { clientDataJSON: url(all), authenticatorData: url(all), signature: url(all.slice(9)) } });
  assert.equal(browserHasThem(), false);
});

test("what went wrong with a passkey is said in words, each its own", () => {
  const names = ["InvalidStateError", "NotAllowedError", "SecurityError", "NotSupportedError"];
  const words = names.map((name) => failed(new DOMException("raw words", name)));
  assert.equal(new Set(words).size, 4);
  assert.ok(words.every((said) => !said.includes("raw")));
  assert.equal(failed(new Error("The server is busy.")), "The server is busy.");
});

test("a passkey is named after its device, and bare addresses have none", () => {
  assert.equal(deviceName("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)"), "iPhone");
  assert.equal(deviceName("Mozilla/5.0 (Linux; Android 16; Pixel 10)"), "Android");
  assert.equal(deviceName("Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"), "Linux");
  assert.equal(deviceName("curl/8"), "");
  assert.deepEqual(["192.168.1.7", "[fe80::1]", "127.0.0.1", "localhost", "box.local", "a.10.example"].map(isBareAddress), [true, true, true, false, false, false]);
});

// -- words -------------------------------------------------------------------------------------------------------------

test("time runs out once", () => {
  assert.deepEqual([599, 61, 60, 9, 0].map(minutesAndSeconds), ["9:59", "1:01", "1:00", "0:09", "0:00"]);
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  const said = [];
  countDown(2500, (seconds) => said.push(seconds), () => said.push("over"));
  for (let i = 0; i < 5; i++) mock.timers.tick(1000);
  assert.deepEqual(said, [3, 2, 1, "over"]);
  const stop = countDown(Date.now() + 9000, (seconds) => said.push(seconds), () => said.push("over"));
  stop();
  mock.timers.tick(20000);
  assert.deepEqual(said.slice(4), [9]);
  countDown(Date.now() - 1, () => said.push("left"), () => said.push("over at once"));
  mock.timers.tick(5000);
  assert.deepEqual(said.slice(5), ["over at once"]);
  mock.timers.reset();
});

test("links say how many devices they are for, and whether somebody came", () => {
  assert.deepEqual([devicesWords(null), devicesWords(undefined), devicesWords(1), devicesWords(5)], ["", "", "for 1 device", "for 5 devices"]);
  assert.equal(usedWords(null), "not used yet");
  assert.match(usedWords("2026-11-28T10:00:00Z"), /^last used /);
});

test("what a role may not do is said, and is not tried again", () => {
  assert.match(errorWords({ code: "not_allowed", message: "Not for viewers." }), /role/);
  assert.equal(errorWords({ code: "busy", message: "This face is being learnt already." }), "This face is being learnt already.");
  assert.deepEqual([401, 403, 404, 503, 0].map((status) => new SessionError("x", { status }).forbidden), [true, true, false, false, false]);
});

// Puts the page together: camera, session, results in time, stage, panel.

import { Announcer } from "./announce.js";
import { Awake } from "./awake.js";
import { Banner } from "./banner.js";
import { Calibrate } from "./calibrate.js";
import { Camera, CameraError } from "./camera.js";
import { CameraName } from "./camera_name.js";
import { Connection } from "./connection.js";
import { $, element } from "./dom.js";
import { offerInstallation } from "./install.js";
import { bindKeys } from "./keys.js";
import { KnownCameras } from "./known_cameras.js";
import { t } from "./language.js";
import { Latency, Window } from "./latency.js";
import { Panel } from "./panel.js";
import { connectionWord, NAMED } from "./quality.js";
import { Reconnector } from "./reconnect.js";
import { RoomReading } from "./room_reading.js";
import { heard } from "./server_words.js";
import { SessionError, visitOf } from "./session.js";
import { signInPath } from "./signed_out.js";
import { constraints, scarcity, sharing, spacing } from "./share.js";
import { Stage } from "./stage.js";
import { CaptureClock, Timeline } from "./timeline.js";
import { kindOf, visitor } from "./visitor.js";
import { Who } from "./who.js";
import { present, visiting } from "./words.js";

const KEPT_RESULTS = 900;
const STALLED = 1200; // ms without a result, while pictures are sent, after which the connection is given up
const PAUSED = t("The host has paused recognition for this camera.");
const BLURRED = t("Faces without consent are blurred for others.");
let config = null;
let session = null;
let broken = null; // the connection that broke last, until another has taken its place
let resume = null; // the secret by which the session goes on
let wanted = false; // the person wants to be live
let attempt = 0; // counts starts and stops: what an older one still waits for is void
const again = new Reconnector();
const awake = new Awake();
let lastBytes = null;
const lasting = { paused: false, blurred: false };
let budget = null; // what the server gives this camera
let clock = new CaptureClock(performance.timeOrigin);
let timeline = new Timeline();
let latency = new Latency();
let rate = new Window(3);
const undrawn = [];
const announcer = new Announcer(say); // says who is there, once things have settled

let shownVisit = null; // what was last said of this visit
const measured = {
  state: "idle",
  session: null,
  fallback: false,
  startedAt: null,
  firstResultAt: null,
  results: [],
  heard: {},
  latency: latency.summary(),
  sent: async () => {
    const facts = await session?.facts();
    return { bytes: facts?.bytes ?? 0, pictures: facts?.pictures ?? 0, route: facts?.route ?? null };
  },
  get faces() {
    const { left, top } = $("stage").getBoundingClientRect();
    return stage.shown.map(({ face, box: [x, y, w, h], text, more }) => ({
      track: face.track, name: face.name, identity: face.identity, label: text, read: more, box: [x + left, y + top, w, h],
    }));
  },
};
// For tests and measurements: docs/page.md.
Object.defineProperty(window, "visavis", { value: measured });

const banner = new Banner($("banner"));
const camera = new Camera({
  onEnded: () => wanted && fail(new CameraError(t("The camera has stopped"), t("It was unplugged, or another program took it. Start it again."))),
  onMuted: (muted) => banner.say(muted ? t("The camera gives no picture at the moment.") : ""),
});
const stage = new Stage({
  faces: (time, now) => timeline.at(time, now),
  shown: (captured) => clock.shown(captured),
  opened: (face) => who.open(face),
  drawn,
});
const who = new Who({
  command: (kind, ...fields) => session?.command(kind, ...fields) ?? null,
  look: (track) => stage.look(track),
});
const visit = visitOf(location.search);
const called = new CameraName(storage("sessionStorage"), visit);
visit.name = called.name;
const reading = new RoomReading(visit);
const panel = new Panel({ room: visit.room, changed: (people) => who.suggest(people), opened: () => measured.state !== "live" && reading.read(), say });
const calibrate = new Calibrate({
  command: (kind, ...fields) => session?.command(kind, ...fields) ?? null,
  largest: () => measured.results.at(-1)?.faces.toSorted((a, b) => b.box[2] - a.box[2])[0] ?? null,
  camera,
  known: new KnownCameras(storage("localStorage")),
});

function setState(state) {
  measured.state = state;
  document.body.dataset.state = state;
  $("quality").hidden = state === "idle" || state === "error" || state === "asking";
  // Until there is anything to judge by, a new connection is taken for a good one.
  showQuality(connectionWord(state, { rate: null, wanted: null, age: 0, rtt: null, loss: null }));
}

async function loadConfig() {
  const response = await fetch("/api/v1/config").catch(() => null);
  if (!response) throw new SessionError(t("The server does not answer."));
  if (!response.ok) throw new SessionError(t("The server does not answer as it should. Load the page again."), { status: response.status });
  config = await response.json();
  $("retention").textContent = heard(config.retention);
  if (config.guest) forGuest();
  if (config.invited) panel.invited();
  return config;
}

async function start() {
  if (wanted) return;
  wanted = true;
  const mine = ++attempt;
  again.reset();
  measured.startedAt = performance.now();
  measured.firstResultAt = null;
  hideError();
  setState("asking");
  $("start").disabled = true;
  const waiting = setTimeout(() => ($("waiting").hidden = false), 4000);
  try {
    if ((await cameraOn()) && mine === attempt) await connect();
  } catch (error) {
    if (mine === attempt) fail(error);
  } finally {
    clearTimeout(waiting);
    if (mine === attempt) askedEnough();
  }
}

function askedEnough() {
  $("waiting").hidden = true;
  $("start").disabled = false;
}

/** Show a camera; false if it is no longer wanted when it comes. */
async function cameraOn(choice) {
  const started = attempt;
  if (!config) await loadConfig();
  if (started !== attempt) return false;
  const stream = await camera.open(config.video, choice);
  if (!stream) return false;
  mirror(camera.facing !== "environment");
  stage.show(stream);
  listDevices();
  awake.on();
  return true;
}

async function connect() {
  setState(again.tries ? "reconnecting" : "connecting");
  forgetResults();
  const mine = new Connection(config, visit, resume);
  session = mine;
  mine.addEventListener("result", ({ detail }) => session === mine && onResult(detail));
  mine.addEventListener("command", ({ detail }) => onCommand(detail));
  mine.addEventListener("way", ({ detail }) => session === mine && onWay(detail.fallback));
  mine.addEventListener("lost", ({ detail }) => session === mine && lost(detail.reason));
  try {
    await mine.start(camera.stream);
    if (session === mine) measured.session = mine.id;
  } catch (error) {
    mine.end();
    if (session !== mine) return;
    if (error instanceof SessionError && error.retry && (again.tries || error.after)) reconnect(error.message, error.after);
    else throw error;
  }
}

function lost(reason) {
  if (reason !== "ended") return reconnect(reason);
  who.lost();
  fail(new SessionError(t("The host has ended this camera."), { advice: t("Start it again only if the host wants you to.") }));
}

function reconnect(reason, after = null) {
  who.lost();
  calibrate.lost();
  broken = session ?? broken;
  session = null;
  timeline.clear();
  if (!wanted) return;
  setState("reconnecting");
  const retry = () => wanted && connect().catch((error) => (error instanceof SessionError && !error.forbidden ? reconnect(error.message) : fail(error)));
  banner.say(again.schedule(reason, after, retry));
  say(t("Reconnecting."));
}

function stop() {
  wanted = false;
  attempt += 1;
  askedEnough();
  again.reset();
  session?.end();
  broken?.forget();
  session = broken = resume = budget = null;
  camera.close();
  calibrate.lost();
  calibrate.show();
  stage.clear();
  forgetResults();
  banner.last("");
  banner.say("");
  awake.off();
  measured.session = null;
  if (document.fullscreenElement) document.exitFullscreen();
  setState("idle");
  $("start").focus({ preventScroll: true });
}

function fail(error) {
  stop();
  setState("error");
  const known = error instanceof CameraError || error instanceof SessionError;
  if (!known) console.error(error);
  $("error-title").textContent = known ? error.message : t("Something went wrong");
  $("error-advice").textContent = error.advice ?? (known ? t("Try again in a moment.") : t("Load the page again."));
  $("error").hidden = false;
  $("start").textContent = t("Try again");
  $("start").hidden = error.canRetry === false; // another address is the way out, not another try
  if (error.canRetry === false) offerSecureLink();
  if (error.status === 401) offerSignIn();
}

/** The server no longer knows who this is. Whoever came by a link has nothing to sign in with: the server's own words stay. */
async function offerSignIn() {
  if (["link", "unknown"].includes(kindOf(await visitor())) || $("error").hidden) return;
  $("error-title").textContent = t("You are signed out");
  $("error-advice").textContent = t("Nothing is recognised until you sign in again.");
  $("sign-in").href = signInPath();
  $("sign-in").hidden = false;
  $("start").hidden = true;
}

async function offerSecureLink() {
  const response = await fetch("/api/v1/join").catch(() => null);
  const join = response?.ok ? await response.json() : {};
  if (!join.url) return;
  $("error-link").hidden = false;
  $("error-link").textContent = $("error-link").href = join.url;
}

function hideError() {
  $("error").hidden = true;
  $("error-link").hidden = $("sign-in").hidden = true;
  $("start").hidden = false;
  $("start").textContent = t("Start the camera");
}

function onResult({ result, arrived }) {
  const captured = clock.captured(result);
  timeline.add(result, captured, arrived);
  const record = Object.assign(result, { arrived, captured, drawn: null });
  measured.results.push(record);
  if (measured.results.length > KEPT_RESULTS) measured.results.shift();
  // A hidden page draws nothing: what comes meanwhile is never drawn, and says nothing of latency.
  if (document.hidden) undrawn.length = 0;
  else undrawn.push(record);
  rate.add(1, arrived);
  if (measured.firstResultAt === null) measured.firstResultAt = arrived;
  if (measured.state !== "live") {
    again.reset();
    banner.say("");
    tellWay();
    setState("live");
    say(t("The camera is live."));
    // The start button is gone; whoever stood on it stands on the controls now.
    if (document.activeElement === document.body) $("controls").focus({ preventScroll: true });
  }
  announcer.tell(present(result.faces));
}

function drawn(now) {
  for (const record of undrawn.splice(0)) {
    record.drawn = performance.now();
    latency.add(record, { captured: record.captured, arrived: record.arrived, drawn: record.drawn, origin: performance.timeOrigin });
  }
}

/** Say which way the pictures go, where it is not the usual one. */
function onWay(fallback) {
  measured.fallback = fallback;
  if (measured.state === "live") tellWay();
}

function tellWay() {
  if (measured.fallback) banner.notice(t("This network lets no WebRTC through. Single pictures are sent instead: fewer a second, and more data."));
}

function onCommand(message) {
  measured.heard[message.type] = { message, arrived: performance.now() };
  who.message(message);
  calibrate.message(message);
  if (message.type === "hello") {
    resume = message.resume ?? null;
    broken = null;
    measured.session = message.session;
    showVisit({ room: message.room ?? visit.room, guest: message.guest ?? visit.guest, name: message.name ?? visit.name });
    tellLasting({ paused: message.recognising === false, blurred: message.consent_mode === true });
    calibrate.tell(true);
    if (message.reading) reading.tell(message.reading);
    who.liveness(message.liveness);
  }
  if (message.type === "budget") share(message);
  if (message.type === "reading") reading.tell(message);
  if (message.type === "named") showVisit({ ...shownVisit, name: message.name });
  if (message.type === "recognising") tellLasting({ paused: !message.on });
  if (message.type === "consent_mode") tellLasting({ blurred: message.on === true });
  if (message.type === "people" || message.type === "hello" || message.type === "enrolled") panel.people();
  if (message.type === "notice" && message.code === "draining") banner.notice(t("The server is about to end. This page connects again by itself."));
  else if (message.type === "notice") banner.say(message.code === "no_video" ? t("The server gets no picture from this camera.") : "");
}

/** The server gives this camera so much: what would be dropped is not sent. */
function share(given) {
  budget = given;
  session?.limit(given);
  camera.track?.applyConstraints(constraints(given, config.video)).catch(() => {}); // a camera that cannot: what is sent is held to it all the same
  tellLasting({});
}

/** What is so for longer than a moment. */
function tellLasting(facts) {
  Object.assign(lasting, facts);
  banner.last([lasting.paused && PAUSED, lasting.blurred && BLURRED, scarcity(budget)].filter(Boolean).join(" "));
}

/** Say what is special about this visit: the server has the last word, since it may take a device for a guest. */
function showVisit(facts) {
  shownVisit = facts;
  visit.name = facts.name; // said again by the next connection
  called.keep(facts.name);
  who.visit(facts);
  if (facts.guest) reading.guest();
  const words = visiting(facts);
  document.querySelectorAll(".visit").forEach((place) => {
    place.hidden = !words;
    place.querySelector("span").textContent = words;
  });
}

/** A guest's device: who is known, and what is read of faces, is the host's business. */
function forGuest() {
  panel.guest();
  reading.guest();
}

/** Where this browser keeps things, or null where it keeps nothing. */
function storage(kind) {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

function say(text) {
  $("status").textContent = text;
}

function forgetResults() {
  clock = new CaptureClock(performance.timeOrigin);
  timeline = new Timeline();
  latency = new Latency();
  rate = new Window(3);
  lastBytes = null;
  undrawn.length = 0;
  announcer.forget();
}

function showQuality(word) {
  $("quality").textContent = NAMED[word];
  $("quality").dataset.word = word;
}

async function watchConnection() {
  if (!session || measured.state !== "live") return;
  const facts = await session.facts();
  if (measured.state !== "live") return;
  const now = performance.now();
  const age = now - measured.results.at(-1).arrived;
  facts.rate = rate.rate(now);
  facts.bitrate = lastBytes && facts.bytes !== null ? ((facts.bytes - lastBytes.bytes) * 8000) / (now - lastBytes.now) : null;
  lastBytes = facts.bytes === null ? null : { bytes: facts.bytes, now };
  const sent = facts.fps ?? facts.rate;
  if (age > STALLED + 2 * spacing(budget) && sent > 0 && !document.hidden) return session.giveUp(age);
  const word = connectionWord(measured.state, { rate: facts.rate, wanted: sent, age: age - spacing(budget), rtt: facts.rtt, loss: facts.loss });
  measured.latency = latency.summary();
  showQuality(word);
  if (panel.open) panel.connection(word, facts, measured.latency, sharing(budget));
}

async function listDevices() {
  const devices = await camera.devices();
  $("flip").hidden = devices.length < 2;
  $("devices").replaceChildren(
    ...devices.map((device, i) =>
      element("option", { value: device.deviceId, textContent: device.label || t("Camera {number}", { number: i + 1 }), selected: device.deviceId === camera.deviceId }),
    ),
  );
}

async function changeCamera(choice) {
  if (!wanted) return;
  const mine = attempt;
  const before = camera.deviceId;
  try {
    if (await cameraOn(choice)) await session?.replace(camera.track);
    calibrate.tell(false);
  } catch (error) {
    // The camera that ran before is let go first, so ask for it again.
    const back = await cameraOn(before ? { deviceId: before } : {}).catch(() => null);
    if (mine !== attempt) return;
    if (back === null) return fail(error);
    await session?.replace(camera.track);
    calibrate.tell(false);
    listDevices();
    banner.notice(t("{problem}. The one before is used again.", { problem: error.message }));
  }
}

async function flip() {
  if (!wanted) return;
  const devices = await camera.devices();
  if (devices.length < 2) return;
  const next = devices[(devices.findIndex((d) => d.deviceId === camera.deviceId) + 1) % devices.length];
  const phone = matchMedia("(pointer: coarse)").matches;
  await changeCamera(phone ? { facing: camera.facing === "environment" ? "user" : "environment" } : { deviceId: next.deviceId });
}

function mirror(on) {
  stage.mirrored = on;
  document.body.dataset.mirror = on ? "on" : "off";
  $("mirror").setAttribute("aria-pressed", String(on));
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  // The whole page, so that the panel and the sheets can be seen; refused, it stays as it is.
  else if (wanted) document.documentElement.requestFullscreen?.().catch(() => {});
}

$("start").addEventListener("click", start);
$("stop").addEventListener("click", stop);
$("flip").addEventListener("click", flip);
$("mirror").addEventListener("click", () => mirror(!stage.mirrored));
$("full").addEventListener("click", fullScreen);
$("more").addEventListener("click", () => panel.toggle());
$("quality").addEventListener("click", () => panel.toggle(undefined, "link"));
$("devices").addEventListener("change", () => changeCamera({ deviceId: $("devices").value }));
$("help-close").addEventListener("click", () => $("help").close());
$("full").hidden = !document.fullscreenEnabled; // iPhones
document.addEventListener("fullscreenchange", () => $("full").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement))));
bindKeys({
  " ": () => (wanted ? stop() : start()),
  f: fullScreen,
  m: () => mirror(!stage.mirrored),
  c: flip,
  l: () => panel.toggle(),
  escape: () => panel.open && panel.toggle(false),
  "?": () => $("help").showModal(),
});
navigator.mediaDevices?.addEventListener("devicechange", () => wanted && listDevices());
window.addEventListener("pagehide", () => {
  wanted = false;
  session?.end();
  broken?.forget();
  camera.close();
});
window.addEventListener("pageshow", (event) => event.persisted && stop());
offerInstallation();
addEventListener("online", () => again.hurry());
document.addEventListener("visibilitychange", () => document.hidden || again.hurry());
setInterval(() => watchConnection().catch(() => {}), 500); // a connection that just ended has no facts
showVisit(visit);
loadConfig().catch(() => {}); // said when start is pressed

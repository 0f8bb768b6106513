// The wall of a room: its cameras live, who is before them, and what the host does with it.

import { Announcer } from "../announce.js";
import { Awake } from "../awake.js";
import { $, ask, element } from "../dom.js";
import { bindKeys } from "../keys.js";
import { fromRight, joined, t, tn } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { Reconnector } from "../reconnect.js";
import { SessionError } from "../signalling.js";
import { toast } from "../toast.js";
import { Consent } from "./consent.js";
import { listen } from "./event_stream.js";
import { invite, showInvitations } from "./invitations.js";
import { action } from "./parts.js";
import { sentence, strangersBefore } from "./present.js";
import { RoomPanel } from "./room_panel.js";
import { Sources } from "./sources.js";
import { Wall } from "./wall.js";

const room = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const path = `/rooms/${encodeURIComponent(room)}`;
const CLOSED = 300; // ms until a room that says it is closed is asked whether it is
const COMES = 5000; // … and until one that nobody opened is asked again
const measured = { state: null, cameras: {} };
// For tests and measurements: docs/page.md.
Object.defineProperty(window, "visavisRoom", { value: measured });

let iceServers = [];
const leaving = new AbortController();
let before = null; // {role, opened} of the room when it was last there
let closed = false; // the room said so; the server does as well when it goes away itself
let whole = false; // a host of everything, not of this room by a link
let card = ""; // what stands on the wall without cameras
const again = new Reconnector();
const awake = new Awake(); // a wall is looked at, not touched
const announcer = new Announcer((text) => ($("status").textContent = text));
const isHost = () => measured.state?.role === "host";
const wall = new Wall($("wall"), { room, host: isHost, ice: () => iceServers }, measured.cameras);
const sources = new Sources(room);
const consent = new Consent(room);
const panel = new RoomPanel({ opened });

document.title = t("Room {room} – Visavis", { room });
$("room-name").textContent = room;
layOutRoom();
begin();

async function begin() {
  // Who comes by a link may have no settings to read: it works without in most networks.
  iceServers = (await get("/config").catch(() => null))?.iceServers ?? [];
  follow();
}

/** Listen to the room; again after a while where that breaks. */
async function follow() {
  try {
    await listen(`/api/v1${path}/events`, heard, leaving.signal);
    if (closed) setTimeout(follow, CLOSED); // the next answer tells which of the two it is
    else wait(t("The server is not heard. Trying again."));
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    if (error.status === 404 || (closed && !error.retry)) gone();
    else if (!error.retry) refused(error);
    else wait(error.status ? error.message : t("The server is not heard. Trying again."), error.after);
  }
}

function wait(words, after = null) {
  if (leaving.signal.aborted) return;
  again.schedule("", after, follow);
  banner(words);
}

function heard(type, value) {
  if (type === "closed") closed = true;
  if (type !== "room" || !Array.isArray(value?.cameras) || !Array.isArray(value.present)) return;
  const host = isHost();
  const first = measured.state === null;
  measured.state = value;
  before = { role: value.role, opened: value.opened };
  closed = false;
  again.reset();
  banner("");
  if (first || host !== isHost()) asRole();
  $("room-facts").textContent = joined([
    tn(value.cameras.length, "{count} camera", "{count} cameras"),
    value.viewers > 0 && tn(value.viewers, "{count} viewer", "{count} viewers"),
  ]);
  consent.update(value);
  if (value.cameras.length === 0) nobody();
  announcer.tell(sentence(panel.update(value)));
  wall.update(value.cameras, (camera) => strangersBefore(value, camera, panel.strangers));
}

/** What depends on what whoever looks may do here. */
async function asRole() {
  document.body.dataset.is = "open";
  card = "";
  $("invite").hidden = !isHost();
  panel.begin(isHost());
  awake.on();
  // By a link, somebody is a host of this room alone.
  whole = isHost() && (await get("/rooms").then(() => true, () => false));
  $("rooms").hidden = document.querySelector("#panel nav").hidden = sources.element.hidden = !whole;
}

function nobody() {
  if (!isHost()) return show("nobody", t("No camera is here yet"), t("Stay: cameras show as soon as they come."));
  show("nobody host", t("No camera is here yet"), t("Invite a phone by a QR code, or use this device."), inviteButton(), cameraLink());
}

function gone() {
  const shut = before !== null && before.opened !== null;
  closed = false;
  if (shut) return empty("closed", t("This room is closed"), t("Its cameras and viewers were ended. Links to it open nothing any more."), ...ways(t("Open it again")));
  empty("none", t("Room {room} is not open", { room }), t("Nobody has opened it, and no camera is in it."), ...ways(t("Open this room")));
  setTimeout(() => card === "none" && follow(), COMES); // a camera may come
}

/** Whom it is not given to open rooms may look again later. */
function ways(words) {
  if (before !== null && !whole) return [action(t("Try again"), follow, () => {})];
  const open = action(
    words,
    async () => {
      await post("/rooms", { name: room });
      card = "";
      follow();
    },
    (said) => said && toast(said),
    "primary",
  );
  return [open, element("a", { className: "secondary", href: "/rooms", textContent: t("All rooms") })];
}

function refused({ status, message }) {
  if (status === 401) return empty("refused", t("This device has not joined"), message);
  const look = action(t("Try again"), follow, () => {});
  empty("refused", t("This link does not open the wall"), message, look, element("a", { className: "secondary", href: `/?room=${encodeURIComponent(room)}`, textContent: t("Send a camera instead") }));
}

/** Nothing to watch: say why. */
function empty(key, title, text, ...ways) {
  measured.state = null;
  document.body.dataset.is = "closed";
  banner("");
  announcer.forget();
  awake.off();
  again.reset();
  panel.end();
  $("invite").hidden = true;
  $("rooms").hidden = key === "refused" || (before !== null && !whole);
  $("room-facts").textContent = "";
  consent.update(null);
  show(key, title, text, ...ways);
  wall.update([]);
}

function show(key, title, text, ...ways) {
  if (card === key) return;
  card = key;
  wall.none.replaceChildren(element("h2", { textContent: title }), element("p", { className: "soft", textContent: text }), element("div", { className: "row" }, ...ways));
}

function inviteButton() {
  const made = element("button", { type: "button", className: "primary", textContent: t("Invite a camera…") });
  made.addEventListener("click", () => invite(room, links));
  return made;
}

function cameraLink() {
  return element("a", { className: "secondary", href: `/?room=${encodeURIComponent(room)}`, textContent: t("Use this device as a camera here") });
}

const links = () => panel.open && showInvitations($("invited"), room);

/** A tab of the panel came into sight. */
function opened(tab) {
  if (tab === "invited") links();
  if (tab === "room") sources.read();
}

function layOutRoom() {
  const close = action(
    t("Close this room…"),
    async () => {
      const text = t("Its cameras and viewers are ended, and links to it open nothing any more. Its people stay.");
      if (await ask({ title: t("Close room {room}?", { room }), text, yes: t("Close it"), no: t("Cancel"), danger: true })) await remove(path);
    },
    (said) => said && toast(said),
    "secondary danger",
  );
  $("room").replaceChildren(cameraLink(), consent.element, sources.element, close);
}

function banner(text) {
  if ($("banner").textContent !== text) $("banner").textContent = text;
  $("banner").hidden = !text;
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {}); // refused, it stays as it is
}

function escape() {
  if (wall.large !== null) wall.enlarge(null);
  else if (panel.open) panel.toggle(false);
}

const step = (by) => wall.step(fromRight ? -by : by);
bindKeys({ f: fullScreen, l: () => panel.toggle(), escape, arrowleft: () => step(-1), arrowright: () => step(1), "?": () => $("help").showModal() });
$("full").addEventListener("click", fullScreen);
$("full").hidden = !document.fullscreenEnabled; // iPhones
$("invite").addEventListener("click", () => invite(room, links));
$("help-close").addEventListener("click", () => $("help").close());
document.addEventListener("fullscreenchange", () => $("full").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement))));
addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => document.hidden || hurry());
addEventListener("pagehide", () => {
  leaving.abort();
  wall.end();
});
addEventListener("pageshow", (event) => event.persisted && location.reload());

function hurry() {
  again.hurry();
  wall.hurry();
}

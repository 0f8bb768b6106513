// The rooms: what is in them, and one more.

import { ask, element } from "../dom.js";
import { joined, t, tn } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { failure, field, paragraph } from "../people/parts.js";
import { when } from "../people/words.js";
import { consentSwitch } from "../room/consent.js";
import { toast } from "../toast.js";

const AGAIN = 3000; // ms between looks, while somebody looks
const NAME = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,39}"; // as the server has it: server/storage/names.py

const root = document.querySelector("#rooms");
const list = element("ul", { className: "cards" });
const none = paragraph(t("No room is open."), "soft");
const about = element("div", {}, element("h2", { textContent: t("Several cameras, one wall") }), paragraph(t("Open a room, invite phones by a QR code, and watch all of them from any browser. Somebody seen by two cameras is shown once."), "soft"));
let shown = "";
let timer = null;

document.addEventListener("visibilitychange", () => document.hidden || look());
look();

async function look() {
  clearTimeout(timer);
  try {
    const { rooms } = await get("/rooms");
    if (!list.isConnected) root.replaceChildren(about, form(), element("section", { className: "stack", ariaLabel: t("Rooms") }, none, list));
    write(rooms);
  } catch (error) {
    if (list.isConnected && error.passing) toast(error.message);
    else return root.replaceChildren(failure(error, look));
  }
  if (!document.hidden) timer = setTimeout(look, AGAIN);
}

/** Written anew only where something has changed, so that the focus stays. */
function write(rooms) {
  const text = JSON.stringify(rooms);
  if (text === shown) return;
  shown = text;
  const held = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...rooms.map(card));
  none.hidden = rooms.length > 0;
  if (held) (list.querySelector(`[data-key="${CSS.escape(held)}"]`) ?? root.querySelector("input")).focus();
}

function card({ name, opened, cameras, viewers, consent_mode: blurred }) {
  const facts = joined([tn(cameras, "{count} camera", "{count} cameras"), viewers > 0 && tn(viewers, "{count} viewer", "{count} viewers"), blurred && t("faces without consent are blurred")]);
  const since = opened ? t("open since {time}", { time: when(opened) }) : t("nobody opened it: its cameras came by themselves");
  const wall = element("a", { className: "button primary", href: `/room/${encodeURIComponent(name)}`, textContent: t("Show the wall"), ariaLabel: t("Show the wall of {room}", { room: name }) });
  wall.dataset.key = `wall/${name}`;
  const close = element("button", { type: "button", className: "secondary", textContent: t("Close…"), ariaLabel: t("Close room {room}…", { room: name }) });
  close.dataset.key = `close/${name}`;
  close.addEventListener("click", () => closing(name));
  const made = element("li", { className: "card room" }, element("div", {}, element("h3", { className: "name", textContent: name }), paragraph(facts), element("small", { textContent: since })), element("div", { className: "row" }, wall, close));
  made.dataset.room = name;
  return made;
}

async function closing(room) {
  const text = t("Its cameras and viewers are ended, and links to it open nothing any more. Its people stay.");
  if (!(await ask({ title: t("Close room {room}?", { room }), text, yes: t("Close it"), no: t("Cancel"), danger: true }))) return;
  try {
    await remove(`/rooms/${encodeURIComponent(room)}`);
    toast(t("Room {room} is closed.", { room }));
  } catch (error) {
    toast(error.message);
  }
  look();
}

function form() {
  const name = element("input", { required: true, maxLength: 40, pattern: NAME, autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: t("kitchen ## an example of a room's name, of letters a to z"), enterKeyHint: "go" });
  const refused = element("p", { className: "refused", role: "alert" });
  const consent = consentSwitch("opening-consent");
  const open = element("button", { type: "submit", className: "primary", textContent: t("Open") });
  const made = element("form", { className: "card opening", noValidate: true }, field(t("A new room"), name, t("1 to 40 letters, digits, dots, underlines and hyphens.")), consent.label, open, refused);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    name.value = name.value.trim();
    if (!name.checkValidity()) {
      refused.textContent = name.value ? t("A room's name begins with a letter or digit from the English alphabet, and has only those, dots, underlines and hyphens.") : t("Type a name first.");
      return name.focus();
    }
    open.disabled = true;
    refused.textContent = "";
    try {
      await post("/rooms", { name: name.value, ...(consent.input.checked ? { consent_mode: true } : {}) });
      location.href = `/room/${encodeURIComponent(name.value)}`;
    } catch (error) {
      refused.textContent = error.message;
      name.focus();
    }
    open.disabled = false;
  });
  return made;
}

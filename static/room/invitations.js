// Inviting others: a link for a camera, a viewer or another host, and those that are out.

import { ask, element } from "../dom.js";
import { joined, t, woven } from "../language.js";
import { DEVICES, devicesWords, usedWords, VALID } from "../link_words.js";
import { get, post, remove } from "../people/api.js";
import { sheet } from "../people/dialogs.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { until } from "../people/words.js";
import { shownLink } from "../shown_link.js";
import { toast } from "../toast.js";
import { action, attempt } from "./parts.js";

const ROLES = {
  camera: { words: t("A camera ## somebody is invited to send"), means: t("Sends video into this room and sees the names in its own picture.") },
  viewer: { words: t("A viewer"), means: t("Watches this room's cameras and sees who is here.") },
  host: { words: t("Another host"), means: t("Both, and renames, pauses and ends cameras, invites others, closes the room.") },
};
const path = (room) => `/rooms/${encodeURIComponent(room)}/invitations`;

/** Ask what the link is for, make it, and show it; `made()` is called when there is a new one. */
export async function invite(room, made) {
  const { body, close, heading } = sheet(t("Invite to room {room}", { room }), "invite");
  const roles = Object.entries(ROLES).map(([value, { words, means }]) =>
    element("label", {}, element("input", { type: "radio", name: "role", value, checked: value === "camera" }), element("span", {}, words, element("small", { textContent: means }))),
  );
  const valid = element("select", {}, ...VALID.map(([minutes, words]) => element("option", { value: minutes, textContent: words, selected: minutes === 60 })));
  const label = element("input", { maxLength: 80, autocomplete: "off", spellcheck: false });
  const devices = element("input", { type: "number", inputMode: "numeric", min: 1, max: DEVICES, step: 1, placeholder: t("any number ## of devices") });
  const refused = element("p", { className: "refused", role: "alert" });
  const go = element("button", { type: "submit", className: "primary", textContent: t("Make a link") });
  const form = element(
    "form",
    { className: "sheet-body" },
    element("fieldset", { className: "choices" }, element("legend", { className: "visually-hidden", textContent: t("What for") }), ...roles),
    field(t("Works for"), valid),
    field(t("Name (optional)"), label, t("Stands in the list of links, and names the camera.")),
    field(t("For how many devices (optional)"), devices, t("Once so many have come by it, it lets in no more.")),
    refused,
    element("div", { className: "row end" }, button(t("Cancel"), () => close()), go),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wish = {
      role: form.querySelector(":checked").value,
      minutes: Number(valid.value),
      ...(label.value.trim() ? { label: label.value.trim() } : {}),
      ...(devices.value ? { devices: Number(devices.value) } : {}),
    };
    attempt(
      go,
      async () => {
        const link = await post(path(room), wish);
        made();
        heading.textContent = t("The link is ready");
        body.replaceChildren(...shown(link, close));
        heading.tabIndex = -1;
        heading.focus();
      },
      (words) => (refused.textContent = words),
    );
  });
  body.append(form);
  form.querySelector(":checked").focus();
}

/** A link that was just made: this once. */
function shown({ role, label, expires, devices, url, qr, trust_url: trust }, close) {
  const about = paragraph(joined([ROLES[role]?.words ?? role, label, devicesWords(devices), t("works until {time}", { time: until(expires) })]));
  const done = element("div", { className: "row end" }, button(t("Done"), () => close(), "primary"));
  const how = element("a", { href: trust ?? "", target: "_blank", rel: "noopener", textContent: t("how that is done") });
  const command = element("code", { translate: false }, "--no-lan");
  const hint = trust ? woven("The first time, the device has to trust this server: {how}.", { how }) : woven("This server is not open to other devices. Start it without {1}.", { 1: command });
  return [
    about,
    ...shownLink({ url, qr }, t("It is shown this once. Whoever has it can use it.")),
    element("p", { className: "soft" }, ...hint),
    done,
  ];
}

/** The links that are out, in `root`. */
export async function showInvitations(root, room) {
  try {
    const { invitations } = await get(path(room));
    const again = () => showInvitations(root, room);
    const rows = invitations.map((one) => row(room, one, again));
    const list = rows.length ? element("ul", { className: "lines" }, ...rows) : paragraph(t("No link is out. Invite a phone as a camera, or somebody to watch."), "soft");
    const more = button(t("Invite…"), () => invite(room, again), "primary");
    keepFocus(root, () => root.replaceChildren(more, list));
  } catch (error) {
    root.replaceChildren(failure(error, () => showInvitations(root, room)));
  }
}

function row(room, { id, role, label, expires, devices, used }, again) {
  const words = label || ROLES[role]?.words || role;
  const facts = joined([label && ROLES[role]?.words, t("until {time} ## a link works", { time: until(expires) }), devicesWords(devices), usedWords(used)]);
  const revoke = action(
    t("Revoke"),
    async () => {
      const text = t("The link opens nothing from now on. Cameras and viewers that came by it are ended.");
      if (!(await ask({ title: t("Revoke the link “{label}”?", { label: words }), text, yes: t("Revoke"), no: t("Cancel"), danger: true }))) return;
      await remove(`${path(room)}/${encodeURIComponent(id)}`);
      await again();
    },
    (said) => said && toast(said),
  );
  revoke.ariaLabel = t("Revoke: {label}", { label: words });
  revoke.dataset.key = id;
  return element("li", {}, element("div", {}, element("span", { className: "name", textContent: words }), element("small", { textContent: facts })), revoke);
}

/** Change what is in `root`, and let the focus be where it was. */
function keepFocus(root, change) {
  const key = root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  change();
  if (key) (root.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? root.querySelector("button"))?.focus();
}

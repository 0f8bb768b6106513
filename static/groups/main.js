// The groups page: photos in, groups of faces out, each named once.

import { withConsent } from "../consent.js";
import { ask, element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { call, get, post, remove, upload } from "../people/api.js";
import { dropZone, keepDropsOff } from "../people/drop_zone.js";
import { button, failure, paragraph } from "../people/parts.js";
import { Parcel, progress, Queue, timeLeft } from "../people/queue.js";
import { sort } from "../people/walk.js";
import { faces as facesOf, photos as photosOf } from "../people/words.js";
import { heard } from "../server_words.js";
import { toast } from "../toast.js";
import { groupCard } from "./group.js";

const root = document.querySelector("#groups");
const zone = dropZone(take);
const keeps = paragraph("", "soft");
const sending = element("div", { className: "stack" });
const result = element("section", { className: "stack" });
const names = element("datalist", { id: "known-names" });
const state = { id: null, limits: null, groups: [], chosen: new Set(), startedAt: 0, photos: 0, refused: [], people: [] };

zone.querySelector(".zone-words").replaceChildren(element("b", { textContent: t("Drop photos, folders or a ZIP here") }), element("small", { textContent: t("Of anybody, several on a photo or one. Whoever is alike comes together, and you name each person once.") }));
const queue = new Queue({
  send: (parcel, signal) => upload(`/albums/${state.id}/files?${new URLSearchParams({ file: parcel.path.slice(-400) })}`, parcel.file, { signal, progress: (sent) => ((parcel.sent = sent), drawSending()) }),
  changed: drawSending,
});

keepDropsOff(document);
addEventListener("beforeunload", (event) => (queue.busy || state.groups.some(({ ignored }) => !ignored)) && event.preventDefault());
addEventListener("pagehide", () => state.id && call("DELETE", `/albums/${state.id}`, undefined, { keepalive: true }).catch(() => {}));
root.replaceChildren(element("h2", { textContent: t("Who is in all these photos?") }), zone, keeps, sending, result, names);
suggest();

async function suggest() {
  const { people } = await get("/people").catch(() => ({ people: [] }));
  state.people = people;
  names.replaceChildren(...people.map(({ name }) => element("option", { value: name })));
}

/** Send what was dropped; when all of it is there, it is grouped. */
async function take(found) {
  const { named, loose, zips, passed } = sort(found);
  const photos = [...named, ...loose, ...zips];
  if (photos.length === 0) return toast(t("There are no photos in that."));
  try {
    if (!state.id) {
      const { id, limits, keeps: words } = await post("/albums");
      Object.assign(state, { id, limits });
      keeps.textContent = heard(words);
    }
  } catch (error) {
    return toast(error.message);
  }
  const large = photos.filter(({ file, path }) => file.size > (/\.zip$/i.test(path) ? state.limits.archive_bytes : state.limits.file_bytes));
  if (large.length) toast(tn(large.length, "{count} file too large: {file}", "{count} files too large: {file}", { file: large[0].path }));
  if (!queue.busy) {
    queue.parcels = [];
    state.startedAt = performance.now();
  }
  queue.add(photos.filter((photo) => !large.includes(photo)).map((photo) => new Parcel(photo)));
  await queue.settled();
  if (passed) toast(tn(passed, "{count} other file was left out.", "{count} other files were left out."));
  await arrange();
}

async function arrange() {
  if (!state.id || queue.busy) return;
  sending.replaceChildren(element("p", { className: "card", role: "status", textContent: t("Grouping…") }));
  try {
    show(await post(`/albums/${state.id}/arrange`));
  } catch (error) {
    result.replaceChildren(failure(error, arrange));
  }
  drawSending();
}

/** Look again, after something has been changed. */
async function look() {
  try {
    show(await get(`/albums/${state.id}`));
  } catch (error) {
    result.replaceChildren(failure(error, look));
  }
}

function show({ groups, photos, faces, refused }) {
  Object.assign(state, { groups, photos, refused });
  state.chosen = new Set([...state.chosen].filter((id) => groups.some((group) => group.id === id)));
  const people = groups.filter(({ faces: own, ignored }) => own.length > 1 && !ignored);
  const alone = groups.filter(({ faces: own, ignored }) => own.length === 1 && !ignored);
  const apart = groups.filter(({ ignored }) => ignored);
  const parts = [paragraph(t("{faces} on {photos}.", { faces: facesOf(faces), photos: photosOf(photos) })), choice()];
  if (people.length) parts.push(element("h3", { textContent: tn(people.length, "{count} person, as it seems", "{count} people, as it seems") }), cards(people));
  if (alone.length) parts.push(folded(tn(alone.length, "{count} face like no other", "{count} faces like no other"), alone, people.length === 0));
  if (apart.length) parts.push(folded(tn(apart.length, "{count} group set apart", "{count} groups set apart"), apart, false));
  if (faces === 0) parts.push(element("p", { className: "card empty", textContent: photos ? t("There are no faces left to name.") : t("There are no faces in these photos.") }));
  if (refused.length) parts.push(refusals(refused));
  parts.push(element("div", { className: "row" }, button(t("Close these photos"), close)));
  result.replaceChildren(...parts);
}

const cards = (groups) => element("ul", { className: "groups" }, ...groups.map((group) => groupCard(state.id, group, { changed: look, toggle, chosen: state.chosen.has(group.id), say: toast, named, people: () => state.people })));

function folded(words, groups, open) {
  return element("details", { className: "folded", open }, element("summary", { textContent: words }), cards(groups));
}

function refusals(refused) {
  const lines = refused.slice(0, 200).map(({ file, words }) => element("li", { textContent: t("{file}: {problem}", { file, problem: heard(words) }) }));
  return element("details", { className: "folded" }, element("summary", { textContent: tn(refused.length, "{count} file not used", "{count} files not used") }), element("ul", { className: "refusals" }, ...lines));
}

// -- several groups at once --------------------------------------------------------------------------------------------

function choice() {
  const words = element("b");
  const merge = button(t("They are one person"), mergeChosen, "primary");
  const none = button(t("None"), () => {
    state.chosen.clear();
    for (const box of result.querySelectorAll(".choose")) box.checked = false;
    tell();
  });
  const bar = element("div", { className: "choice" }, words, merge, none);
  const tell = () => {
    bar.hidden = state.chosen.size < 1;
    merge.disabled = state.chosen.size < 2;
    words.textContent = state.chosen.size < 2 ? t("Choose another group") : tn(state.chosen.size, "{count} group", "{count} groups");
  };
  state.tell = tell;
  tell();
  return bar;
}

function toggle(id, on) {
  if (on) state.chosen.add(id);
  else state.chosen.delete(id);
  state.tell();
}

async function mergeChosen() {
  try {
    await post(`/albums/${state.id}/merge`, { groups: [...state.chosen] });
    state.chosen.clear();
    await look();
    result.querySelector(".group input")?.focus();
  } catch (error) {
    toast(error.message);
  }
}

async function named(group, name, consent) {
  const { person, faces } = await post(`/albums/${state.id}/groups/${group.id}/name`, withConsent({ name }, consent));
  toast(tn(faces, "{name}: {count} face.", "{name}: {count} faces.", { name: person.name }));
  await suggest();
  await look();
  result.querySelector(".group input[list]")?.focus();
}

async function close() {
  const left = state.groups.filter(({ ignored, faces }) => !ignored && faces.length > 1).length;
  if (left && !(await ask({ title: t("Close these photos?"), text: tn(left, "{count} group has no name yet. Nothing of it is kept.", "{count} groups have no name yet. Nothing of them is kept."), yes: t("Close"), no: t("Stay"), danger: true }))) return;
  await remove(`/albums/${state.id}`).catch(() => {});
  Object.assign(state, { id: null, groups: [], photos: 0, refused: [] });
  state.chosen.clear();
  queue.parcels = [];
  result.replaceChildren();
  keeps.textContent = "";
  drawSending();
  zone.querySelector("button").focus();
}

function drawSending() {
  const failed = queue.parcels.filter(({ state: how }) => how === "failed");
  const parts = failed.map(({ path, error }) => element("p", { className: "card notice", role: "alert", textContent: t("{file}: {problem}", { file: path, problem: error.message }) }));
  if (queue.busy) {
    const far = progress(queue.parcels);
    const left = far.waiting ?? timeLeft(far, (performance.now() - state.startedAt) / 1000);
    const bar = element("progress", { max: 1, value: far.bytes ? far.gone / far.bytes : 0, ariaLabel: t("Reading photos") });
    parts.unshift(element("div", { className: "card stack" }, paragraph(enumerated([tn(far.of, "Reading {done} of {count} file", "Reading {done} of {count} files", { done: far.files }), left])), bar, element("div", { className: "row" }, button(t("Stop"), () => queue.cancel()))));
  }
  sending.replaceChildren(...parts);
}

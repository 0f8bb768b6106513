// The photos page: drop some, see who is in them, name who is not known, take the list along. Nothing stays.

import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { get, upload } from "../people/api.js";
import { button, paragraph } from "../people/parts.js";
import { Parcel, progress, Queue, timeLeft } from "../people/queue.js";
import { ofInput, walk } from "../people/walk.js";
import { faces as facesOf } from "../people/words.js";
import { toast } from "../toast.js";
import { asCsv, asJson } from "./export.js";
import { PhotoCard } from "./photo.js";

const root = document.querySelector("#photos");
const said = element("p", { className: "soft", role: "status" });
const bar = element("progress", { max: 1, ariaLabel: t("Recognising"), hidden: true });
const stop = button(t("Stop"), () => queue.cancel());
const save = [button("CSV", () => keep("photos.csv", "text/csv", asCsv)), button("JSON", () => keep("photos.json", "application/json", asJson))];
const clear = button(t("Clear"), () => {
  queue.cancel();
  queue.parcels = [];
  for (const card of cards.values()) card.let();
  cards.clear();
  list.replaceChildren();
  draw();
});
const tools = element("div", { className: "row", hidden: true }, stop, ...save, clear);
const list = element("ul", { className: "photos" });
const names = element("datalist", { id: "known-names" });
let people = []; // who is enrolled
const cards = new Map(); // parcel → card
let startedAt = 0;

const queue = new Queue({
  send: async (parcel, signal) => {
    const card = cards.get(parcel);
    card.show(await upload("/photos", parcel.file, { signal, progress: (sent) => ((parcel.sent = sent), draw()) }));
  },
  changed: () => {
    for (const parcel of queue.parcels) if (parcel.state === "failed") cards.get(parcel)?.refuse(parcel.error.message);
    draw();
  },
});

addEventListener("beforeunload", (event) => queue.busy && event.preventDefault());
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

function add(found) {
  if (!queue.busy) startedAt = performance.now();
  const parcels = found.map(({ file, path }) => new Parcel({ file, path }));
  for (const parcel of parcels) {
    const card = new PhotoCard(parcel, { names: "known-names", named: again, people: () => people });
    cards.set(parcel, card);
    list.append(card.element);
  }
  queue.add(parcels);
  draw();
}

/** Somebody has a name now: every photo may show them. */
async function again(name) {
  toast(t("{name} is known from now on.", { name }));
  await learnNames();
  for (const [parcel, card] of cards) {
    if (!card.answer) continue;
    try {
      card.show(await upload("/photos", parcel.file, {}));
    } catch (error) {
      card.refuse(error.message);
    }
  }
}

async function learnNames() {
  ({ people } = await get("/people").catch(() => ({ people: [] })));
  names.replaceChildren(...people.map(({ name }) => element("option", { value: name })));
}

function draw() {
  const answers = [...cards.values()].filter((card) => card.answer);
  const faces = answers.reduce((sum, { answer }) => sum + answer.faces.length, 0);
  const state = progress(queue.parcels);
  const left = queue.busy && (state.waiting ?? timeLeft(state, (performance.now() - startedAt) / 1000));
  const far = tn(cards.size, "{done} of {count} photo looked at", "{done} of {count} photos looked at", { done: answers.length });
  said.textContent = cards.size ? enumerated([far, facesOf(faces), left]) : t("Photos go to this server, are looked at, and are not kept.");
  bar.hidden = stop.hidden = !queue.busy;
  bar.value = cards.size ? answers.length / cards.size : 0;
  tools.hidden = cards.size === 0;
  for (const one of save) one.disabled = answers.length === 0;
}

function keep(name, type, write) {
  const found = [...cards].filter(([, card]) => card.answer).map(([{ path }, { answer }]) => ({ file: path, ...answer }));
  const link = element("a", { href: URL.createObjectURL(new Blob([write(found)], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function dropZone() {
  const input = element("input", { type: "file", multiple: true, accept: "image/*", hidden: true, ariaLabel: t("Photos") });
  input.addEventListener("change", () => {
    const chosen = ofInput(input.files);
    input.value = ""; // the same may be chosen again
    if (chosen.length) add(chosen);
  });
  const words = element("p", { className: "zone-words" }, element("b", { textContent: t("Drop photos here") }), element("small", { textContent: t("JPEG, PNG, WebP, HEIC, AVIF or BMP; one or many") }));
  const zone = element("div", { className: "zone" }, words, element("div", { className: "row" }, button(t("Choose photos"), () => input.click(), "primary")), input);
  for (const kind of ["dragenter", "dragover"]) zone.addEventListener(kind, () => zone.classList.add("over"));
  zone.addEventListener("dragleave", (event) => zone.contains(event.relatedTarget) || zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    zone.classList.remove("over");
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const dropped = entries.length ? await walk(entries) : ofInput(event.dataTransfer.files);
    if (dropped.length) add(dropped);
  });
  return zone;
}

root.append(element("h2", { textContent: t("Who is in a photo?") }), dropZone(), said, bar, tools, list, names);
draw();
learnNames();

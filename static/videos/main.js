// The videos page: send some, watch them being worked off, look into one.

import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { get, remove, upload } from "../people/api.js";
import { button, failure, paragraph } from "../people/parts.js";
import { leftWords, Parcel, progress, Queue, timeLeft } from "../people/queue.js";
import { when } from "../people/words.js";
import { toast } from "../toast.js";
import { standing } from "./times.js";
import { erase, showVideo } from "./video.js";

const AGAIN = 800; // ms between looks at how far they are
const root = document.querySelector("#videos");
const zone = dropZone();
const sending = element("div", { className: "stack" });
const list = element("ul", { className: "videos" });
const keeps = paragraph("", "soft");
let leave = null; // ends what is shown
let timer = null;
let limits = null;
let shown = 0; // grows with every view, so that a late answer is not drawn over a newer one

const queue = new Queue({
  send: (parcel, signal) => upload(`/videos?${new URLSearchParams({ file: parcel.path })}`, parcel.file, { signal, progress: (sent) => ((parcel.sent = sent), drawSending()) }),
  changed: () => {
    drawSending();
    if (root.contains(list)) look();
  },
});
let startedAt = 0;

addEventListener("hashchange", route);
addEventListener("beforeunload", (event) => queue.busy && event.preventDefault());
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

async function route() {
  leave?.();
  leave = null;
  clearTimeout(timer);
  const mine = ++shown;
  const id = location.hash.slice(1);
  if (!/^([0-9a-f]{6}~)?[0-9a-f]{32}$/.test(id)) {
    root.replaceChildren(element("h2", { textContent: t("Who is in a video, and when?") }), zone, keeps, sending, list);
    return look();
  }
  try {
    const video = await get(`/videos/${id}`);
    if (video.state !== "done") return (location.hash = "");
    const end = await showVideo(root, video);
    if (mine === shown) leave = end;
    else end();
  } catch (error) {
    if (mine === shown) root.replaceChildren(element("a", { className: "back", href: "#", textContent: t("‹ All videos") }), failure(error, route));
  }
}

/** All videos as they stand now, and again while one is being worked off. */
async function look() {
  clearTimeout(timer);
  const mine = shown;
  try {
    const { items, days, next, limits: said } = await everything();
    if (mine !== shown) return;
    limits = said;
    keeps.textContent = days ? tn(days, "Videos and what is found in them stay on this server, and are erased after {count} day or when you delete them.", "Videos and what is found in them stay on this server, and are erased after {count} days or when you delete them.") : t("Videos and what is found in them stay on this server until you delete them.");
    draw(items, next);
    if (items.some(({ state }) => state === "waiting" || state === "running")) timer = setTimeout(look, AGAIN);
  } catch (error) {
    if (mine === shown) list.replaceChildren(element("li", {}, failure(error, look)));
  }
}

async function everything() {
  const all = await get("/videos?limit=200");
  while (all.next) {
    const further = await get(`/videos?limit=200&cursor=${encodeURIComponent(all.next)}`);
    all.items.push(...further.items);
    all.next = further.next;
  }
  return all;
}

/** Cards are kept while their video stands where it did, so that the focus stays where it is. */
function draw(videos) {
  const old = new Map([...list.children].map((card) => [card.dataset.id, card]));
  const cards = videos.map((video) => {
    const card = old.get(video.id);
    if (card?.dataset.state !== video.state) return card?.contains(document.activeElement) ? focused(videoCard(video)) : videoCard(video);
    tell(card, video);
    return card;
  });
  if (cards.length !== list.children.length || cards.some((card, index) => card !== list.children[index])) list.replaceChildren(...cards);
}

function focused(card) {
  queueMicrotask(() => card.querySelector("a, button")?.focus());
  return card;
}

function videoCard(video) {
  const { id, file, state } = video;
  const words = element("small", { className: "standing" });
  const title = state === "done" ? element("a", { className: "name", href: `#${id}`, textContent: file }) : element("b", { className: "name", textContent: file });
  const out = state === "done" || state === "failed" ? button(t("Delete"), async () => (await erase(video)) && look()) : button(t("Cancel"), () => cancel(video, out));
  out.ariaLabel = state === "done" || state === "failed" ? t("Delete {file}", { file }) : t("Cancel {file} ## stop looking through it", { file });
  const card = element("li", { className: "card video" }, element("div", { className: "person-line" }, element("div", {}, title, element("small", { textContent: when(video.created) }), words), out));
  if (state === "running") card.append(element("progress", { max: 1, ariaLabel: t("{file} is looked through", { file }) }));
  if (state === "failed") card.classList.add("notice");
  [card.dataset.id, card.dataset.state] = [id, state];
  tell(card, video);
  return card;
}

function tell(card, video) {
  card.querySelector(".standing").textContent = standing(video, leftWords);
  const bar = card.querySelector("progress");
  if (bar && video.total) bar.value = Math.min(1, video.done / video.total);
}

async function cancel({ id, file }, out) {
  out.disabled = true;
  await remove(`/videos/${id}`).catch((error) => error.status === 404 || toast(error.message));
  toast(t("{file} is cancelled, and erased.", { file }));
  look();
}

function send(files) {
  const large = limits && files.find(({ size }) => size > limits.file_bytes);
  if (large) return toast(t("{file} has more than {size} GB.", { file: large.name, size: Math.round(limits.file_bytes / 2 ** 30) }));
  if (!queue.busy) {
    queue.parcels = [];
    startedAt = performance.now();
  }
  queue.add(files.map((file) => new Parcel({ file, path: file.name })));
}

function drawSending() {
  const refused = queue.parcels.filter(({ state }) => state === "failed");
  const cards = refused.map(({ path, error }) => element("p", { className: "card notice", role: "alert", textContent: t("{file}: {problem}", { file: path, problem: error.message }) }));
  if (queue.busy) {
    const state = progress(queue.parcels);
    const left = state.waiting ?? timeLeft(state, (performance.now() - startedAt) / 1000);
    const made = sending.querySelector("progress")?.parentElement ?? element("div", { className: "card stack" }, element("p"), element("progress", { max: 1, ariaLabel: t("Sending") }), element("div", { className: "row" }, button(t("Stop sending"), () => queue.cancel())));
    made.querySelector("p").textContent = enumerated([tn(state.of, "Sending {count} video", "Sending {count} videos"), left]);
    if (state.bytes) made.querySelector("progress").value = state.gone / state.bytes;
    cards.unshift(made);
  }
  if (cards.length !== sending.children.length || cards[0] !== sending.firstElementChild || refused.length) sending.replaceChildren(...cards);
}

function dropZone() {
  const input = element("input", { type: "file", multiple: true, accept: "video/*,.mkv,.avi,.mov,.ts,.m2ts", hidden: true, ariaLabel: t("Videos") });
  input.addEventListener("change", () => {
    const chosen = [...input.files];
    input.value = ""; // the same may be chosen again
    if (chosen.length) send(chosen);
  });
  const words = element("p", { className: "zone-words" }, element("b", { textContent: t("Drop a video here") }), element("small", { textContent: t("MP4, MOV, WebM, MKV, AVI and more") }));
  const made = element("div", { className: "zone" }, words, element("div", { className: "row" }, button(t("Choose a video"), () => input.click(), "primary")), input);
  for (const kind of ["dragenter", "dragover"]) made.addEventListener(kind, () => made.classList.add("over"));
  made.addEventListener("dragleave", (event) => made.contains(event.relatedTarget) || made.classList.remove("over"));
  made.addEventListener("drop", (event) => {
    made.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length) send(files);
  });
  return made;
}

route();

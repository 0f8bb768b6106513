// Who is here: one entry a person, strangers by number, in words. No DOM.

import { hourAndMinute, listed, percent } from "../figures.js";
import { isolated, joined, t, tn } from "../language.js";

/** Numbers strangers by their first appearance; the number stays theirs while this page is open. */
export class Strangers {
  #numbers = new Map();

  /** The number of the stranger with this key. */
  number(key) {
    if (!this.#numbers.has(key)) this.#numbers.set(key, this.#numbers.size + 1);
    return this.#numbers.get(key);
  }
}

const ORDER = ["known", "uncertain", "unknown"];

/** The entries of a room's state as they are shown: {key, kind, name, words, about, sure, cameras}, known people first, then in the order they came. */
export function entries({ present = [], cameras = [] }, strangers) {
  const named = new Map(cameras.map((camera) => [camera.id, cameraName(camera)]));
  const came = present.toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since));
  // Numbers are given in the order of coming, whatever the order of showing.
  const shown = came.map((entry) => {
    const words = nameOf(entry, strangers);
    const seenBy = [...new Set(entry.views.map(({ camera }) => camera))].filter((id) => named.has(id));
    const where = seenBy.length ? t("in {cameras} ## the pictures of cameras", { cameras: listed(seenBy.map((id) => isolated(named.get(id)))) }) : null;
    const sure = entry.identity === "known" && Number.isFinite(entry.probability) ? percent(Math.min(0.99, entry.probability)) : null;
    const since = Number.isNaN(Date.parse(entry.since)) ? null : t("since {time} ## somebody is here", { time: hourAndMinute(entry.since) });
    return { key: entry.key, kind: entry.identity, name: entry.name ?? null, words, about: joined([where, since]), sure, cameras: seenBy };
  });
  return shown.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

function nameOf({ identity, name, key }, strangers) {
  if (identity === "known") return name ?? "?";
  if (identity === "uncertain" && name) return t("Perhaps {name}", { name });
  return t("Unknown {number}", { number: strangers.number(key) });
}

/** What strangers are called in a camera's picture, by track. */
export function strangersBefore({ present = [] }, camera, strangers) {
  const strange = present.filter(({ identity }) => identity === "unknown");
  return new Map(strange.flatMap(({ key, views }) => views.filter((view) => view.camera === camera).map(({ track }) => [track, t("Unknown {number}", { number: strangers.number(key) })])));
}

/** What a camera is called: by the room's own number for it where nobody named it. */
export const cameraName = ({ name, number }) => name || t("Camera {number}", { number: number ?? 0 });

/** How many faces are seen that are in no entry. */
export function untold({ present = [], cameras = [] }) {
  const seen = cameras.reduce((sum, { faces }) => sum + (faces ?? 0), 0);
  const told = present.reduce((sum, { views }) => sum + views.length, 0);
  return Math.max(0, seen - told);
}

/** The same in words, or nothing. */
export const untoldWords = (count) => (count ? tn(count, "a face that cannot be told", "{count} faces that cannot be told") : "");

/** Who is here, in a sentence for whoever cannot see it. */
export function sentence(shown) {
  if (shown.length === 0) return t("Nobody is here.");
  return t("Here: {list}.", { list: listed(shown.map(({ words }) => isolated(words))) });
}

// What this page says of people, pictures and times. No document.

import { enumerated, hourAndMinute, moment } from "../figures.js";
import { joined, t, tn } from "../language.js";

export const pictures = (number) => tn(number, "{count} picture", "{count} pictures");
export const photos = (number) => tn(number, "{count} photo", "{count} photos");
export const files = (number) => tn(number, "{count} file", "{count} files");
export const faces = (number) => tn(number, "{count} face", "{count} faces");
export const persons = (number) => tn(number, "{count} person", "{count} people");

/** A date as people say it: the time for today, else day and month, with the year where it is another. */
export function when(iso, now = new Date()) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const options =
    date.toDateString() === now.toDateString()
      ? { hour: "2-digit", minute: "2-digit" }
      : { day: "numeric", month: "short", ...(date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) };
  const words = moment(date, options);
  return date.toDateString() === now.toDateString() ? t("today {time}", { time: words }) : words;
}

/** Day and time, for something that ends. */
export function until(iso, now = new Date()) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const time = hourAndMinute(date);
  return date.toDateString() === now.toDateString() ? t("today {time}", { time }) : enumerated([when(iso, now), time]);
}

/** Up to two letters that stand for a name where there is no picture. */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const first = (word) => [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(word)][0]?.segment ?? "";
  const letters = words.length > 1 ? first(words[0]) + first(words.at(-1)) : first(words[0] ?? "?");
  return letters.toLocaleUpperCase();
}

// As in guided enrolment (server/live/coverage.py): from where on a face counts as turned or nodding, and the pitch of one that looks ahead.
const [TURNED, NODDED, LEVEL, NEARER] = [0.15, 0.07, -0.08, 1.2];

/** How a face stands in its picture, 'left, near': left and right as seen there, near and far by the person's `usual` width. */
export function view({ yaw = null, pitch = null, size = null }, usual = null) {
  const parts = [];
  if (yaw !== null && Math.abs(yaw) >= TURNED) parts.push(yaw < 0 ? t("left ## where a face looks") : t("right ## where a face looks"));
  if (pitch !== null && Math.abs(pitch - LEVEL) >= NODDED) parts.push(pitch < LEVEL ? t("down ## where a face looks") : t("up ## where a face looks"));
  if (yaw !== null && pitch !== null && parts.length === 0) parts.push(t("front ## a face that looks ahead"));
  if (size && usual && size >= usual * NEARER) parts.push(t("near ## a face"));
  if (size && usual && size <= usual / NEARER) parts.push(t("far ## a face"));
  return enumerated(parts);
}

/** The width in the middle of all, or `null`. */
export function usualSize(samples) {
  const sizes = samples.map(({ size }) => size).filter(Boolean).sort((a, b) => a - b);
  return sizes.length > 1 ? sizes[Math.floor(sizes.length / 2)] : null;
}

const SOURCES = { live: t("live camera"), photo: t("photo"), import: t("imported photo"), inbox: t("named stranger"), video: t("video") };

/** Where a picture came from. */
export const source = (kind) => SOURCES[kind] ?? kind;

/** Whether a picture looks more like somebody else than like its own person. */
export const resemblesOther = (sample) => Boolean(sample.nearest) && (sample.fits === null ? false : sample.nearest.similarity > sample.fits);

/** Who may recognise a person: everyone's sessions, or a room's. */
export const roomWords = (room) => (room ? t("Room {room}", { room }) : t("Everyone"));

/** One line about a person in the list. */
export function about(person) {
  const marks = person.negatives && tn(person.negatives, "{count} “not this person” mark", "{count} “not this person” marks");
  return joined([pictures(person.samples), person.room && roomWords(person.room), marks]);
}

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** The people whose name or room holds every word of `wanted`, without regard to case and accents. */
export function matching(people, wanted) {
  const words = folded(wanted).split(/\s+/).filter(Boolean);
  if (words.length === 0) return people;
  return people.filter((person) => {
    const text = folded(`${person.name} ${person.room ?? ""}`);
    return words.every((word) => text.includes(word));
  });
}

/** One sighting: 'today 14:02, 3 min'. */
export function sightings({ began, ended }, now = new Date()) {
  const minutes = Math.round((new Date(ended) - new Date(began)) / 60_000);
  const hours = Math.round(minutes / 60);
  const long = !Number.isFinite(minutes) ? "" : minutes < 1 ? t("less than a minute") : minutes < 90 ? t("{minutes} min", { minutes }) : t("{hours} h", { hours });
  return enumerated([until(began, now), long]);
}

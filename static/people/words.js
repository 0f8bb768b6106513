// What this page says of people, pictures and times. No document.

/** `1 picture`, `3 pictures`. */
export const count = (number, one, more = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : more}`;

/** A date as people say it: the time for today, else day and month, with the year where it is another. */
export function when(iso, now = new Date()) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const options =
    date.toDateString() === now.toDateString()
      ? { hour: "2-digit", minute: "2-digit" }
      : { day: "numeric", month: "short", ...(date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) };
  const words = new Intl.DateTimeFormat("en-GB", options).format(date);
  return date.toDateString() === now.toDateString() ? `today ${words}` : words;
}

/** Day and time, for something that ends. */
export function until(iso, now = new Date()) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(date);
  return date.toDateString() === now.toDateString() ? `today ${time}` : `${when(iso, now)}, ${time}`;
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
  if (yaw !== null && Math.abs(yaw) >= TURNED) parts.push(yaw < 0 ? "left" : "right");
  if (pitch !== null && Math.abs(pitch - LEVEL) >= NODDED) parts.push(pitch < LEVEL ? "down" : "up");
  if (yaw !== null && pitch !== null && parts.length === 0) parts.push("front");
  if (size && usual && size >= usual * NEARER) parts.push("near");
  if (size && usual && size <= usual / NEARER) parts.push("far");
  return parts.join(", ");
}

/** The width in the middle of all, or `null`. */
export function usualSize(samples) {
  const sizes = samples.map(({ size }) => size).filter(Boolean).sort((a, b) => a - b);
  return sizes.length > 1 ? sizes[Math.floor(sizes.length / 2)] : null;
}

const SOURCES = { live: "live camera", photo: "photo", import: "imported photo", inbox: "named stranger", video: "video" };

/** Where a picture came from. */
export const source = (kind) => SOURCES[kind] ?? kind;

/** `82 %`, kept on one line; nothing for nothing. */
export const percent = (share, digits = 0) => (Number.isFinite(share) ? `${(100 * share).toFixed(digits)}\u00a0%` : "");

/** Whether a picture looks more like somebody else than like its own person. */
export const resemblesOther = (sample) => Boolean(sample.nearest) && (sample.fits === null ? false : sample.nearest.similarity > sample.fits);

/** Who may recognise a person: everyone's sessions, or a room's. */
export const roomWords = (room) => (room ? `Room ${room}` : "Everyone");

/** One line about a person in the list. */
export function about(person) {
  const parts = [count(person.samples, "picture")];
  if (person.room) parts.push(roomWords(person.room));
  if (person.negatives) parts.push(`${count(person.negatives, "“not this person” mark")}`);
  return parts.join(" · ");
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
  const long = !Number.isFinite(minutes) ? "" : minutes < 1 ? ", less than a minute" : minutes < 90 ? `, ${minutes} min` : `, ${Math.round(minutes / 60)} h`;
  return until(began, now) + long;
}

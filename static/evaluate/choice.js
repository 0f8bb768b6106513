// What was chosen, and whether something can be measured on it. No document.

import { megabytes } from "../figures.js";
import { t, tn } from "../language.js";
import { persons, pictures } from "../people/words.js";

const PHOTO = /\.(jpe?g|png|webp|bmp|hei[cf]|avif)$/i;
const TABLE = /\.csv$/i;
const ZIP = /\.zip$/i;
const NOISE = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini|__MACOSX)(\/|$)/i;

/** Sort what was found, [{file, path}]: the `files` to send, and the `problem` that stands in the way (or `null`). */
export function choose(found) {
  const kept = found.filter(({ path }) => !NOISE.test(path));
  const [photos, tables, zips] = [PHOTO, TABLE, ZIP].map((kind) => kept.filter(({ path }) => kind.test(path)));
  const people = new Set(photos.map(({ path }) => path.split("/").slice(0, -1).join("/")));
  const passed = found.length - photos.length - tables.length - zips.length;
  const chosen = { photos: photos.length, people: people.size, tables: tables.length, zips: zips.length, passed };
  return { ...chosen, files: zips.length ? zips : [...photos, ...tables], problem: problem(chosen) };
}

function problem({ photos, people, tables, zips }) {
  if (zips > 1) return t("One ZIP at a time, please.");
  if (zips && photos + tables) return t("Either a ZIP or a folder, not both at once.");
  if (zips) return null;
  if (!photos) return t("There are no JPEG, PNG, WebP, HEIC, AVIF or BMP pictures in that.");
  if (tables > 1) return t("There is more than one table (CSV) in that: leave the one with the labels.");
  if (!tables && people < 2) return t("Pictures of at least two people are needed, each person's in a folder of their own.");
  return null;
}

/** What was chosen, in words. */
export function chosenWords({ photos, people, tables, zips, passed, files }) {
  const left = passed ? ` ${tn(passed, "{count} other file will not be sent.", "{count} other files will not be sent.")}` : "";
  if (zips) return t("A ZIP of {size}.", { size: megabytes(files[0].file.size) }) + left;
  if (tables) return tn(photos, "{count} picture and a table of labels.", "{count} pictures and a table of labels.") + left;
  return t("{pictures} of {people}.", { pictures: pictures(photos), people: persons(people) }) + left;
}

/** The first file that is too large for the server's `limits`, in words, or `null`. */
export function tooMuch(files, limits) {
  const most = (path) => (ZIP.test(path) ? limits.archive_bytes : limits.file_bytes);
  const large = files.find(({ file, path }) => file.size > most(path));
  if (large) return t("{file} has more than {size}.", { file: large.path.split("/").at(-1), size: megabytes(most(large.path)) });
  if (files.length > limits.files) return tn(limits.files, "At most {count} file at a time.", "At most {count} files at a time.");
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  return total > limits.total_bytes ? t("At most {most} at a time; this is {size}.", { most: megabytes(limits.total_bytes), size: megabytes(total) }) : null;
}

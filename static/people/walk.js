// From what was dropped or chosen to photos with names. No document: entries and files come as arguments.

import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { persons, photos } from "./words.js";

const PHOTO = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|heif)$/i;
const ZIP = /\.zip$/i;
const NOISE = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini|__MACOSX)(\/|$)/i;

/** Everything below the entries of a drop (`DataTransferItem.webkitGetAsEntry`), as [{file, path}]. */
export async function walk(entries) {
  const found = [];
  for (const entry of entries) await visit(entry, "", found);
  return found;
}

async function visit(entry, folder, found) {
  const path = folder + entry.name;
  if (NOISE.test(path)) return;
  if (entry.isFile) {
    // A file that was deleted since the drop is no file any more.
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) found.push({ file, path });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // Browsers give out a folder a hundred entries at a time, and nothing at its end.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return;
    for (const child of some) await visit(child, `${path}/`, found);
  }
}

/** The same for the files of an input. */
export const ofInput = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

/** Whose photo a path is: the folder it lies in, or nobody's (`""`). */
export function nameOf(path) {
  const parts = path.split("/").filter(Boolean);
  return parts.length > 1 ? parts.at(-2).normalize("NFC").trim() : "";
}

/** Sort what was found: `named` photos of folders, `loose` photos, `zips`, and how many other files were `passed` over. */
export function sort(found) {
  const sorted = { named: [], loose: [], zips: [], passed: 0 };
  for (const { file, path } of found) {
    if (NOISE.test(path)) continue;
    if (ZIP.test(path)) sorted.zips.push({ file, path, name: "" });
    else if (!PHOTO.test(path) && !file.type?.startsWith("image/")) sorted.passed += 1;
    else {
      const name = nameOf(path);
      sorted[name ? "named" : "loose"].push({ file, path, name });
    }
  }
  return sorted;
}

/** What a drop holds, in words. */
export function contents({ named, loose, zips, passed }) {
  const parts = [];
  const people = new Set(named.map((photo) => photo.name)).size;
  if (named.length) parts.push(t("{photos} of {people}", { photos: photos(named.length), people: persons(people) }));
  if (loose.length) parts.push(tn(loose.length, "{count} photo without a name", "{count} photos without a name"));
  if (zips.length) parts.push(tn(zips.length, "{count} ZIP file", "{count} ZIP files"));
  const words = parts.length ? t("{list}. ## a sentence that only names things", { list: enumerated(parts) }) : t("There are no photos in that.");
  return passed ? `${words} ${tn(passed, "{count} other file was left out.", "{count} other files were left out.")}` : words;
}

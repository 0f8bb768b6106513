// What the server thinks of the photos, sorted for whoever decides. No document.

import { megabytes } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { persons, pictures } from "./words.js";

const NEEDS = new Set(["several_faces", "looks_like"]);

const VERDICTS = {
  used: t("Good ## a photo"),
  no_face: t("No face"),
  several_faces: t("Several faces"),
  poor_quality: t("Poor picture"),
  duplicate: t("Known already"),
  looks_like: t("Looks like somebody else"),
  not_a_picture: t("Not a picture"),
  too_large: t("Too large"),
};

/** A verdict in two or three words. */
export const verdictWords = (verdict) => VERDICTS[verdict] ?? verdict.replaceAll("_", " ");

/** Whether nothing is saved of a file until somebody decides. */
export const needsYou = (entry) => NEEDS.has(entry.verdict);

/** Whether a file may be used although the server would rather not. */
export const mayInsist = (entry) => entry.verdict === "poor_quality";

/** How many of each. */
export function tally(entries) {
  const sums = { used: 0, needs: 0, duplicates: 0, refused: 0, people: 0 };
  const people = new Set();
  for (const entry of entries) {
    if (entry.verdict === "used") {
      sums.used += 1;
      people.add(key(entry.name));
    } else if (needsYou(entry)) sums.needs += 1;
    else if (entry.verdict === "duplicate") sums.duplicates += 1;
    else sums.refused += 1;
  }
  sums.people = people.size;
  return sums;
}

const key = (name) => (name ?? "").normalize("NFC").toLowerCase();

/** Files by person, in the order of names; with `onlyNeeds` those alone that wait for a decision. `existing` holds the names
 * the server knows already. */
export function groups(entries, { onlyNeeds = false, existing = [] } = {}) {
  const known = new Set(existing.map(key));
  const found = new Map();
  for (const entry of entries) {
    const id = key(entry.name);
    if (!found.has(id)) found.set(id, { name: entry.name ?? "", files: [], used: 0, needs: 0, duplicates: 0, exists: known.has(id) });
    const group = found.get(id);
    if (needsYou(entry)) group.needs += 1;
    else if (entry.verdict === "used") group.used += 1;
    // Nobody needs to read of a photo that is there already.
    if (entry.verdict === "duplicate") group.duplicates += 1;
    else if (!onlyNeeds || needsYou(entry)) group.files.push(entry);
  }
  const all = [...found.values()].filter((group) => !onlyNeeds || group.needs > 0);
  for (const group of all) group.files.sort((a, b) => needsYou(b) - needsYou(a) || a.file.localeCompare(b.file, "en", { numeric: true }));
  return all.sort((a, b) => a.name.localeCompare(b.name));
}

/** One line about a person's files. */
export function groupWords({ used, needs, duplicates, files, exists }) {
  const refused = files.length - used - needs;
  const taken = exists ? tn(used, "{count} picture to add", "{count} pictures to add") : tn(used, "{count} picture to save", "{count} pictures to save");
  return joined([
    used ? taken : t("nothing to save"),
    needs && tn(needs, "{count} needs you", "{count} need you"),
    refused > 0 && tn(refused, "{count} left out", "{count} left out"),
    duplicates && tn(duplicates, "{count} known already", "{count} known already"),
  ]);
}

/** What the button that saves says. */
export function saveWords({ used, people }) {
  return used ? t("Save {people}, {pictures}", { people: persons(people), pictures: pictures(used) }) : t("Nothing to save yet");
}

/** What is left out if it is saved now. */
export function leftOut({ needs, refused, duplicates }) {
  const parts = [];
  if (needs) parts.push(tn(needs, "{count} picture still needs you and would be left out.", "{count} pictures still need you and would be left out."));
  if (refused) parts.push(tn(refused, "{count} file cannot be used.", "{count} files cannot be used."));
  if (duplicates) parts.push(tn(duplicates, "{count} is known already.", "{count} are known already."));
  return parts.join(" ");
}

/** A file too large to be sent at all, as an entry of its own; `null` for one that may go. */
export function tooLarge({ file, name, path }, limits) {
  const zip = /\.zip$/i.test(path);
  const most = zip ? limits?.archive_bytes : limits?.file_bytes;
  if (!most || file.size <= most) return null;
  return { id: `local-${path}`, file: path, name, verdict: "too_large", words: t("This file has {size}; the server takes {most} at most.", { size: megabytes(file.size, Math.ceil), most: megabytes(most) }), local: true };
}

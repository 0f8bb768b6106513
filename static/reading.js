// What is read of a face beside its name, in words: how far away it is, and what age and gender it appears to be. No DOM.

import { enumerated, number, percent } from "./figures.js";
import { t, tn } from "./language.js";

/** Metres as a person would say them; null for none. */
export function metres(value) {
  if (!Number.isFinite(value)) return null;
  if (value < 0.975) return t("{number} cm", { number: number(Math.round(value * 20) * 5) });
  return t("{number} m", { number: number(value, value < 9.95 ? 1 : 0) });
}

/** What stands under a name: only what is read in this room, and never more than is known. A list of short phrases. */
export function readings(face) {
  const said = [];
  const away = metres(face.distance?.m);
  if (away) said.push(t("about {distance}", { distance: away }));
  // Where not even the name can be told, that it is too far is said already.
  const told = face.identity === "unreadable" && face.apparent?.reason === "too far";
  return told ? said : [...said, ...apparently(face.apparent)];
}

/** The same where there is little room. */
export function briefReadings(face) {
  const away = metres(face.distance?.m);
  return away ? [away] : [];
}

function apparently(apparent) {
  if (!apparent) return [];
  const asked = { gender: "p" in apparent, age: "low" in apparent };
  const gender = asked.gender && apparent.gender ? apparentGender(apparent) : null;
  const age = asked.age && years(apparent) ? t("looks {years} ## years old", { years: years(apparent) }) : null;
  const left = (asked.gender && !gender) || (asked.age && !age);
  const reason = { "too far": t("too far to say"), "not sure": t("gender hard to tell") }[apparent.reason];
  return [age, gender, left ? (reason ?? null) : null].filter(Boolean);
}

/** The ages between which somebody appears to be; null where that is not said. */
function years({ low, high }) {
  return Number.isFinite(low) && Number.isFinite(high) ? t("{low}–{high} ## an interval", { low, high }) : null;
}

const GENDERS = { female: t("female"), male: t("male") };
const APPARENTLY = {
  female: (chance) => t("apparently female {chance}", { chance }),
  male: (chance) => t("apparently male {chance}", { chance }),
};
const BANDS = { near: t("near ## a face"), middle: t("middle distance"), far: t("far ## a face") };

function apparentGender({ gender, p }) {
  const said = APPARENTLY[gender] ?? ((chance) => `${gender} ${chance}`);
  return said(almost(p)).trim();
}

/** A share that never claims to be certain. */
function almost(value) {
  return Number.isFinite(value) ? percent(Math.min(0.99, value)) : "";
}

/** The same with everything that is known, as pairs for a list; what is not read or not known is null. */
export function readingFacts(face) {
  const { distance, apparent } = face ?? {};
  const looks = apparent ? tn(apparent.looks, "seen once", "seen {count} times") : "";
  const none = { "too far": t("Too far to say"), "not sure": t("Not sure") }[apparent?.reason] ?? t("Not known yet");
  return [
    [t("Distance"), distance ? t("about {distance}: {span}, {band}", { distance: metres(distance.m), span: span(distance), band: BANDS[distance.band] ?? distance.band }) : null],
    [t("Apparent age"), apparent && "low" in apparent ? (years(apparent) ? enumerated([years(apparent), looks]) : none) : null],
    [t("Apparent gender"), apparent && "p" in apparent ? (apparent.gender ? enumerated([`${GENDERS[apparent.gender] ?? apparent.gender} ${almost(apparent.p)}`.trim(), looks]) : none) : null],
  ];
}

/** An interval of metres: '1.9–3.1 m'. */
export function span({ low, high }) {
  if (high < 1) return t("{low}–{high} cm", { low: number(low * 100), high: number(high * 100) });
  const digits = high < 9.95 ? 1 : 0;
  return t("{low}–{high} m", { low: number(low, digits), high: number(high, digits) });
}

const ENOUGH = 0.07; // of a distance: less than this is no news

/** Holds a face's distance until it has really changed: a figure that flickers cannot be read. */
export class Steady {
  #shown = new Map(); // track → distance

  /** The face with the distance that is to be shown. */
  face(face) {
    if (!face.distance) return face;
    const before = this.#shown.get(face.track);
    const same = before && Math.abs(face.distance.m / before.m - 1) < ENOUGH && face.distance.band === before.band;
    if (same) return { ...face, distance: before };
    this.#shown.set(face.track, face.distance);
    return face;
  }

  /** Forget all faces but these. */
  keep(tracks) {
    for (const track of this.#shown.keys()) if (!tracks.has(track)) this.#shown.delete(track);
  }
}

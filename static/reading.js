// What is read of a face beside its name, in words: how far away it is, and what age and gender it appears to be. No DOM.

/** Metres as a person would say them; null for none. */
export function metres(value) {
  if (!Number.isFinite(value)) return null;
  if (value < 0.975) return `${Math.round(value * 20) * 5} cm`;
  return value < 9.95 ? `${value.toFixed(1)} m` : `${Math.round(value)} m`;
}

/** What stands under a name: only what is read in this room, and never more than is known. A list of short phrases. */
export function readings(face) {
  const said = [];
  const away = metres(face.distance?.m);
  if (away) said.push(`about ${away}`);
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
  const gender = asked.gender && apparent.gender ? `apparently ${apparent.gender}${percent(apparent.p)}` : null;
  const age = asked.age && years(apparent) ? `looks ${years(apparent)}` : null;
  const left = (asked.gender && !gender) || (asked.age && !age);
  const reason = { "too far": "too far to say", "not sure": "gender hard to tell" }[apparent.reason];
  return [age, gender, left ? (reason ?? null) : null].filter(Boolean);
}

/** The ages between which somebody appears to be; null where that is not said. */
function years({ low, high }) {
  return Number.isFinite(low) && Number.isFinite(high) ? `${low}–${high}` : null;
}

function percent(value) {
  return Number.isFinite(value) ? ` ${Math.min(99, Math.round(value * 100))} %` : "";
}

const BANDS = { near: "near", middle: "middle distance", far: "far" };

/** The same with everything that is known, as pairs for a list; what is not read or not known is null. */
export function readingFacts(face) {
  const { distance, apparent } = face ?? {};
  const looks = apparent ? `, ${apparent.looks === 1 ? "seen once" : `seen ${apparent.looks} times`}` : "";
  const none = { "too far": "Too far to say", "not sure": "Not sure" }[apparent?.reason] ?? "Not known yet";
  return [
    ["Distance", distance ? `about ${metres(distance.m)}: ${span(distance)}, ${BANDS[distance.band] ?? distance.band}` : null],
    ["Apparent age", apparent && "low" in apparent ? (years(apparent) ? `${years(apparent)}${looks}` : none) : null],
    ["Apparent gender", apparent && "p" in apparent ? (apparent.gender ? `${apparent.gender}${percent(apparent.p)}${looks}` : none) : null],
  ];
}

/** An interval of metres: '1.9–3.1 m'. */
export function span({ low, high }) {
  if (high < 1) return `${Math.round(low * 100)}–${Math.round(high * 100)} cm`;
  const digits = high < 9.95 ? 1 : 0;
  return `${low.toFixed(digits)}–${high.toFixed(digits)} m`;
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

// What is said of a face. No DOM.

import { listed, percent } from "./figures.js";
import { isolated, joined, t, tn } from "./language.js";

/** The chip on a box: short, and different in words for every identity. A stranger may be `called` something where nobody can be asked. */
export function label(face) {
  switch (face.identity) {
    case "known":
      return `${isolated(shorten(face.name ?? "?"))} ${percent(Math.min(0.99, face.probability))}`.trim();
    case "uncertain":
      return face.name ? t("Perhaps {name}?", { name: shorten(face.name) }) : t("Not sure");
    case "unknown":
      return face.called ?? t("Unknown — who is this?");
    case "unreadable":
      return unreadable(face.quality);
    default:
      return t("Looking…");
  }
}

/** The same where there is little room. */
export function brief(face) {
  switch (face.identity) {
    case "known":
      return shorten(face.name ?? "?", 12);
    case "uncertain":
      return face.name ? t("{name}? ## perhaps this is them", { name: shorten(face.name, 12) }) : t("Not sure");
    case "unknown":
      return face.called ?? t("Who? ## an unknown face");
    case "unreadable":
      return unreadable(face.quality, true);
    default:
      return "…";
  }
}

/** Why a face cannot be read. */
function unreadable(quality, brief = false) {
  if (quality && quality.size > 0.25 && quality.pose < 0.15) return t("Turned away");
  if (quality && quality.size > 0.25 && quality.sharpness < 0.25) return brief ? t("Too blurred") : t("Too blurred to say");
  return brief ? t("Too far") : t("Too far to say");
}

/** The same for a screen reader. */
export function spoken(face) {
  switch (face.identity) {
    case "known":
      return t("{name}, known. Open", { name: face.name });
    case "uncertain":
      return face.name ? t("Perhaps {name}, not sure. Open", { name: face.name }) : t("Perhaps somebody known, not sure. Open");
    case "unknown":
      return t("Unknown face. Say who this is");
    case "unreadable":
      return t("A face that cannot be told. Open");
    default:
      return t("A new face, being looked at. Open");
  }
}

/** Who is in the picture, in a sentence. */
export function present(faces) {
  const known = faces.filter((face) => face.identity === "known").map((face) => face.name);
  const strangers = faces.filter((face) => face.identity === "unknown").length;
  const others = faces.length - known.length - strangers;
  const parts = known.map(isolated);
  if (strangers) parts.push(tn(strangers, "an unknown face", "{count} unknown faces"));
  if (others) parts.push(tn(others, "a face that cannot be told", "{count} faces that cannot be told"));
  return parts.length ? t("In the picture: {list}.", { list: listed(parts) }) : t("Nobody is in the picture.");
}

/** A name that fits on a chip: whole characters, with an ellipsis. */
export function shorten(name, most = 24) {
  if (name.length <= most) return name;
  const characters = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name)].map((s) => s.segment);
  return characters.length <= most ? name : `${characters.slice(0, most - 1).join("").trimEnd()}…`;
}

// Why a picture of a face was not taken, as advice; the names are those of docs/protocol.md.
const ADVICE = {
  "too dark": t("It is too dark. Find more light"),
  "too bright": t("It is too bright. Turn from the light"),
  blurred: t("Hold still"),
  "turned away": t("Look towards the camera"),
  "too far": t("Come nearer"),
  "too near": t("Move back a little"),
  "two faces": t("Only one face, please"),
  "face is gone": t("Come back into the picture"),
  "somebody else": t("This is another face. Only the same one, please"),
};
// What to do for each view that is missing.
const VIEWS = {
  front: t("Look straight at the camera"),
  left: t("Turn your head a little to the left"),
  right: t("Turn your head a little to the right"),
  up: t("Lift your chin a little"),
  down: t("Lower your chin a little"),
  near: t("Come a little nearer"),
  far: t("Lean back a little"),
};

/** What a quick enrolment wants next. */
export function enrolling({ samples, needed, hint }) {
  const advice = hint === "same view" ? t("Turn your head a little") : (ADVICE[hint] ?? hint);
  return advice ? t("{samples} of {needed}. {advice}", { samples, needed, advice }) : t("{samples} of {needed} ## pictures", { samples, needed });
}

/** What a guided enrolment asks for: first what is wrong, else the view that is missing (ring.js, `wanted`). */
export function guiding({ samples, needed, hint }, view) {
  if (hint && hint !== "same view") return ADVICE[hint] ?? hint;
  if (view) return VIEWS[view];
  return samples < needed ? t("Turn your head a little") : t("That is enough");
}

/** How far a guided enrolment is. */
export function progress({ samples, needed, seconds_left: left }) {
  const taken = samples < needed ? t("{samples} of {needed} ## pictures", { samples, needed }) : tn(samples, "{count} picture", "{count} pictures");
  return joined([taken, Number.isFinite(left) && t("{seconds} s left", { seconds: Math.max(0, Math.ceil(left)) })]);
}

/** A probability in words that never claims to be certain; null for none. */
export function chance(value) {
  return Number.isFinite(value) ? percent(Math.min(0.99, Math.max(0.01, value))) : null;
}

/** Who a new name is for, and what that means. */
export const SCOPES = {
  everyone: { words: t("Everyone"), means: t("Known wherever this server looks.") },
  room: { words: t("This room"), means: t("Known in this room only.") },
  session: { words: t("Only this visit"), means: t("Forgotten when this visit ends.") },
};

/** The choices of whom a name is for: none where there is nothing to choose; the first is the default. */
export function scopes({ room, guest }) {
  if (guest) return ["session"];
  return room ? ["room", "everyone", "session"] : [];
}

/** What is special about this visit, or nothing. */
export function visiting({ room, guest, name }) {
  const where = room && name ? t("Camera “{name}” in room {room}", { name, room }) : room ? t("Room {room}", { room }) : name && t("Camera “{name}”", { name });
  return joined([where, guest && t("Guest: who you add is gone when you leave")]);
}

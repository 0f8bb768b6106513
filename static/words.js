// What is said of a face. No DOM.

/** The chip on a box: short, and different in words for every identity. */
export function label(face) {
  const percent = Number.isFinite(face.probability) ? ` ${Math.min(99, Math.round(face.probability * 100))} %` : "";
  switch (face.identity) {
    case "known":
      return `${shorten(face.name ?? "?")}${percent}`;
    case "uncertain":
      return face.name ? `Perhaps ${shorten(face.name)}?` : "Not sure";
    case "unknown":
      return "Unknown — who is this?";
    case "unreadable":
      return unreadable(face.quality);
    default:
      return "Looking…";
  }
}

/** The same where there is little room. */
export function brief(face) {
  switch (face.identity) {
    case "known":
      return shorten(face.name ?? "?", 12);
    case "uncertain":
      return face.name ? `${shorten(face.name, 12)}?` : "Not sure";
    case "unknown":
      return "Who?";
    case "unreadable":
      return unreadable(face.quality).replace(" to say", "");
    default:
      return "…";
  }
}

/** Why a face cannot be read. */
function unreadable(quality) {
  if (quality && quality.size > 0.25 && quality.pose < 0.15) return "Turned away";
  if (quality && quality.size > 0.25 && quality.sharpness < 0.25) return "Too blurred to say";
  return "Too far to say";
}

/** The same for a screen reader. */
export function spoken(face) {
  switch (face.identity) {
    case "known":
      return `${face.name}, known. Open`;
    case "uncertain":
      return `Perhaps ${face.name ?? "somebody known"}, not sure. Open`;
    case "unknown":
      return "Unknown face. Say who this is";
    case "unreadable":
      return "A face that cannot be told. Open";
    default:
      return "A new face, being looked at. Open";
  }
}

/** Who is in the picture, in a sentence. */
export function present(faces) {
  const known = faces.filter((face) => face.identity === "known").map((face) => face.name);
  const strangers = faces.filter((face) => face.identity === "unknown").length;
  const others = faces.length - known.length - strangers;
  const count = (number, one, more) => (number === 0 ? [] : [number === 1 ? one : `${number} ${more}`]);
  const parts = [
    ...known,
    ...count(strangers, "an unknown face", "unknown faces"),
    ...count(others, "a face that cannot be told", "faces that cannot be told"),
  ];
  if (parts.length === 0) return "Nobody is in the picture.";
  const list = parts.length === 1 ? parts[0] : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
  return `In the picture: ${list}.`;
}

/** A name that fits on a chip: whole characters, with an ellipsis. */
export function shorten(name, most = 24) {
  const characters = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name)].map((s) => s.segment);
  return characters.length <= most ? name : `${characters.slice(0, most - 1).join("").trimEnd()}…`;
}

// Why a picture of a face was not taken, as advice; the names are those of docs/protocol.md.
const ADVICE = {
  "too dark": "It is too dark. Find more light",
  "too bright": "It is too bright. Turn from the light",
  blurred: "Hold still",
  "turned away": "Look towards the camera",
  "too far": "Come nearer",
  "too near": "Move back a little",
  "two faces": "Only one face, please",
  "face is gone": "Come back into the picture",
  "somebody else": "This is another face. Only the same one, please",
};
// What to do for each view that is missing.
const VIEWS = {
  front: "Look straight at the camera",
  left: "Turn your head a little to the left",
  right: "Turn your head a little to the right",
  up: "Lift your chin a little",
  down: "Lower your chin a little",
  near: "Come a little nearer",
  far: "Lean back a little",
};

/** What a quick enrolment wants next. */
export function enrolling({ samples, needed, hint }) {
  const advice = hint === "same view" ? "Turn your head a little" : (ADVICE[hint] ?? hint);
  return advice ? `${samples} of ${needed}. ${advice}` : `${samples} of ${needed}`;
}

/** What a guided enrolment asks for: first what is wrong, else the view that is missing (ring.js, `wanted`). */
export function guiding({ samples, needed, hint }, view) {
  if (hint && hint !== "same view") return ADVICE[hint] ?? hint;
  if (view) return VIEWS[view];
  return samples < needed ? "Turn your head a little" : "That is enough";
}

/** How far a guided enrolment is. */
export function progress({ samples, needed, seconds_left: left }) {
  const taken = samples < needed ? `${samples} of ${needed}` : `${samples} pictures`;
  return `${taken}${Number.isFinite(left) ? ` · ${Math.max(0, Math.ceil(left))} s left` : ""}`;
}

/** A probability in words that never claims to be certain; null for none. */
export function chance(value) {
  return Number.isFinite(value) ? `${Math.min(99, Math.max(1, Math.round(value * 100)))} %` : null;
}

/** Who a new name is for, and what that means. */
export const SCOPES = {
  everyone: { words: "Everyone", means: "Known wherever this server looks." },
  room: { words: "This room", means: "Known in this room only." },
  session: { words: "Only this visit", means: "Forgotten when this visit ends." },
};

/** The choices of whom a name is for: none where there is nothing to choose; the first is the default. */
export function scopes({ room, guest }) {
  if (guest) return ["session"];
  return room ? ["room", "everyone", "session"] : [];
}

/** What is special about this visit, or nothing. */
export function visiting({ room, guest }) {
  const where = room ? `Room ${room}` : "";
  return [where, guest ? "Guest: who you add is gone when you leave" : ""].filter(Boolean).join(" · ");
}

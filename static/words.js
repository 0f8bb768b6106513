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

/** What an enrolment wants next. */
export function enrolling({ samples, needed, hint }) {
  const advice = {
    "too dark": "it is too dark",
    "too bright": "it is too bright",
    blurred: "hold still, the picture is blurred",
    "turned away": "look towards the camera",
    "too far": "come nearer",
    "same view": "turn your head a little",
    "face is gone": "the face has left the picture",
  };
  return `${samples} of ${needed}${hint ? ` — ${advice[hint] ?? hint}` : ""}`;
}

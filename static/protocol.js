// The messages of docs/protocol.md: read with suspicion, written with care. No DOM.

export const VERSION = 1;

/** Parse one message of a data channel; null for anything that is not one. */
export function parse(text) {
  if (typeof text !== "string") return null;
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (message === null || typeof message !== "object" || Array.isArray(message)) return null;
  if (message.v !== VERSION || typeof message.type !== "string") return null;
  return SHAPES[message.type]?.(message) === false ? null : message;
}

const isText = (value) => typeof value === "string";
const isCount = (value) => Number.isInteger(value) && value >= 0;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isSomebody = (value) => isObject(value) && isText(value.person) && isText(value.name);
const maybe = (value, is) => value === null || value === undefined || is(value);

// What a message must be for whoever reads it; other types are read by nobody.
const SHAPES = {
  result: isResult,
  enrolling: (message) =>
    Number.isInteger(message.track) &&
    isCount(message.samples) &&
    isCount(message.needed) &&
    maybe(message.hint, isText) &&
    maybe(message.coverage, isObject) &&
    maybe(message.pose, (pose) => isObject(pose) && ["yaw", "pitch", "size"].every((part) => maybe(pose[part], Number.isFinite))) &&
    maybe(message.seconds_left, Number.isFinite),
  challenge: (message) =>
    Number.isInteger(message.track) &&
    ["left", "right", "nearer", "rest", "done"].includes(message.step) &&
    isCount(message.number) &&
    isCount(message.of) &&
    Number.isFinite(message.seconds_left) &&
    maybe(message.hint, isText),
  enrolled: (message) => isText(message.name) && isText(message.person),
  error: (message) => isText(message.code) && isText(message.message) && (message.code !== "looks_like" || isSomebody(message)),
  why: (message) =>
    Number.isInteger(message.track) &&
    isText(message.identity) &&
    ["name", "person", "words"].every((part) => maybe(message[part], isText)) &&
    ["probability", "similarity", "threshold", "margin", "votes", "width", "embedded"].every((part) => maybe(message[part], Number.isFinite)) &&
    maybe(message.quality, isObject) &&
    maybe(message.runner_up, (other) => isSomebody(other) && Number.isFinite(other.similarity)) &&
    maybe(message.best_sample, (sample) => isObject(sample) && isText(sample.id) && maybe(sample.similarity, Number.isFinite)) &&
    maybe(message.rejected, isSomebody),
  noted: (message) => Number.isInteger(message.track) && isText(message.person) && maybe(message.change, isText),
  camera: (message) => Number.isFinite(message.focal) && Number.isFinite(message.spread) && isText(message.known),
  reading: isReading,
  hello: (message) => maybe(message.reading, isReading) && maybe(message.resume, isText),
  budget: (message) =>
    ["fps", "width", "height", "keyframe_interval"].every((part) => Number.isFinite(message[part]) && message[part] > 0) &&
    isText(message.reason) &&
    isCount(message.sessions),
  ack: (message) => isCount(message.frame),
};

function isReading(reading) {
  return isObject(reading) && ["distance", "gender", "age"].every((part) => typeof reading[part] === "boolean");
}

const isDistance = (value) => isObject(value) && ["m", "low", "high"].every((part) => Number.isFinite(value[part]));

function isResult(message) {
  return (
    Number.isInteger(message.seq) &&
    message.width > 0 &&
    message.height > 0 &&
    message.timing !== null &&
    typeof message.timing === "object" &&
    Array.isArray(message.faces) &&
    message.faces.every(isFace)
  );
}

function isFace(face) {
  return (
    face !== null &&
    typeof face === "object" &&
    Number.isInteger(face.track) &&
    Array.isArray(face.box) &&
    face.box.length === 4 &&
    face.box.every(Number.isFinite) &&
    typeof face.identity === "string" &&
    maybe(face.distance, isDistance) &&
    maybe(face.apparent, isObject)
  );
}

/** Lets results pass in rising order only: the channel neither orders nor repeats. */
export class Sequence {
  #newest = -1;

  /** Whether this result is newer than all before it. */
  accept(result) {
    if (result.seq <= this.#newest) return false;
    this.#newest = result.seq;
    return true;
  }
}

/** Builds commands, each with a number of its own. */
export class Commands {
  #next = 1;

  #build(type, fields) {
    const id = this.#next++;
    return { id, text: JSON.stringify({ v: VERSION, type, id, ...fields }) };
  }

  /** `how`: mode "quick" | "guided", scope "everyone" | "room" | "session", confirm "add" | "rename" | "new", challenge true; what is left out is the server's choice. */
  enrol(track, name, how = {}) {
    return this.#build("enrol", { track, name, ...how });
  }

  cancelEnrol(track) {
    return this.#build("cancel_enrol", { track });
  }

  /** The pictures there are will do. */
  finishEnrol(track) {
    return this.#build("finish_enrol", { track });
  }

  /** Why is this face called what it is called? */
  why(track) {
    return this.#build("why", { track });
  }

  /** What the camera is: `facts` are {from: "card" | "distance" | "kept" | "usual", …} of docs/protocol.md. */
  camera(facts) {
    return this.#build("camera", facts);
  }

  /** The session is over. */
  bye() {
    return this.#build("bye", {});
  }

  /** This face is not that person's. */
  notPerson(track, person) {
    return this.#build("not_person", { track, person });
  }
}

/** A trickled candidate, or the end of them, as an SDP fragment (RFC 8840). */
export function fragment(ufrag, password, candidate) {
  const head = `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${password}\r\n`;
  if (candidate === null) return `${head}a=end-of-candidates\r\n`;
  return `${head}m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:${candidate.sdpMid ?? "0"}\r\na=${candidate.candidate}\r\n`;
}

/** The ICE user name and password of a description. */
export function credentials(sdp) {
  const find = (name) => new RegExp(`^a=${name}:(.*)$`, "m").exec(sdp)?.[1].trim() ?? "";
  return { ufrag: find("ice-ufrag"), password: find("ice-pwd") };
}

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
  if (message.type === "result" && !isResult(message)) return null;
  return message;
}

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
    typeof face.identity === "string"
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

  enrol(track, name, confirm) {
    return this.#build("enrol", confirm ? { track, name, confirm } : { track, name });
  }

  cancelEnrol(track) {
    return this.#build("cancel_enrol", { track });
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

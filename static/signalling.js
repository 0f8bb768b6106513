// An offer, its answer, candidates as they come, and the end: the shape of WHIP and WHEP (docs/protocol.md, docs/rooms.md).

import { t } from "./language.js";
import { credentials, fragment } from "./protocol.js";
import { heard } from "./server_words.js";

const OFFER_TIMEOUT = 10000; // in a network that swallows everything a request would wait for minutes

/** The server refused or could not be reached; `retry` says whether trying again may help, `after` when (seconds); `advice` is what to do about it. */
export class SessionError extends Error {
  constructor(message, { retry = true, after = null, status = 0, advice = undefined } = {}) {
    super(message);
    Object.assign(this, { retry, after, status, advice });
  }

  /** Whether it is about who asks: another try as the same would be refused as well. */
  get forbidden() {
    return this.status === 401 || this.status === 403;
  }
}

/** One side of a connection: what is asked of the server at `path`, and at the place that it answers with. */
export class Signalling {
  id = null;
  #path;
  #location = null;
  #etag = null;
  #closed = false;

  constructor(path) {
    this.#path = path;
  }

  /** Whether the server has answered. */
  get answered() {
    return this.#location !== null;
  }

  /** Offer what `pc` has, take the answer, and pass candidates on as they come. Raises SessionError. */
  async connect(pc) {
    const early = [];
    pc.onicecandidate = (event) => early.push(event.candidate);
    await pc.setLocalDescription();
    const keys = credentials(pc.localDescription.sdp);
    const answer = await this.#offer(pc.localDescription.sdp);
    if (this.#closed) return;
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    const send = (candidate) => {
      if (candidate?.candidate === "") return; // the end of one generation; null says the end of all
      this.#trickle(fragment(keys.ufrag, keys.password, candidate));
    };
    early.forEach(send);
    pc.onicecandidate = (event) => send(event.candidate);
  }

  async #offer(sdp) {
    let response;
    try {
      response = await fetch(this.#path, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: sdp, signal: AbortSignal.timeout(OFFER_TIMEOUT) });
    } catch {
      throw new SessionError(t("The server does not answer."));
    }
    if (response.ok) {
      this.#location = response.headers.get("Location");
      this.#etag = response.headers.get("ETag");
      this.id = this.#location.split("/").at(-1);
      if (this.#closed) this.delete();
      return response.text();
    }
    const { status } = response;
    const problem = await response.json().catch(() => ({}));
    const detail = problem.detail ? heard(problem.detail) : t("The server refused ({status}).", { status });
    const after = Number(response.headers.get("Retry-After")) || null;
    throw new SessionError(detail, { retry: status === 503, after, status });
  }

  #trickle(body) {
    if (this.#closed || !this.#location) return;
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.#etag };
    // A lost candidate is no loss yet: the connection's own timeout tells.
    fetch(this.#location, { method: "PATCH", headers, body }).catch(() => {});
  }

  /** Nothing is said from now on. */
  close() {
    this.#closed = true;
  }

  /** Tell the server that it is over; also while the page goes away. */
  delete() {
    if (this.#location) fetch(this.#location, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

// One connection to the server: offer, candidates, channels, end (docs/protocol.md).

import { t } from "./language.js";
import { Commands, Sequence, credentials, fragment, parse } from "./protocol.js";
import { heard } from "./server_words.js";

const WHIP = "/api/v1/whip";
const CONNECT_TIMEOUT = 12000;
const OFFER_TIMEOUT = 10000; // in a network that swallows everything a request would wait for minutes
const PROBE_TIMEOUT = 1000;
const SILENT = 0.7; // seconds without a picture at the server that mean that none get through
const PATIENCE = 4000; // ms without a result, whatever the server says

/** What the page's own address says of this visit: its room (or null), and whether it is a guest's. The server judges what a room may be called. */
export function visitOf(search) {
  const asked = new URLSearchParams(search);
  return { room: asked.get("room") || null, guest: asked.get("guest") === "1" };
}

/** Where such a visit is asked for; `resume` is the secret of the session that broke. */
export function asking(path, { room, guest }, resume = null) {
  const asked = new URLSearchParams();
  if (room) asked.set("room", room);
  if (guest) asked.set("guest", "1");
  if (resume) asked.set("resume", resume);
  return asked.size ? `${path}?${asked}` : path;
}

/** The server refused or could not be reached; `retry` says whether trying again may help, `after` when (seconds). */
export class SessionError extends Error {
  constructor(message, { retry = true, after = null } = {}) {
    super(message);
    this.retry = retry;
    this.after = after;
  }
}

/**
 * A live session. Events: "result" {result, arrived}, "command" {message}, "connected", "lost" {reason}.
 */
export class Session extends EventTarget {
  id = null;
  #path;
  #pc;
  #location = null;
  #etag = null;
  #commands = new Commands();
  #commandChannel;
  #sender;
  #sequence = new Sequence();
  #ended = false;
  #probing = false;
  #timer = null;

  constructor(config, visit = { room: null, guest: false }, resume = null) {
    super();
    this.#path = asking(WHIP, visit, resume);
    this.#pc = new RTCPeerConnection({ iceServers: config.iceServers });
    this.maxBitrate = config.video.maxBitrate;
  }

  /** Connect and send this track. Raises SessionError. */
  async start(stream) {
    const pc = this.#pc;
    const transceiver = pc.addTransceiver(stream.getVideoTracks()[0], {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [{ maxBitrate: this.maxBitrate }],
    });
    this.#sender = transceiver.sender;
    const results = pc.createDataChannel("results", { ordered: false, maxRetransmits: 0 });
    results.onmessage = (event) => this.#result(event.data);
    this.#commandChannel = pc.createDataChannel("commands");
    this.#commandChannel.onmessage = (event) => this.#command(event.data);
    // A server that goes away closes its channels at once; the connection itself may take long to notice.
    this.#commandChannel.onclose = () => this.#lost("closed");
    pc.onconnectionstatechange = () => this.#state();
    const early = [];
    pc.onicecandidate = (event) => early.push(event.candidate);
    await pc.setLocalDescription();
    const keys = credentials(pc.localDescription.sdp);
    const answer = await this.#offer(pc.localDescription.sdp);
    if (this.#ended) return;
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    const send = (candidate) => {
      if (candidate?.candidate === "") return; // the end of one generation; null says the end of all
      this.#trickle(fragment(keys.ufrag, keys.password, candidate));
    };
    early.forEach(send);
    pc.onicecandidate = (event) => send(event.candidate);
    this.#timer = setTimeout(() => pc.connectionState !== "connected" && this.#lost("no connection"), CONNECT_TIMEOUT);
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
      if (this.#ended) this.#delete();
      return response.text();
    }
    const problem = await response.json().catch(() => ({}));
    const detail = problem.detail ? heard(problem.detail) : t("The server refused ({status}).", { status: response.status });
    const after = Number(response.headers.get("Retry-After")) || null;
    throw new SessionError(detail, { retry: response.status === 503, after });
  }

  #trickle(body) {
    if (this.#ended || !this.#location) return;
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.#etag };
    // A lost candidate is no loss yet: the connection's own timeout tells.
    fetch(this.#location, { method: "PATCH", headers, body }).catch(() => {});
  }

  #result(data) {
    const arrived = performance.now();
    const result = parse(data);
    if (result?.type !== "result" || !this.#sequence.accept(result)) return;
    this.#emit("result", { result, arrived });
  }

  #command(data) {
    const message = parse(data);
    if (message) this.#emit("command", message);
    if (message?.type === "bye") this.#lost(message.reason ?? "bye");
  }

  #state() {
    const state = this.#pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#emit("connected", null);
    } else if (state === "failed" || state === "closed") {
      this.#lost(state);
    }
  }

  #lost(reason) {
    if (this.#ended) return;
    this.#close(); // not deleted: whoever comes back finds the session as it was
    this.#emit("lost", { reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Send another camera's pictures from now on. */
  async replace(track) {
    await this.#sender?.replaceTrack(track);
  }

  /** Send a command of protocol.js by its name; returns its number, or null if the channel is not open. */
  command(kind, ...fields) {
    if (this.#commandChannel?.readyState !== "open") return null;
    const { id, text } = this.#commands[kind](...fields);
    this.#commandChannel.send(text);
    return id;
  }

  /** What the browser knows of the connection: {rtt, loss, fps, bitrate, width, height, codec, route}. */
  async facts() {
    const facts = { rtt: null, loss: null, fps: null, bytes: null, pictures: null, width: null, height: null, codec: null, route: null };
    if (this.#ended) return facts;
    const stats = await this.#pc.getStats();
    stats.forEach((report) => {
      if (report.type === "outbound-rtp" && report.kind === "video") {
        facts.fps = report.framesPerSecond ?? null;
        facts.bytes = report.bytesSent;
        facts.pictures = report.framesEncoded ?? null;
        facts.width = report.frameWidth ?? null;
        facts.height = report.frameHeight ?? null;
        facts.codec = stats.get(report.codecId)?.mimeType?.split("/")[1] ?? null;
      } else if (report.type === "remote-inbound-rtp") {
        facts.loss = report.fractionLost ?? null;
      } else if (report.type === "candidate-pair" && report.nominated) {
        facts.rtt = report.currentRoundTripTime === undefined ? null : report.currentRoundTripTime * 1000;
        facts.route = stats.get(report.localCandidateId)?.candidateType ?? null;
      }
    });
    return facts;
  }

  /**
   * Results have stopped though pictures are sent: give the connection up. The browser's own checks would take up to half a minute to notice that
   * the server was killed or that the way to it is gone.
   */
  async giveUp(age = Infinity) {
    if (this.#ended || !this.#location || this.#probing) return;
    this.#probing = true;
    const response = await fetch(`/api/v1/sessions/${this.id}`, { cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT) }).catch(() => null);
    const about = response?.ok ? await response.json().catch(() => ({})) : {};
    this.#probing = false;
    // A server that has our pictures and no time is waited for.
    if (about.silent < SILENT && age < PATIENCE) return;
    this.#lost(response === null ? "away" : response.status === 404 ? "gone" : "stalled");
  }

  #delete() {
    if (this.#location) fetch(this.#location, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  /** End it; may be called twice, and while the page goes away. */
  end() {
    if (this.#ended) return;
    this.#close();
    this.#delete();
  }

  #close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#pc.onconnectionstatechange = null;
    this.#commandChannel && (this.#commandChannel.onclose = null);
    this.#pc.close();
  }

  /** It broke, and nobody will come back to it. */
  forget() {
    this.#delete();
  }
}

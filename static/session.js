// One connection to the server: offer, candidates, channels, end (docs/protocol.md).

import { Commands, Sequence, parse } from "./protocol.js";
import { encoding } from "./share.js";
import { Signalling } from "./signalling.js";

export { SessionError } from "./signalling.js";

const WHIP = "/api/v1/whip";
export const CONNECT_TIMEOUT = 12000;
const PROBE_TIMEOUT = 1000;
const SILENT = 0.7; // seconds without a picture at the server that mean that none get through
const PATIENCE = 4000; // ms without a result, whatever the server says

/** What the page's own address says of this visit: its room and what its camera is called (or null), and whether it is a guest's. The server judges the names. */
export function visitOf(search) {
  const asked = new URLSearchParams(search);
  return { room: asked.get("room") || null, guest: asked.get("guest") === "1", name: asked.get("name") || null };
}

/** Where such a visit is asked for; `resume` is the secret of the session that broke. */
export function asking(path, { room, guest, name }, resume = null) {
  const asked = new URLSearchParams();
  if (room) asked.set("room", room);
  if (name) asked.set("name", name);
  if (guest) asked.set("guest", "1");
  if (resume) asked.set("resume", resume);
  return asked.size ? `${path}?${asked}` : path;
}

/**
 * A live session. Events: "result" {result, arrived}, "command" {message}, "connected", "lost" {reason}.
 */
export class Session extends EventTarget {
  #signalling;
  #pc;
  #commands = new Commands();
  #commandChannel;
  #sender;
  #budget = null;
  #limiting = Promise.resolve();
  #sequence = new Sequence();
  #ended = false;
  #through = false;
  #probing = false;
  #timer = null;

  constructor(config, visit = { room: null, guest: false }, resume = null) {
    super();
    this.#signalling = new Signalling(asking(WHIP, visit, resume));
    this.#pc = new RTCPeerConnection({ iceServers: config.iceServers });
    this.maxBitrate = config.video.maxBitrate;
  }

  /** Its number, once the server has answered. */
  get id() {
    return this.#signalling.id;
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
    await this.#signalling.connect(pc);
    if (this.#ended) return;
    this.#timer = setTimeout(() => pc.connectionState !== "connected" && this.#lost("no connection"), CONNECT_TIMEOUT);
  }

  #result(data) {
    const arrived = performance.now();
    this.#connected();
    const result = parse(data);
    if (result?.type !== "result" || !this.#sequence.accept(result)) return;
    this.#emit("result", { result, arrived });
  }

  #command(data) {
    this.#connected();
    const message = parse(data);
    if (message) this.#emit("command", message);
    if (message?.type === "bye") this.#lost(message.reason ?? "bye");
  }

  #state() {
    const state = this.#pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#timer);
      this.#connected();
    } else if (state === "failed" || state === "closed") {
      this.#lost(state);
    }
  }

  /** Say once that it is through: what comes over a channel may come before the browser says so. */
  #connected() {
    if (this.#through || this.#ended) return;
    this.#through = true;
    this.#emit("connected", null);
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
    await this.limit(this.#budget);
  }

  /** Send no more than this budget of the server's. */
  async limit(budget) {
    this.#budget = budget;
    // One change after the other: parameters read before another was through are refused.
    this.#limiting = this.#limiting.then(() => this.#limit());
    await this.#limiting;
  }

  async #limit() {
    const track = this.#sender?.track;
    if (!this.#budget || !track || this.#ended) return;
    const parameters = this.#sender.getParameters();
    if (!parameters.encodings?.length) return; // an old browser: the server leaves out what is too much
    Object.assign(parameters.encodings[0], encoding(this.#budget, track.getSettings(), this.maxBitrate));
    await this.#sender.setParameters(parameters).catch((error) => console.warn(error));
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
    if (this.#ended || !this.#signalling.answered || this.#probing) return;
    this.#probing = true;
    const response = await fetch(`/api/v1/sessions/${this.id}`, { cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT) }).catch(() => null);
    const about = response?.ok ? await response.json().catch(() => ({})) : {};
    this.#probing = false;
    // A server that has our pictures and no time is waited for.
    if (about.silent < SILENT && age < PATIENCE) return;
    this.#lost(response === null ? "away" : response.status === 404 ? "gone" : "stalled");
  }

  /** End it; may be called twice, and while the page goes away. */
  end() {
    if (this.#ended) return;
    this.#close();
    this.#signalling.delete();
  }

  #close() {
    this.#ended = true;
    this.#signalling.close();
    clearTimeout(this.#timer);
    this.#pc.onconnectionstatechange = null;
    this.#commandChannel && (this.#commandChannel.onclose = null);
    this.#pc.close();
  }

  /** It broke, and nobody will come back to it. */
  forget() {
    this.#signalling.delete();
  }
}

// The same session over a WebSocket, picture by picture, for networks that let no UDP through (docs/protocol.md, "Fallback").

import { t } from "./language.js";
import { Commands, Sequence, parse } from "./protocol.js";
import { SessionError, asking } from "./session.js";
import { spacing } from "./share.js";

const PATH = "/api/v1/fallback";
const OPEN_TIMEOUT = 10000;
export const WINDOW = 2; // pictures on their way that were not acknowledged: what cannot get through is not sent
const GAP = 60; // ms between two pictures at least
const IDLE = 500; // ms without a new frame, in a hidden page, after which the newest is sent again
// What is sent, by how slow the way is.
const STEPS = [
  { width: 640, quality: 0.7 },
  { width: 480, quality: 0.6 },
  { width: 320, quality: 0.55 },
];
const SLOW = 450; // ms from sending to acknowledgement, above which pictures get smaller …
const FAST = 150; // … and below which, for a while, larger again
const HEADER = 12;

/** How large pictures may be: a step down at once where the way is slow, up again after twenty quick ones. */
export class Ladder {
  #at = 0;
  #quick = 0;

  get step() {
    return STEPS[this.#at];
  }

  /** A picture was acknowledged after so many milliseconds. */
  took(ms) {
    this.#quick = ms < FAST ? this.#quick + 1 : 0;
    if (ms > SLOW && this.#at < STEPS.length - 1) this.#at += 1;
    else if (this.#quick >= 20 && this.#at > 0) {
      this.#at -= 1;
      this.#quick = 0;
    }
  }
}

/** The pictures on their way. */
export class Flight {
  #sent = new Map(); // number → when

  get full() {
    return this.#sent.size >= WINDOW;
  }

  add(number, now) {
    this.#sent.set(number, now);
  }

  /** This one, and with it every earlier one, is done with; returns how long it took in ms, or null for an unknown one. */
  done(number, now) {
    const took = this.#sent.has(number) ? now - this.#sent.get(number) : null;
    for (const older of this.#sent.keys()) if (older <= number) this.#sent.delete(older);
    return took;
  }
}

/** A picture as it goes over the wire: number, seconds since 1970, JPEG. */
export function packed(number, taken, jpeg) {
  const message = new Uint8Array(HEADER + jpeg.byteLength);
  const head = new DataView(message.buffer);
  head.setUint32(0, number);
  head.setFloat64(4, taken);
  message.set(new Uint8Array(jpeg), HEADER);
  return message.buffer;
}

/** Has the events and methods of Session (session.js). */
export class FallbackSession extends EventTarget {
  id = null;
  #socket = null;
  #url;
  #video = document.createElement("video");
  #canvas = document.createElement("canvas");
  #commands = new Commands();
  #sequence = new Sequence();
  #ladder = new Ladder();
  #flight = new Flight();
  #number = 0;
  #busy = false;
  #ended = false;
  #lastSent = -Infinity;
  #bytes = 0;
  #rtt = null;
  #sentAt = [];
  #timers = [];
  #budget = null;

  constructor(visit, resume = null) {
    super();
    this.#url = asking(PATH, visit, resume);
    Object.assign(this.#video, { muted: true, playsInline: true });
  }

  /** Connect and send this stream's pictures. Raises SessionError. */
  async start(stream) {
    const url = new URL(this.#url, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    await new Promise((done, failed) => {
      const timer = setTimeout(failed, OPEN_TIMEOUT);
      socket.onopen = () => (clearTimeout(timer), done());
      socket.onerror = socket.onclose = () => (clearTimeout(timer), failed());
    }).catch(() => {
      this.#close();
      throw new SessionError(t("The server does not answer."));
    });
    if (this.#ended) return;
    socket.onmessage = ({ data }) => this.#heard(data);
    socket.onclose = () => this.#lost("closed");
    socket.onerror = null;
    this.#emit("connected", null);
    await this.#show(stream);
    this.#follow();
    this.#timers.push(setInterval(() => performance.now() - this.#lastSent > IDLE && this.#send(performance.now()), IDLE));
  }

  async #show(stream) {
    this.#video.srcObject = stream;
    await this.#video.play().catch(() => {}); // a page that is hidden may not; it is tried again with the next frame
  }

  #follow() {
    const frame = (now, facts) => {
      if (this.#ended) return;
      this.#send(facts.captureTime ?? now);
      this.#video.requestVideoFrameCallback(frame);
    };
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(frame);
    else this.#timers.push(setInterval(() => this.#send(performance.now()), GAP));
  }

  async #send(captured) {
    const now = performance.now();
    const { videoWidth, videoHeight } = this.#video;
    if (this.#busy || this.#ended || this.#flight.full || now - this.#lastSent < Math.max(GAP, 0.9 * spacing(this.#budget)) || !videoWidth) return;
    if (this.#socket.bufferedAmount > 0 && this.#number > 0) return; // the last one is still going out
    this.#busy = true;
    this.#lastSent = now;
    try {
      const { width, quality } = this.#ladder.step;
      const most = Math.min(width, this.#budget ? Math.max(this.#budget.width, this.#budget.height) : width);
      const scale = Math.min(1, most / Math.max(videoWidth, videoHeight));
      this.#canvas.width = Math.round(videoWidth * scale);
      this.#canvas.height = Math.round(videoHeight * scale);
      this.#canvas.getContext("2d", { alpha: false }).drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
      const blob = await new Promise((done) => this.#canvas.toBlob(done, "image/jpeg", quality));
      if (!blob || this.#ended) return;
      const number = ++this.#number;
      const message = packed(number, (performance.timeOrigin + captured) / 1000, await blob.arrayBuffer());
      if (this.#ended) return;
      this.#flight.add(number, performance.now());
      this.#bytes += message.byteLength;
      this.#sentAt.push(performance.now());
      this.#socket.send(message);
    } finally {
      this.#busy = false;
    }
  }

  #heard(data) {
    const arrived = performance.now();
    const message = parse(data);
    if (message?.type === "ack") {
      const took = this.#flight.done(message.frame, arrived);
      if (took !== null) {
        this.#rtt = this.#rtt === null ? took : 0.8 * this.#rtt + 0.2 * took;
        this.#ladder.took(took);
      }
    } else if (message?.type === "result") {
      if (this.#sequence.accept(message)) this.#emit("result", { result: message, arrived });
    } else if (message) {
      if (message.type === "hello") this.id = message.session;
      this.#emit("command", message);
      if (message.type === "bye") this.#lost(message.reason ?? "bye");
    }
  }

  #lost(reason) {
    if (this.#ended) return;
    this.#close();
    this.#emit("lost", { reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Send another camera's pictures from now on. */
  async replace(track) {
    await this.#show(new MediaStream([track]));
  }

  /** Send no more than this budget of the server's. */
  async limit(budget) {
    this.#budget = budget;
  }

  /** Send a command of protocol.js by its name; returns its number, or null if the way is not open. */
  command(kind, ...fields) {
    if (this.#ended || this.#socket?.readyState !== WebSocket.OPEN) return null;
    const { id, text } = this.#commands[kind](...fields);
    this.#socket.send(text);
    return id;
  }

  /** As Session's; the round trip includes the recognition of a picture. */
  async facts() {
    const now = performance.now();
    this.#sentAt = this.#sentAt.filter((at) => now - at < 2000);
    const { width, height } = this.#canvas;
    return { rtt: this.#rtt, loss: null, fps: this.#sentAt.length / 2, bytes: this.#bytes, pictures: this.#number, width, height, codec: "JPEG", route: "websocket" };
  }

  /** Results have stopped though pictures are sent. */
  async giveUp() {
    this.#lost("stalled");
  }

  #close() {
    this.#ended = true;
    this.#timers.forEach(clearInterval);
    this.#video.srcObject = null;
    if (this.#socket) this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null;
    this.#socket?.close();
  }

  /** End it; may be called twice, and while the page goes away. */
  end() {
    if (this.#ended) return;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(this.#commands.bye().text);
    this.#close();
  }

  /** It broke, and nobody will come back to it. */
  forget() {
    if (this.id) fetch(`/api/v1/whip/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

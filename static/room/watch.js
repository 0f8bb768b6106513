// Watching one camera over one connection: its video, and what its session says (docs/rooms.md, "Watching").

import { parse, Sequence } from "../protocol.js";
import { CONNECT_TIMEOUT } from "../session.js";
import { Signalling } from "../signalling.js";

const BROKEN_FOR = 4000; // ms of a broken connection after which it is given up

/** Events: "stream" {stream}, "result" {result, arrived}, "message" message, "lost" {reason}. */
export class Watch extends EventTarget {
  #signalling;
  #pc;
  #sequence = new Sequence();
  #ended = false;
  #timer = null;

  constructor(iceServers, room, camera) {
    super();
    this.#signalling = new Signalling(`/api/v1/rooms/${encodeURIComponent(room)}/cameras/${encodeURIComponent(camera)}/whep`);
    this.#pc = new RTCPeerConnection({ iceServers });
  }

  /** Connect. Raises SessionError. */
  async start() {
    const pc = this.#pc;
    const { receiver } = pc.addTransceiver("video", { direction: "recvonly" });
    // Shown as soon as it is there: a wall is about now, and a picture that stutters once is better than one that is late.
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    pc.ontrack = ({ track, streams }) => this.#emit("stream", { stream: streams[0] ?? new MediaStream([track]) });
    const channel = pc.createDataChannel("results", { ordered: false, maxRetransmits: 0 });
    channel.onmessage = (event) => this.#heard(event.data);
    channel.onclose = () => this.#lost("closed");
    pc.onconnectionstatechange = () => this.#state();
    await this.#signalling.connect(pc);
    if (this.#ended) return;
    this.#timer = setTimeout(() => pc.connectionState !== "connected" && this.#lost("no connection"), CONNECT_TIMEOUT);
  }

  #heard(data) {
    const arrived = performance.now();
    const message = parse(data);
    if (message === null) return;
    if (message.type === "result") {
      if (this.#sequence.accept(message)) this.#emit("result", { result: message, arrived });
      return;
    }
    this.#emit("message", message);
    if (message.type === "bye") this.#lost(message.reason ?? "bye", true);
  }

  #state() {
    const state = this.#pc.connectionState;
    clearTimeout(this.#timer);
    if (state === "disconnected") this.#timer = setTimeout(() => this.#lost("broken"), BROKEN_FOR);
    else if (state === "connecting") this.#timer = setTimeout(() => this.#lost("no connection"), CONNECT_TIMEOUT);
    else if (state === "failed" || state === "closed") this.#lost(state);
  }

  #lost(reason, said = false) {
    if (this.#ended) return;
    this.#close();
    if (!said) this.#signalling.delete();
    this.#emit("lost", { reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** No longer; may be called twice, and while the page goes away. */
  end() {
    if (this.#ended) return;
    this.#close();
    this.#signalling.delete();
  }

  #close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#signalling.close();
    this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }
}

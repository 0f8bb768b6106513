// How the page gets through: over WebRTC; where that does not connect in time, picture by picture over a WebSocket, until it does.

import { FallbackSession } from "./fallback.js";
import { Session, SessionError } from "./session.js";

export const FALLBACK_AFTER = 1500; // ms that WebRTC has to itself
let blocked = false; // the last connection had to do without WebRTC: the next does not wait for it

/** Has the methods and events of Session (session.js), and "way" {fallback}: which of the two it is from now on. */
export class Connection extends EventTarget {
  #rtc = null;
  #fallback = null;
  #active = null;
  #make;
  #stream = null;
  #timer = null;
  #ended = false;

  /** `make` makes the two sessions: {rtc(resume), fallback(resume)}. */
  constructor(config, visit, resume = null, make = null) {
    super();
    this.#make = make ?? {
      rtc: (again) => new Session(config, visit, again),
      fallback: (again) => new FallbackSession(visit, again),
    };
    this.resume = resume;
  }

  get id() {
    return (this.#active ?? this.#rtc ?? this.#fallback)?.id ?? null;
  }

  /** Connect and send this stream's video. Raises SessionError. */
  async start(stream) {
    this.#stream = stream;
    if (blocked && (await this.#fall(this.resume))) {
      this.#real(null).catch(() => {}); // perhaps it works again
      return;
    }
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#fall(null), FALLBACK_AFTER);
    try {
      await this.#real(this.resume);
    } catch (error) {
      clearTimeout(this.#timer);
      if (this.#active === null) throw error;
    }
  }

  async #real(resume) {
    const rtc = this.#make.rtc(resume);
    this.#rtc = rtc;
    this.#pass(rtc);
    rtc.addEventListener("connected", () => {
      clearTimeout(this.#timer);
      blocked = false;
      const before = this.#fallback;
      this.#fallback = null;
      this.#use(rtc);
      before?.end();
    });
    rtc.addEventListener("lost", ({ detail }) => {
      if (this.#rtc !== rtc) return;
      this.#rtc = null;
      if (detail.reason === "no connection") blocked = true;
      if (this.#fallback === null) this.#lost(detail);
    });
    try {
      await rtc.start(this.#stream);
    } catch (error) {
      rtc.end();
      if (this.#rtc === rtc) this.#rtc = null;
      throw error;
    }
  }

  async #fall(resume) {
    const fallback = this.#make.fallback(resume);
    this.#fallback = fallback;
    this.#pass(fallback);
    fallback.addEventListener("connected", () => {
      if (this.#fallback !== fallback) return;
      blocked = true;
      this.#use(fallback);
    });
    fallback.addEventListener("lost", ({ detail }) => {
      if (this.#fallback !== fallback) return;
      this.#fallback = null;
      this.#lost(detail);
    });
    try {
      await fallback.start(this.#stream);
      return true;
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      if (this.#fallback === fallback) this.#fallback = null; // WebRTC may still come
      return false;
    }
  }

  #pass(session) {
    for (const type of ["result", "command"]) {
      session.addEventListener(type, ({ detail }) => this.#active === session && this.#emit(type, detail));
    }
  }

  #use(session) {
    if (this.#ended) return session.end();
    this.#active = session;
    this.#emit("way", { fallback: session === this.#fallback });
  }

  #lost(detail) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const session of [this.#rtc, this.#fallback]) if (session !== this.#active) session?.end();
    this.#emit("lost", detail);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async replace(track) {
    this.#stream = new MediaStream([track]);
    await Promise.all([this.#rtc?.replace(track), this.#fallback?.replace(track)]);
  }

  async limit(budget) {
    await Promise.all([this.#rtc?.limit(budget), this.#fallback?.limit(budget)]);
  }

  command(kind, ...fields) {
    return this.#active?.command(kind, ...fields) ?? null;
  }

  async facts() {
    const none = { rtt: null, loss: null, fps: null, bytes: null, pictures: null, width: null, height: null, codec: null, route: null };
    return (await this.#active?.facts()) ?? none;
  }

  async giveUp(age) {
    await this.#active?.giveUp(age);
  }

  /** End it; may be called twice, and while the page goes away. */
  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#rtc?.end();
    this.#fallback?.end();
  }

  /** It broke, and nobody will come back to it. */
  forget() {
    this.#active?.forget();
  }
}

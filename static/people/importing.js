// One import: the server's draft, the files on their way to it, and what it said of them.

import { withConsent } from "../consent.js";
import { call, get, post, remove, upload } from "./api.js";
import { tooLarge } from "./draft.js";
import { Parcel, Queue } from "./queue.js";

export class Importing {
  #entries = new Map(); // id → what the server said of a photo
  existing = []; // names the server knew before
  gone = false; // the server has no such draft any more
  startedAt = null;
  #draft = null; // promise of {id, limits}
  #id = null;
  #room = null;
  #files = new Map(); // the same id → the photo
  #changed;
  queue;

  /** `changed()` is called whenever something has moved. */
  constructor(changed) {
    this.#changed = changed;
    this.queue = this.#newQueue();
  }

  get entries() {
    return [...this.#entries.values()];
  }

  get begun() {
    return this.queue.parcels.length > 0 || this.#entries.size > 0;
  }

  /** Whether leaving would lose something. */
  get unsaved() {
    return this.queue.busy || this.entries.some((entry) => entry.verdict !== "duplicate");
  }

  /** Send photos, [{file, name, path}]; `room` counts for the first of an import. */
  add(photos, room) {
    if (!this.begun) {
      this.#room = room;
      this.startedAt = performance.now();
    }
    if (!this.queue.busy) this.queue.settled().then(() => this.#changed());
    this.queue.add(photos.map((photo) => new Parcel(photo)));
  }

  fileOf = (entry) => this.#files.get(entry.id) ?? null;

  /** Tell the server what somebody decided about a file. Throws a `Refusal`. */
  async decide(entry, what) {
    await post(`/imports/${this.#id}/files/${entry.id}`, what);
    if (what.drop) this.#entries.delete(entry.id);
    await this.compare();
  }

  /** Save everything that is good; resolves to {people, change}. Throws a `Refusal`: then nothing was saved. */
  async commit(consent) {
    const answer = await post(`/imports/${this.#id}/commit`, withConsent({}, consent));
    this.#forget();
    return answer;
  }

  /** Give it up; nothing of it stays on the server. */
  async discard() {
    const id = this.#id;
    this.queue.cancel();
    this.#forget();
    if (id) await remove(`/imports/${id}`).catch(() => null); // the server forgets drafts by itself
  }

  /** The page goes away: the draft too, without waiting. */
  abandon() {
    if (this.#id) call("DELETE", `/imports/${this.#id}`, undefined, { keepalive: true }).catch(() => null);
  }

  /** The same photos into a new draft. */
  again() {
    const photos = this.queue.parcels.map(({ file, name, path }) => ({ file, name, path }));
    const room = this.#room;
    this.queue.cancel();
    this.#forget();
    this.add(photos, room);
  }

  #newQueue() {
    return new Queue({ send: (parcel, signal) => this.#send(parcel, signal), changed: () => this.#changed() });
  }

  #forget() {
    this.#entries.clear();
    this.existing = [];
    this.gone = false;
    this.#draft = this.#id = this.startedAt = null;
    this.#files.clear();
    this.queue = this.#newQueue();
    this.#changed();
  }

  async #open() {
    this.#draft ??= post("/imports", this.#room ? { room: this.#room } : {});
    try {
      const draft = await this.#draft;
      this.#id = draft.id;
      return draft;
    } catch (error) {
      this.#draft = null;
      throw error;
    }
  }

  async #send(parcel, signal) {
    const draft = await this.#open();
    const refused = tooLarge(parcel, draft.limits);
    if (refused) {
      this.#entries.set(refused.id, refused);
      return;
    }
    const query = new URLSearchParams({ file: parcel.path.split("/").at(-1) });
    if (parcel.name) query.set("name", parcel.name);
    try {
      const options = { signal, progress: (bytes) => this.#progress(parcel, bytes) };
      const { files } = await upload(`/imports/${draft.id}/files?${query}`, parcel.file, options);
      if (signal.aborted) return;
      const zip = /\.zip$/i.test(parcel.path);
      for (const entry of files) {
        this.#entries.set(entry.id, entry);
        if (!zip) this.#files.set(entry.id, parcel.file);
      }
    } catch (error) {
      if (error.status === 404) this.gone = true;
      throw error;
    }
  }

  #progress(parcel, bytes) {
    parcel.sent = bytes;
    this.#changed();
  }

  /** Read the whole draft anew: what becomes of one photo hangs on the others, and on who is known already. */
  async compare() {
    if (!this.#id || this.gone) return;
    const { people } = await get(`/imports/${this.#id}`).catch(() => ({ people: [] }));
    this.existing = people.filter((person) => person.exists).map((person) => person.name);
    for (const entry of people.flatMap((person) => person.files)) this.#entries.set(entry.id, entry);
    this.#changed();
  }
}

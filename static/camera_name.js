// What this page's camera is called: as its address says, or as the host said since. No DOM.

const KEPT = "visavis.camera-name";

/** Remembers a name for each room while the tab lives, so that it is said again after the server, or the page, was started anew. */
export class CameraName {
  #storage;
  #room;
  #asked;

  /** `storage` keeps texts (`sessionStorage`), or is null; `visit` is {room, name} of the address. */
  constructor(storage, { room, name }) {
    this.#storage = storage;
    this.#room = room ?? "";
    this.#asked = name ?? null;
  }

  /** The name, or null. Another address than before is another wish. */
  get name() {
    const kept = this.#read()[this.#room];
    return kept && kept.asked === this.#asked && typeof kept.name === "string" ? kept.name : this.#asked;
  }

  /** The server calls it so. */
  keep(name) {
    if (!name) return;
    try {
      this.#storage?.setItem(KEPT, JSON.stringify({ ...this.#read(), [this.#room]: { asked: this.#asked, name } }));
    } catch {
      // nothing is kept in this browser: the address still says it
    }
  }

  #read() {
    try {
      return JSON.parse(this.#storage?.getItem(KEPT) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }
}

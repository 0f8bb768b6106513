// What was found out about each camera, kept in this browser. No DOM.

const KEPT = "visavis.cameras";
const MOST = 20;

/** What a camera is called: its number where the browser gives one, else its name, with the shape of its picture, which a phone changes as it turns. */
export function cameraKey({ deviceId, label, width, height }) {
  const shape = width > 0 && height > 0 ? (Math.max(width, height) / Math.min(width, height)).toFixed(2) : "?";
  return `${deviceId || label || "camera"} ${shape}`;
}

/** Whether this is something a camera can be: {focal, spread, known}, as the server finds it out (docs/protocol.md). */
export function isCamera(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    ["card", "distance"].includes(value.known) &&
    Number.isFinite(value.focal) && value.focal >= 0.2 && value.focal <= 10 &&
    Number.isFinite(value.spread) && value.spread > 0 && value.spread <= 1
  );
}

/** The cameras of this browser; `storage` is a Storage or null. */
export class KnownCameras {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  /** What is known of a camera, or null. */
  get(key) {
    const found = this.#read()[key];
    return isCamera(found) ? found : null;
  }

  keep(key, { focal, spread, known }) {
    const all = this.#read();
    delete all[key]; // the newest comes last
    const entries = [...Object.entries(all), [key, { focal, spread, known }]].slice(-MOST);
    this.#write(Object.fromEntries(entries));
  }

  forget(key) {
    const all = this.#read();
    delete all[key];
    this.#write(all);
  }

  #read() {
    try {
      const all = JSON.parse(this.#storage?.getItem(KEPT) ?? "{}");
      return all !== null && typeof all === "object" && !Array.isArray(all) ? all : {};
    } catch {
      return {}; // storage is switched off, or somebody else wrote there
    }
  }

  #write(all) {
    try {
      this.#storage?.setItem(KEPT, JSON.stringify(all));
    } catch {
      // switched off or full: it holds for this visit
    }
  }
}

/** How wide a camera sees along the longer side of its picture, in whole degrees. */
export function degrees(focal) {
  return Math.round((2 * Math.atan(0.5 / focal) * 180) / Math.PI);
}

// Keeps the screen on while the camera runs, where the browser lets a page do that.

/** The screen's wake lock. The browser takes it back when the page is hidden; it is asked for anew when the page returns. */
export class Awake {
  #wanted = false;
  #lock = null;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#wanted && this.on());
  }

  async on() {
    this.#wanted = true;
    if (!("wakeLock" in navigator) || document.hidden || this.#lock?.released === false) return;
    const lock = await navigator.wakeLock.request("screen").catch(() => null); // refused on low battery: the screen may go dark
    if (this.#wanted && this.#lock?.released !== false) this.#lock = lock;
    else lock?.release();
  }

  off() {
    this.#wanted = false;
    this.#lock?.release();
    this.#lock = null;
  }
}

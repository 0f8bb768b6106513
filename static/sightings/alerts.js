// Told as it happens: the page stays up to date, and says aloud what was asked for.

import { element } from "../dom.js";
import { t } from "../language.js";
import { paragraph } from "../people/parts.js";
import { signedOut } from "../signed_out.js";
import { toast } from "../toast.js";
import { clock } from "./day.js";

const KEY = "visavis-alerts";
const CHOICES = [
  ["", t("Nothing")],
  ["unknown", t("Only unknown faces")],
  ["all", t("Everybody who comes")],
];

/** Listens to the server. `seen()` is called after every event. */
export class Alerts {
  #seen;
  #source = null;
  #choice = localStorage.getItem(KEY) ?? "";
  #status = element("p", { className: "soft", role: "status" });

  constructor({ seen }) {
    this.#seen = seen;
    const options = CHOICES.map(([value, words]) => {
      const radio = element("input", { type: "radio", name: "alerts", value, checked: value === this.#choice });
      radio.addEventListener("change", () => this.#choose(value));
      return element("label", { className: "option" }, radio, element("span", { textContent: words }));
    });
    this.card = element("fieldset", { className: "card options" }, element("legend", { textContent: t("Tell me on this page") }), ...options, paragraph(t("While this page is open, here and as a notice of your system where you allow it."), "soft"), this.#status);
  }

  /** Begin to listen; the browser comes back by itself after a break. */
  start() {
    if (this.#source) return;
    const source = (this.#source = new EventSource("/api/v1/events"));
    for (const kind of ["named", "unknown", "left"]) source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
    source.onopen = () => (this.#status.textContent = "");
    source.onerror = () => {
      this.#status.textContent = t("The server is not heard. Trying again.");
      if (source.readyState === EventSource.CLOSED) signedOut(); // refused; a browser does not say why
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  #take(kind, { timestamp, data }) {
    this.#seen();
    if (kind === "left" || !this.#choice || (this.#choice === "unknown" && kind !== "unknown")) return;
    const words = comes(kind === "unknown" ? null : data.person.name, data.room, clock(timestamp));
    toast(words);
    if (document.hidden && "Notification" in window && Notification.permission === "granted") new Notification("Visavis", { body: words, tag: data.sighting });
  }

  #choose(value) {
    this.#choice = value;
    localStorage.setItem(KEY, value);
    if (value && "Notification" in window && Notification.permission === "default") Notification.requestPermission();
  }
}

function comes(name, room, time) {
  const values = { name, room, time };
  if (name === null) return room ? t("Somebody unknown came to room {room}, {time}", values) : t("Somebody unknown came, {time}", values);
  return room ? t("{name} came to room {room}, {time}", values) : t("{name} came, {time}", values);
}

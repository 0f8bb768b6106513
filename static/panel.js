// The panel: people, the camera and what is read of faces, the link for a phone, and how the connection does.

import { $, describe, element } from "./dom.js";
import { number, percent } from "./figures.js";
import { JoinPanel } from "./join_panel.js";
import { fromRight, t } from "./language.js";
import { PeopleList } from "./people_list.js";
import { EXPLAINED } from "./quality.js";

const PARTS = {
  network: t("to the server"),
  decode: t("decoding"),
  queue: t("waiting"),
  inference: t("recognition"),
  return: t("back ## from the server"),
  draw: t("drawing"),
};
const TABS = ["people", "view", "phone", "link"];
const ms = (value) => (value === null ? "–" : number(value, value < 10 ? 1 : 0));

/** The panel. `room` is the visit's, or null. `changed(names)` is called when the list of people was read, `opened()` when the panel was opened. */
export class Panel {
  #opened;
  #people;
  #join;
  #guest = false;
  #invited = false;
  #opener = null; // what had the focus before

  constructor({ room, changed, opened, say }) {
    this.#opened = opened;
    this.#people = new PeopleList({ changed });
    TABS.forEach((tab) => $(`tab-${tab}`).addEventListener("click", () => this.#select(tab)));
    document.querySelector("[role=tablist]").addEventListener("keydown", (event) => this.#arrows(event));
    $("panel-close").addEventListener("click", () => this.toggle(false));
    $("phone-wall-link").href = room ? `/room/${encodeURIComponent(room)}` : "/rooms";
    $("phone-wall-link").textContent = room ? t("The wall of room {room}", { room }) : t("All rooms");
    this.#join = new JoinPanel(say);
  }

  get open() {
    return !$("panel").hidden;
  }

  /** Show or hide, at a tab if one is named. */
  toggle(open = !this.open, tab = null) {
    $("panel").hidden = !open;
    for (const button of [$("more"), $("quality")]) button.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.#join.hide();
      (this.#opener?.isConnected ? this.#opener : $("more")).focus({ preventScroll: true });
      return;
    }
    this.#opener = document.activeElement === document.body ? null : document.activeElement;
    if (tab) this.#select(tab);
    document.querySelector("[role=tab][aria-selected=true]").focus({ preventScroll: true });
    this.people();
    if (!this.#invited) this.#join.show(); // a link lets in its own device alone
    this.#opened();
  }

  /** A guest's device: who is known here is the host's business. */
  guest() {
    this.#guest = true;
    $("people-here").hidden = true;
    $("people-guest").hidden = false;
    $("phone-wall").hidden = true;
  }

  /** A device that came by a link to a room: what belongs to no room is closed to it. */
  invited() {
    this.#invited = true;
    $("people-here").hidden = $("phone-off").hidden = true;
  }

  /** Read the list of people anew. */
  people() {
    return this.#guest || this.#invited ? null : this.#people.read();
  }

  /** Show what the connection does. */
  connection(word, facts, latency, sharing) {
    $("quality-words").textContent = EXPLAINED[word] ?? "";
    $("share-words").textContent = sharing;
    describe($("facts"), [
      [t("Round trip"), facts.rtt === null ? null : t("{number} ms", { number: ms(facts.rtt) })],
      [t("Lost ## of all packets, a share"), facts.loss === null ? null : percent(facts.loss, 1)],
      [t("Frames sent"), facts.fps === null ? null : t("{number} a second", { number: Math.round(facts.fps) })],
      [t("Answers"), facts.rate === null ? null : t("{number} a second", { number: Math.round(facts.rate) })],
      [t("Sending"), facts.bitrate === null ? null : t("{number} Mbit/s", { number: number(facts.bitrate / 1e6, 2) })],
      [t("Picture"), facts.width ? `${facts.width} × ${facts.height}` : null],
      [t("Codec"), facts.codec],
      [t("Route ## of the connection"), { host: t("direct"), srflx: t("direct, through a router"), prflx: t("direct"), relay: t("relayed"), websocket: t("pictures over a WebSocket") }[facts.route]],
    ]);
    const row = (name, { p50, p95 }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", textContent: name }),
        element("td", { textContent: ms(p50) }),
        element("td", { textContent: ms(p95) }),
      );
    const rows = Object.entries(PARTS).map(([part, name]) => row(name, latency.parts[part]));
    const whole = latency.p50 === null ? t("measuring…") : t("in all");
    $("latency").tBodies[0].replaceChildren(row(whole, latency), ...rows);
  }

  #select(chosen) {
    for (const tab of TABS) {
      const selected = tab === chosen;
      $(`tab-${tab}`).setAttribute("aria-selected", String(selected));
      $(`tab-${tab}`).tabIndex = selected ? 0 : -1;
      $(tab).hidden = !selected;
    }
  }

  #arrows(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (fromRight ? -1 : 1);
    if (!step) return;
    const at = TABS.findIndex((tab) => $(`tab-${tab}`) === document.activeElement);
    const next = TABS[(at + step + TABS.length) % TABS.length];
    this.#select(next);
    $(`tab-${next}`).focus();
  }
}

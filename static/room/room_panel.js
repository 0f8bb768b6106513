// The panel beside the wall: who is here, and for the host whom was invited and the room itself.

import { $, element } from "../dom.js";
import { fromRight, joined, t, tn } from "../language.js";
import { initials } from "../people/words.js";
import { entries, Strangers, untold, untoldWords } from "./present.js";

const TABS = ["here", "invited", "room"];
const wide = matchMedia("(min-width: 761px)");

export class RoomPanel {
  #opened;
  strangers = new Strangers();
  #rows = new Map(); // key → {element, words}
  #opener = null;
  #tab = "here";
  #host = false;

  /** `opened(tab)` is called when one of the host's tabs comes into sight. */
  constructor({ opened }) {
    this.#opened = opened;
    for (const tab of TABS) $(`tab-${tab}`).addEventListener("click", () => this.select(tab));
    $("tabs").addEventListener("keydown", (event) => this.#arrows(event));
    $("panel-close").addEventListener("click", () => this.toggle(false));
    $("here-button").addEventListener("click", () => this.toggle());
  }

  get open() {
    return !$("panel").hidden;
  }

  /** The room is shown from now on: beside the wall where there is room for both. */
  begin(host) {
    this.#host = host;
    $("tabs").hidden = !host;
    $("here-title").hidden = host;
    for (const tab of TABS) if (host) $(tab).setAttribute("role", "tabpanel");
    $("here").setAttribute("aria-labelledby", host ? "tab-here" : "here-title");
    $("here-button").hidden = false;
    if (wide.matches) this.#show(true);
  }

  /** There is nothing to show any more. */
  end() {
    this.#show(false);
    $("here-button").hidden = true;
  }

  #show(open) {
    $("panel").hidden = !open;
    $("here-button").setAttribute("aria-expanded", String(open));
    if (open) this.#opened(this.#tab);
  }

  /** Show or hide it, at a tab if one is named. */
  toggle(open = !this.open, tab = null) {
    if ($("here-button").hidden) return;
    if (tab && this.#host) this.select(tab);
    this.#show(open);
    if (open) {
      this.#opener = document.activeElement === document.body ? null : document.activeElement;
      (this.#host ? $(`tab-${this.#tab}`) : $("panel-close")).focus({ preventScroll: true });
    } else {
      (this.#opener?.isConnected ? this.#opener : $("here-button")).focus({ preventScroll: true });
    }
  }

  /** Go to a tab. */
  select(chosen) {
    this.#tab = chosen;
    for (const tab of TABS) {
      const selected = tab === chosen;
      $(`tab-${tab}`).setAttribute("aria-selected", String(selected));
      $(`tab-${tab}`).tabIndex = selected ? 0 : -1;
      $(tab).hidden = !selected;
    }
    if (this.open) this.#opened(chosen);
  }

  #arrows(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (fromRight ? -1 : 1);
    if (!step) return;
    event.preventDefault();
    const next = TABS.at((TABS.indexOf(this.#tab) + step) % TABS.length);
    this.select(next);
    $(`tab-${next}`).focus();
  }

  /** Who is here now; returns the entries. */
  update(state) {
    const shown = entries(state, this.strangers);
    const others = untold(state);
    $("here-button").textContent = tn(shown.length, "{count} here ## people", "{count} here ## people");
    $("here-button").dataset.word = shown.length ? "Excellent" : "";
    $("here-none").textContent = joined([shown.length ? "" : t("Nobody is here."), untoldWords(others) && t("Also {faces}.", { faces: untoldWords(others) })], " ");
    this.#write(shown);
    return shown;
  }

  /** Rows are kept while their person is: nothing blinks. */
  #write(shown) {
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    shown.forEach((entry, at) => {
      let row = this.#rows.get(entry.key);
      if (!row) {
        row = element("li", {}, element("span", { className: "mark", ariaHidden: "true" }), element("div", {}, element("span", { className: "name" }), element("small")), element("span", { className: "sure" }));
        this.#rows.set(entry.key, row);
      }
      const [mark, { children: [name, about] }, sure] = row.children;
      write(mark, entry.kind === "unknown" ? "?" : initials(entry.name ?? "?"));
      write(name, entry.words);
      write(about, entry.about);
      write(sure, entry.sure ?? "");
      row.dataset.is = entry.kind;
      const place = $("here-list").children[at];
      if (place !== row) $("here-list").insertBefore(row, place ?? null);
    });
  }
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

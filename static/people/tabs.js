// Tabs that live in the address: #people, #people/ID, #add, #strangers, #threshold.

import { $ } from "../dom.js";
import { fromRight } from "../language.js";

export const TABS = ["people", "add", "strangers", "threshold"];

/** The tab a fragment means, and what comes after it. */
export function route(hash) {
  const [tab, ...rest] = hash.replace(/^#/, "").split("/");
  return TABS.includes(tab) ? { tab, rest: rest.join("/") } : { tab: "people", rest: "" };
}

/** The tab a key leads to, or `null`. */
export function neighbour(tab, key) {
  const at = TABS.indexOf(tab);
  const ahead = fromRight ? -1 : 1;
  const to = { ArrowRight: at + ahead, ArrowLeft: at - ahead, Home: 0, End: -1 }[key];
  return to === undefined ? null : TABS.at(to % TABS.length);
}

/** Follow the address; `show(tab, rest)` is called whenever it changes. */
export function followAddress(show) {
  const follow = () => {
    const { tab, rest } = route(location.hash);
    for (const name of TABS) {
      const chosen = name === tab;
      const handle = $(`tab-${name}`);
      handle.setAttribute("aria-selected", String(chosen));
      handle.tabIndex = chosen ? 0 : -1;
      $(`panel-${name}`).hidden = !chosen;
      if (chosen && handle.parentElement.scrollWidth > handle.parentElement.clientWidth) handle.scrollIntoView({ block: "nearest", inline: "nearest" }); // in sight where not all fit
    }
    show(tab, rest);
  };
  for (const name of TABS) {
    $(`tab-${name}`).addEventListener("click", () => go(name));
    $(`tab-${name}`).addEventListener("keydown", (event) => {
      const next = neighbour(name, event.key);
      if (!next) return;
      event.preventDefault();
      go(next);
      $(`tab-${next}`).focus();
    });
  }
  addEventListener("hashchange", follow);
  follow();
}

/** Go to a tab, or to a place within one. */
export function go(place) {
  location.hash = `#${place}`;
}

// What runs here: version, models, since when.

import { element, describe } from "../dom.js";
import { moment, number } from "../figures.js";
import { joined, t } from "../language.js";
import { running } from "./words.js";

/** Its node, and what shows a status in it. */
export function about() {
  const list = element("dl", { className: "facts" });
  const node = element("section", { className: "stack" }, element("h2", { textContent: t("What runs here") }), element("div", { className: "card" }, list));

  function show({ version, pack, since, seconds, people }) {
    describe(list, [
      [t("Version"), version],
      [t("Models"), joined([pack.name, pack.licence])],
      [t("Running for"), running(seconds)],
      [t("Since"), moment(since, { dateStyle: "medium", timeStyle: "short" })],
      [t("People known"), number(people)],
    ]);
  }
  return { node, show };
}

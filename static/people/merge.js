// Two people that are one: look first, then merge.

import { element } from "../dom.js";
import { number } from "../figures.js";
import { t, tn } from "../language.js";
import { heard } from "../server_words.js";
import { get, post } from "./api.js";
import { sheet } from "./dialogs.js";
import { avatar, button, cropOf, failure, paragraph } from "./parts.js";
import { pickPerson } from "./pick.js";

/** Merge `person` into somebody, after a look. */
export async function mergeInto(person, page) {
  const people = await page.people().catch(() => []);
  const others = people.filter((other) => other.id !== person.id);
  const target = await pickPerson(t("Merge {name} into ## somebody who is chosen below", person), others, t("Compare"));
  if (target) await compare(people.find((other) => other.id === person.id) ?? person, target, page);
}

/** Show what merging `from` into `into` would do; do it if it is wanted. Both are rows of the list of people. */
export async function compare(from, into, page) {
  const { body, close, closed } = sheet(t("Merge {from} into {into}?", { from: from.name, into: into.name }));
  const look = async () => {
    body.replaceChildren(paragraph(t("Comparing …"), "soft"));
    try {
      const preview = await get(`/people/${from.id}/merge?into=${encodeURIComponent(into.id)}`);
      body.replaceChildren(...shown(from, into, preview, close));
    } catch (error) {
      body.replaceChildren(failure(error, look), element("div", { className: "row end" }, button(t("Close"), () => close())));
    }
  };
  await look();
  if ((await closed) !== true) return;
  try {
    const { change } = await post(`/people/${from.id}/merge`, { into: into.id });
    page.go(`people/${into.id}`);
    page.changed(t("{from} is merged into {into}.", { from: from.name, into: into.name }), [change]);
  } catch (error) {
    page.say(error.message);
  }
}

function shown(from, into, preview, close) {
  const pair = element(
    "div",
    { className: "pair" },
    ...[from, into].map((one) =>
      element("figure", {}, avatar({ name: one.name, crop: one.cover && cropOf(one.cover) }), element("figcaption", { textContent: one.name })),
    ),
  );
  const different = preview.verdict === "different";
  const similarity = preview.similarity === null ? "" : `${t("Similarity {number}.", { number: number(preview.similarity, 2) })} `;
  const values = { from: from.name, into: into.name };
  const after = tn(preview.samples, "{into} will have {count} picture; {from} will be gone. You can undo it for a while.", "{into} will have {count} pictures; {from} will be gone. You can undo it for a while.", values);
  return [
    pair,
    element("p", { className: different ? "warning" : "" }, element("strong", { textContent: heard(preview.words) })),
    paragraph(`${similarity}${after}`, "soft"),
    element(
      "div",
      { className: "row end" },
      button(t("Cancel"), () => close()),
      button(different ? t("Merge all the same") : t("Merge"), () => close(true), different ? "primary danger" : "primary"),
    ),
  ];
}

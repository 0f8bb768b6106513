// Two people that are one: look first, then merge.

import { element } from "../dom.js";
import { get, post } from "./api.js";
import { sheet } from "./dialogs.js";
import { avatar, button, cropOf, failure, paragraph } from "./parts.js";
import { pickPerson } from "./pick.js";
import { count } from "./words.js";

/** Merge `person` into somebody, after a look. */
export async function mergeInto(person, page) {
  const people = await page.people().catch(() => []);
  const others = people.filter((other) => other.id !== person.id);
  const target = await pickPerson(`Merge ${person.name} into`, others, "Compare");
  if (target) await compare(people.find((other) => other.id === person.id) ?? person, target, page);
}

/** Show what merging `from` into `into` would do; do it if it is wanted. Both are rows of the list of people. */
export async function compare(from, into, page) {
  const { body, close, closed } = sheet(`Merge ${from.name} into ${into.name}?`);
  const look = async () => {
    body.replaceChildren(paragraph("Comparing …", "soft"));
    try {
      const preview = await get(`/people/${from.id}/merge?into=${encodeURIComponent(into.id)}`);
      body.replaceChildren(...shown(from, into, preview, close));
    } catch (error) {
      body.replaceChildren(failure(error, look), element("div", { className: "row end" }, button("Close", () => close())));
    }
  };
  await look();
  if ((await closed) !== true) return;
  try {
    const { change } = await post(`/people/${from.id}/merge`, { into: into.id });
    page.go(`people/${into.id}`);
    page.changed(`${from.name} is merged into ${into.name}.`, [change]);
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
  const similarity = preview.similarity === null ? "" : `Similarity ${preview.similarity.toFixed(2)}. `;
  return [
    pair,
    element("p", { className: different ? "warning" : "" }, element("strong", { textContent: preview.words })),
    paragraph(`${similarity}${into.name} will have ${count(preview.samples, "picture")}; ${from.name} will be gone. You can undo it for a while.`, "soft"),
    element(
      "div",
      { className: "row end" },
      button("Cancel", () => close()),
      button(different ? "Merge all the same" : "Merge", () => close(true), different ? "primary danger" : "primary"),
    ),
  ];
}

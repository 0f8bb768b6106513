// The page about the interface: keys, and everything that can be asked.

import { element } from "../dom.js";
import { get } from "../people/api.js";
import { failure, field } from "../people/parts.js";
import { byTag, matches } from "./document.js";
import { showKeys } from "./keys.js";
import { show } from "./operation.js";

const body = document.querySelector("#operations-body");

async function begin() {
  try {
    const spec = await get("/openapi.json");
    list(spec);
  } catch (error) {
    body.replaceChildren(failure(error, begin));
  }
}

function list(spec) {
  const search = element("input", { type: "search", autocomplete: "off", spellcheck: false });
  const found = element("p", { className: "soft", role: "status" });
  const groups = byTag(spec).map(({ tag, operations }) => {
    const shown = operations.map((operation) => ({ operation, part: show(operation, spec) }));
    const section = element("section", { className: "group", id: `tag-${tag}` }, element("h3", { textContent: tag[0].toUpperCase() + tag.slice(1) }), ...shown.map(({ part }) => part));
    return { section, shown };
  });
  const filter = () => {
    let count = 0;
    for (const { section, shown } of groups) {
      let here = 0;
      for (const { operation, part } of shown) {
        part.hidden = !matches(operation, search.value.trim());
        here += part.hidden ? 0 : 1;
      }
      section.hidden = here === 0;
      count += here;
    }
    found.textContent = count === 1 ? "1 operation" : `${count} operations`;
  };
  search.addEventListener("input", filter);
  filter();
  const link = element("a", { href: "/api/v1/openapi.json", textContent: "openapi.json" });
  const about = element("p", { className: "soft" }, "Everything these pages do, other programs can do as well. The same for programs: ", link, ` (OpenAPI ${spec.openapi.split(".").slice(0, 2).join(".")}).`);
  body.replaceChildren(about, field("Search", search), found, ...groups.map(({ section }) => section));
}

showKeys(document.querySelector("#keys-body"));
begin();

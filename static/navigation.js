// The way between the pages. A page says `<nav data-pages>` where it belongs; one list names them all.

import "./language_chooser.js";
import { t } from "./language.js";

const PAGES = [
  ["/", t("Live ## the page with the camera")],
  ["/rooms", t("Rooms")],
  ["/people", t("People")],
  ["/photos", t("Photos")],
  ["/videos", t("Videos")],
  ["/groups", t("Groups")],
  ["/sightings", t("Sightings")],
  ["/data", t("Data ## the page that shows what is held")],
  ["/evaluate", t("Measure ## the page that measures how well recognition works")],
  ["/api", "API"],
];

for (const nav of document.querySelectorAll("nav[data-pages]")) {
  nav.setAttribute("aria-label", t("Pages"));
  for (const [href, name] of PAGES) {
    const link = document.createElement("a");
    link.href = href;
    link.textContent = name;
    if (location.pathname === href) link.setAttribute("aria-current", "page");
    nav.append(link);
  }
  const here = nav.querySelector("[aria-current]");
  here?.scrollIntoView({ block: "nearest", inline: "center" }); // in sight where not all fit
}

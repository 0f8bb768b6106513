// The way between the pages. A page says `<nav data-pages>` where it belongs; one list names them all.

const PAGES = [
  ["/", "Live"],
  ["/people", "People"],
  ["/photos", "Photos"],
  ["/videos", "Videos"],
  ["/groups", "Groups"],
  ["/sightings", "Sightings"],
  ["/evaluate", "Measure"],
  ["/api", "API"],
];

for (const nav of document.querySelectorAll("nav[data-pages]")) {
  nav.setAttribute("aria-label", "Pages");
  for (const [href, name] of PAGES) {
    const link = document.createElement("a");
    link.href = href;
    link.textContent = name;
    if (location.pathname === href) link.setAttribute("aria-current", "page");
    nav.append(link);
  }
  const here = nav.querySelector("[aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft - nav.clientWidth / 2; // in sight where not all fit
}

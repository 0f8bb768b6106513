// The way between the pages, and out. A page says `<nav data-pages>` where it belongs; one list names them all.

import "./language_chooser.js";
import { element } from "./dom.js";
import { t } from "./language.js";
import { post } from "./people/api.js";
import { initials } from "./people/words.js";
import { kindOf, visitor } from "./visitor.js";

const [OWNER, HOST, VIEWER] = ["owner", "host", "viewer"];
const PAGES = [
  ["/", t("Live ## the page with the camera"), OWNER, HOST],
  ["/rooms", t("Rooms"), OWNER, HOST, VIEWER],
  ["/people", t("People"), OWNER, HOST, VIEWER],
  ["/photos", t("Photos"), OWNER, HOST],
  ["/videos", t("Videos"), OWNER, HOST],
  ["/groups", t("Groups"), OWNER, HOST],
  ["/sightings", t("Sightings"), OWNER, HOST, VIEWER],
  ["/status", t("Status ## the page that says how the server does"), OWNER, HOST],
  ["/data", t("Data ## the page that shows what is held"), OWNER],
  ["/evaluate", t("Measure ## the page that measures how well recognition works"), OWNER],
  ["/api", "API", OWNER, HOST],
  ["/access", t("Access ## the page about who may come in"), OWNER, HOST, VIEWER],
];

const state = await visitor();
const kind = kindOf(state);
// Where the server did not say who this is, no page is kept from anybody: it judges for itself.
const named = kind === "account" || kind === "local";
const open = PAGES.filter(([href, , ...roles]) => (named ? roles.includes(state.role) : href !== "/access"));

for (const nav of document.querySelectorAll("nav[data-pages]")) {
  nav.setAttribute("aria-label", t("Pages"));
  if (kind === "link") continue; // a link leads to one page
  const links = open.map(([href, name]) => element("a", { href, textContent: name }));
  for (const link of links) if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
  nav.append(element("div", {}, ...links));
  if (kind === "account") nav.append(account());
  const here = nav.querySelector("[aria-current]");
  here?.scrollIntoView({ block: "nearest", inline: "center" }); // in sight where not all fit
}

/** Who is signed in here; pressed, it asks whether to sign out. */
function account() {
  const made = element("button", { type: "button", className: "account", title: state.name, ariaLabel: t("Signed in as {name}", state) }, element("span", { className: "letter", ariaHidden: "true", textContent: initials(state.name) }));
  made.setAttribute("aria-haspopup", "dialog");
  made.addEventListener("click", leaving);
  return made;
}

function leaving() {
  const title = element("h2", { id: "account-title", textContent: t("Signed in as {name}", state) });
  const said = element("p", { className: "refused", role: "alert" });
  const stay = element("button", { type: "button", className: "secondary", textContent: t("Cancel") });
  const out = element("button", { type: "button", className: "primary", textContent: t("Sign out") });
  const access = element("p", {}, element("a", { href: "/access", textContent: t("Passkeys, password and devices") }));
  const dialog = element("dialog", { className: "leaving" }, title, access, said, element("div", { className: "row end" }, stay, out));
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  stay.addEventListener("click", () => dialog.close());
  out.addEventListener("click", async () => {
    out.disabled = true;
    try {
      await post("/access/sign-out");
      location.assign("/sign-in");
    } catch (error) {
      if (error.status === 401) return location.assign("/sign-in"); // it was over already
      said.textContent = error.message;
      out.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}

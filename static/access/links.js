// The links that let devices in without an account: the standing one, those that were made, and one more.

import { ask, element } from "../dom.js";
import { joined, t, woven } from "../language.js";
import { DEVICES, devicesWords, usedWords, VALID } from "../link_words.js";
import { get, post, remove } from "../people/api.js";
import { sheet } from "../people/dialogs.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { until, when } from "../people/words.js";
import { shownLink } from "../shown_link.js";
import { showGuestLink } from "./link_sheet.js";
import { refill, row, rowButton, rows } from "./rows.js";

const ROLES = { camera: t("A guest's camera"), viewer: t("A viewer"), host: t("Another host") };
const HOURS = 12 * 60; // minutes: what is chosen at first

/** The section. */
export class Links {
  #list = element("div", { className: "stack" });
  #standing = element("div", { className: "card stack" });
  element = element("section", { className: "stack", ariaLabel: t("Links that let devices in") }, element("h2", { textContent: t("Links that let devices in") }), paragraph(t("A guest's camera: recognised people are named to it, whom it names is known to it alone and gone with it. It sees nothing else."), "soft"), this.#standing, this.#list);

  show() {
    return Promise.all([this.#readStanding(), this.#read()]);
  }

  async #readStanding() {
    const head = element("h3", { textContent: t("The standing link") });
    try {
      const link = await get("/join");
      if (!link.url) return refill(this.#standing, head, element("p", { className: "soft" }, ...woven("This server is not open to other devices. Start it without {1}.", { 1: element("code", { translate: false }, "--no-lan") })));
      const facts = joined([ROLES.camera, link.expires && t("works until {time}", { time: until(link.expires) })]);
      const trust = element("a", { href: link.trust_url, target: "_blank", rel: "noopener", textContent: t("how that is done") });
      const code = element("details", { className: "visits" }, element("summary", { textContent: t("Show its code") }), element("div", { className: "stack" }, ...shownLink(link, t("Whoever has it can use it.")), element("p", { className: "soft" }, ...woven("The first time, the device has to trust this server: {how}.", { how: trust }))));
      refill(this.#standing, head, paragraph(t("The code that stands in the terminal and on the live page, for whoever is here.")), paragraph(facts, "soft"), code);
    } catch (error) {
      refill(this.#standing, head, failure(error, () => this.#readStanding()));
    }
  }

  async #read() {
    try {
      const { links } = await get("/access/links");
      const make = rowButton(t("A link for a guest's camera…"), t("A link for a guest's camera…"), "make", () => this.#make(), "primary");
      const list = links.length ? element("div", { className: "card" }, rows(links.map((one) => this.#row(one)))) : paragraph(t("No link is out."), "soft");
      refill(this.#list, element("h3", { textContent: t("Links that are out") }), list, element("div", {}, make));
    } catch (error) {
      refill(this.#list, failure(error, () => this.#read()));
    }
  }

  #row({ id, role, room, label, created, expires, devices, used }) {
    const what = ROLES[role] ?? role;
    const name = label || what;
    const facts = joined([label && what, room && t("room {room}", { room }), t("made {time}", { time: when(created) }), t("until {time} ## a link works", { time: until(expires) }), devicesWords(devices), usedWords(used)]);
    const revoke = rowButton(
      t("Revoke"),
      t("Revoke: {label}", { label: name }),
      id,
      async () => {
        const text = t("The link opens nothing from now on, and whoever came by it is ended within a second.");
        if (!(await ask({ title: t("Revoke the link “{label}”?", { label: name }), text, yes: t("Revoke"), no: t("Cancel"), danger: true }))) return;
        await remove(`/access/links/${encodeURIComponent(id)}`);
        await this.show();
      },
      "secondary danger",
    );
    return row({ name, facts }, revoke);
  }

  async #make() {
    const { body, close, closed } = sheet(t("A link for a guest's camera"));
    const lasts = [...VALID, [HOURS, t("12 hours")]].toSorted(([a], [b]) => a - b);
    const valid = element("select", {}, ...lasts.map(([minutes, words]) => element("option", { value: minutes, textContent: words, selected: minutes === HOURS })));
    const devices = element("input", { type: "number", inputMode: "numeric", min: 1, max: DEVICES, step: 1, placeholder: t("any number ## of devices") });
    const label = element("input", { maxLength: 80, autocomplete: "off", spellcheck: false });
    const said = element("p", { className: "refused", role: "alert" });
    const go = element("button", { type: "submit", className: "primary", textContent: t("Make a link") });
    const form = element(
      "form",
      { className: "sheet-body" },
      field(t("Works for"), valid),
      field(t("For how many devices (optional)"), devices, t("Once so many have come by it, it lets in no more.")),
      field(t("Name (optional)"), label, t("Stands in the list of links.")),
      said,
      element("div", { className: "row end" }, button(t("Cancel"), () => close()), go),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      said.textContent = "";
      go.disabled = true;
      try {
        close(await post("/access/links", { role: "camera", minutes: Number(valid.value), ...(devices.value ? { devices: Number(devices.value) } : {}), ...(label.value.trim() ? { label: label.value.trim() } : {}) }));
      } catch (error) {
        said.textContent = error.message;
        go.disabled = false;
      }
    });
    body.append(form);
    valid.focus();
    const made = await closed;
    if (!made) return;
    await this.#read();
    const { link } = made;
    showGuestLink(made, joined([link.label, devicesWords(link.devices), t("works until {time}", { time: until(link.expires) })]));
  }
}

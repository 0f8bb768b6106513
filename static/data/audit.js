// The audit log: whether it holds, and its rows, filtered and page by page.

import { element } from "../dom.js";
import { moment, number } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { get } from "../people/api.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { action, actor, CHOICES } from "./words.js";

const PAGE = 50;
const ID = /^[0-9a-f~]{0,64}$/;

/** The section; it fills itself. */
export function auditSection() {
  const state = element("div", { role: "status" }, paragraph(t("Every row is being checked …"), "soft"));
  const rows = element("tbody");
  const table = element("table", { className: "log" }, element("caption", { className: "visually-hidden", textContent: t("The audit log") }), element("thead", {}, element("tr", {}, ...[t("When"), t("Who"), t("What"), t("About ## an id")].map((words) => element("th", { scope: "col", textContent: words })))), rows);
  const more = element("div");
  const what = element("select", {}, ...CHOICES.map(([value, words]) => element("option", { value, textContent: words })));
  const about = element("input", { maxLength: 64, autocomplete: "off", spellcheck: false, placeholder: t("Any") });
  const refused = element("p", { className: "refused", role: "alert" });
  const filters = element("div", { className: "fields" }, field(t("What"), what), field(t("About this id"), about));
  let asked = 0;

  async function look(cursor = null) {
    const mine = ++asked;
    const id = about.value.trim().toLowerCase();
    refused.textContent = ID.test(id) ? "" : t("An id has digits and the letters a to f only; it stands in the address of a person’s page.");
    if (refused.textContent) return;
    try {
      const page = await get(`/audit?${new URLSearchParams({ limit: PAGE, ...(what.value && { action: what.value }), ...(id && { subject: id }), ...(cursor && { cursor }) })}`);
      if (mine !== asked) return;
      const made = page.items.map(row);
      if (cursor) rows.append(...made);
      else rows.replaceChildren(...made);
      table.hidden = rows.children.length === 0;
      const next = button(t("Show more"), () => look(page.next));
      more.replaceChildren(...(page.next ? [next] : table.hidden ? [paragraph(t("There is nothing here."), "soft")] : []));
      if (cursor) made[0]?.querySelector("button, a")?.focus();
    } catch (error) {
      if (mine === asked) more.replaceChildren(failure(error, () => look(cursor)));
    }
  }

  async function check() {
    try {
      state.replaceChildren(chain(await get("/audit/chain")));
    } catch (error) {
      state.replaceChildren(failure(error, check));
    }
  }

  what.addEventListener("change", () => look());
  about.addEventListener("change", () => look());
  look().then(check); // what is shown is noted itself: the chain is walked after it
  return element("section", { className: "stack", id: "audit", ariaLabel: t("Audit log") }, element("h2", { textContent: t("Audit log") }), paragraph(t("Who saw or changed what, and when. Each row holds the one before, and the newest is signed: none can be changed or taken out unnoticed."), "soft"), state, filters, refused, element("div", { className: "card sheet-of-rows" }, table), more);

  function row({ at, actor: who, action: did, subject, room, count, detail }) {
    const time = element("time", { dateTime: at, textContent: moment(at, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }) });
    const times = count > 1 && tn(count, "{count} time", "{count} times");
    const facts = joined([room && t("Room {room}", { room }), times, DETAILS[detail]]);
    const said = element("td", {}, element("span", { textContent: action(did) }), ...(facts ? [element("small", { textContent: facts })] : []));
    const id = subject ? element("button", { type: "button", className: "id", textContent: subject.slice(0, 8), title: subject, ariaLabel: t("Only rows about {id}", { id: subject.slice(0, 8) }) }) : "";
    if (id) id.addEventListener("click", () => (about.value = subject) && look());
    return element("tr", {}, element("td", {}, time), element("td", { textContent: actor(who) }), said, element("td", {}, id));
  }
}

const DETAILS = {
  live: t("at the live picture"),
  visit: t("for one visit only"),
  photos: t("from photos"),
  owner: t("the owner’s, from the terminal"),
  account: t("one of an account"),
  device: t("for another device of the same person"),
  password: t("by password"),
  passkey: t("by passkey"),
  restored: t("from an export"),
  asked: t("because somebody asked"),
  expired: t("because the consent was over"),
  withdrawn: t("because the consent was withdrawn"),
  sightings: t("sightings"),
  strangers: t("strangers"),
  videos: t("videos"),
  changes: t("changes that could be undone"),
};

function chain({ holds, rows, broken, words, fingerprint, days }) {
  const keeps = tn(days, "Rows are kept for {count} day.", "Rows are kept for {count} days.");
  const key = element("details", { className: "proof" }, element("summary", { textContent: t("The key that signs") }), paragraph(t("Note this fingerprint somewhere else: whoever exchanges the key cannot exchange your note."), "soft"), element("p", {}, element("code", { textContent: fingerprint })), element("p", {}, element("code", {}, "visavis audit verify --key …")));
  const headline = holds ? tn(rows, "The log holds: {count} row.", "The log holds: {count} rows.") : t("Row {row} does not hold.", { row: number(broken) });
  const why = holds ? [] : [paragraph(words)];
  return element("div", { className: `card notice ${holds ? "good" : "bad"}` }, element("p", {}, element("b", { textContent: headline })), ...why, paragraph(keeps, "soft"), key);
}

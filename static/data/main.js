// The Data page: what is held and for how long, receipts of who was forgotten, and the audit log.

import { element } from "../dom.js";
import { joined, t } from "../language.js";
import { get } from "../people/api.js";
import { button, failure, paragraph } from "../people/parts.js";
import { until } from "../people/words.js";
import { auditSection } from "./audit.js";
import { heldTable } from "./held.js";
import { saveReceipt, showReceipt, total } from "./receipt.js";

const root = document.querySelector("#data");
const PAGE = 20;

show();

async function show() {
  try {
    const { kinds, folder } = await get("/data");
    root.replaceChildren(held(kinds, folder), receiptsSection(), auditSection());
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    root.replaceChildren(failure(error, show));
  }
}

function held(kinds, folder) {
  const where = element("p", { className: "soft" }, t("All of it is on this computer, in the folder"), " ", element("code", { textContent: folder }));
  return element("section", { className: "stack" }, element("h2", { textContent: t("What is held") }), paragraph(t("Everything this server keeps today. What has a time is erased by itself when it is over; what has a link can be looked at and erased there.")), where, element("div", { className: "card sheet-of-rows" }, heldTable(kinds)));
}

function receiptsSection() {
  const list = element("ul", { className: "changes" });
  const more = element("div");

  async function look(cursor = null) {
    try {
      const page = await get(`/receipts?${new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) })}`);
      const made = page.items.map(line);
      list.append(...made);
      if (cursor) made[0]?.querySelector("button")?.focus();
      more.replaceChildren(...(page.next ? [button(t("Show more"), () => look(page.next))] : list.children.length ? [] : [paragraph(t("Nobody has been forgotten yet."), "soft")]));
    } catch (error) {
      more.replaceChildren(failure(error, () => look(cursor)));
    }
  }

  look();
  return element("section", { className: "stack", id: "receipts", ariaLabel: t("Receipts") }, element("h2", { textContent: t("Receipts") }), paragraph(t("Of everybody who was forgotten: what was erased, and what may remain where this server cannot reach. Signed, and without a name."), "soft"), element("div", { className: "card" }, list, more));
}

function line(receipt) {
  const id = receipt.person.slice(0, 8);
  const words = element("span", {}, element("span", { textContent: t("Person {id}, {time}", { id, time: until(receipt.at) }) }), element("small", { textContent: joined([total(receipt)]) }));
  const look = button(t("Show"), () => showReceipt(receipt));
  look.ariaLabel = t("Show the receipt of person {id}", { id });
  const save = button(t("Save"), () => saveReceipt(receipt));
  save.ariaLabel = t("Save the receipt of person {id}", { id });
  return element("li", {}, words, element("div", { className: "row" }, look, save));
}

// A receipt of a forgetting: shown, and saved as a file.

import { element } from "../dom.js";
import { t, tn } from "../language.js";
import { sheet } from "../people/dialogs.js";
import { button, paragraph } from "../people/parts.js";
import { until } from "../people/words.js";
import { erased, remaining } from "./words.js";

/** Save it as a file. */
export function saveReceipt(receipt) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(receipt, null, 1)], { type: "application/json" }));
  element("a", { href: address, download: `receipt-${receipt.id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** What it says, as elements. */
export function receiptBody(receipt) {
  const { count } = receipt.keys;
  const keys = count ? [tn(count, "{count} key, without which copies of it cannot be read", "{count} keys, without which copies of it cannot be read")] : count === null ? [t("keys, how many is not known: the server was interrupted meanwhile")] : [];
  const gone = [...receipt.erased.map(erased), ...keys];
  const left = receipt.remains.map((one) => remaining(one, until));
  return [
    element("h3", { textContent: t("Erased") }),
    gone.length ? element("ul", { className: "plain" }, ...gone.map((words) => element("li", { textContent: words }))) : paragraph(t("Nothing was left of this person.")),
    element("h3", { textContent: t("May remain where this server cannot reach") }),
    element("ul", { className: "plain" }, ...left.map((words) => element("li", { textContent: words }))),
    element("details", { className: "proof" }, element("summary", { textContent: t("How to check it") }), paragraph(t("The receipt is signed. With the file:"), "soft"), element("p", {}, element("code", { textContent: command(receipt) })), paragraph(t("The key that signs has this fingerprint:"), "soft"), element("p", {}, element("code", { textContent: receipt.key.fingerprint }))),
  ];
}

/** Show it in a sheet, with a way to keep it. */
export async function showReceipt(receipt) {
  const { body, close, closed } = sheet(t("Receipt"), "receipt");
  const done = button(t("Close"), () => close());
  body.append(paragraph(t("Person {id}, {time}", { id: receipt.person.slice(0, 8), time: until(receipt.at) }), "soft"), ...receiptBody(receipt), element("div", { className: "row end" }, done, button(t("Save the receipt"), () => saveReceipt(receipt), "primary")));
  done.focus();
  await closed;
}

/** How much a receipt says was erased, in one line. */
export const total = (receipt) => tn(receipt.erased.reduce((sum, { count }) => sum + count, 0), "{count} thing erased", "{count} things erased");

function command({ id }) {
  return ["visavis", "receipt", "verify", `receipt-${id}.json`].join(" ");
}

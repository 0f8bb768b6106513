// A link for another device, as it is shown once: its QR code, itself, and the ways to hand it on.

import { element } from "./dom.js";
import { t } from "./language.js";
import { button, field } from "./people/parts.js";

/** The parts; `hint` stands below the link. */
export function shownLink({ url, qr }, hint) {
  const said = element("p", { className: "soft", role: "status" });
  const link = element("input", { readOnly: true, value: url, spellcheck: false, dir: "ltr" });
  link.addEventListener("focus", () => link.select());
  const copy = button(t("Copy the link"), async () => {
    try {
      await navigator.clipboard.writeText(url);
      said.textContent = t("The link is copied.");
    } catch {
      link.focus();
      said.textContent = t("The link could not be copied; select it and copy it by hand.");
    }
  });
  const share = navigator.share ? [button(t("Share…"), () => navigator.share({ title: "Visavis", url }).catch(() => {}))] : []; // closing the sheet is no fault
  const code = qr ? [element("img", { className: "qr", src: `data:image/svg+xml,${encodeURIComponent(qr)}`, alt: t("QR code of the link"), width: 220, height: 220 })] : [];
  return [...code, field(t("The link"), link, hint), element("div", { className: "row" }, copy, ...share), said];
}

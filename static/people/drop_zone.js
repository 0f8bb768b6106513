// Where photos come in: dropped, chosen, or a whole folder.

import { element } from "../dom.js";
import { t } from "../language.js";
import { button } from "./parts.js";
import { ofInput, walk } from "./walk.js";

/** The zone; `found(files)` gets [{file, path}]. */
export function dropZone(found) {
  const files = element("input", { type: "file", multiple: true, accept: "image/*,.zip,application/zip", hidden: true, ariaLabel: t("Photos or a ZIP") });
  const folder = element("input", { type: "file", multiple: true, webkitdirectory: true, hidden: true, ariaLabel: t("A folder of photos") });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      const chosen = ofInput(input.files);
      input.value = ""; // the same files may be chosen again
      if (chosen.length) found(chosen);
    });
  }
  const zone = element(
    "div",
    { className: "zone" },
    element("p", { className: "zone-words" }, element("b", { textContent: t("Drop photos, folders or a ZIP here") }), element("small", { textContent: t("One folder a person, named after them: Ada/holiday.jpg. Or photos of one person, with the name above.") })),
    element("div", { className: "row" }, button(t("Choose photos or a ZIP"), () => files.click(), "primary"), button(t("Choose a folder"), () => folder.click())),
    files,
    folder,
  );
  const over = (on) => (event) => {
    event.preventDefault();
    if (!on && event.relatedTarget && zone.contains(event.relatedTarget)) return;
    zone.classList.toggle("over", on);
  };
  zone.addEventListener("dragenter", over(true));
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    // The entries have to be asked for before anything is waited for: afterwards the drop is over.
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const dropped = entries.length ? await walk(entries) : ofInput(event.dataTransfer.files);
    found(dropped);
  });
  return zone;
}

/** A photo dropped beside the zone must not replace the page. */
export function keepDropsOff(target) {
  for (const kind of ["dragover", "drop"]) target.addEventListener(kind, (event) => event.preventDefault());
}

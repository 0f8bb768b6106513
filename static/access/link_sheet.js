// A link that was just made, in a sheet: shown this once.

import { element } from "../dom.js";
import { t } from "../language.js";
import { onThisClock } from "../people/api.js";
import { sheet } from "../people/dialogs.js";
import { button, paragraph } from "../people/parts.js";
import { shownLink } from "../shown_link.js";
import { countDown, minutesAndSeconds } from "./countdown.js";

/** Parts of a one-time link with the time it has left; `over()` is called when it has none. Returns {parts, stop}. */
export function oneTimeLink({ url, qr, expires }, over) {
  const left = element("p", { className: "left" });
  const stop = countDown(onThisClock(expires), (seconds) => (left.textContent = t("Works once, for another {time}", { time: minutesAndSeconds(seconds) })), over);
  return { parts: [...shownLink({ url, qr }, t("Whoever opens it first is signed in. Show it to nobody else.")), left], stop };
}

/** Show a one-time link that signs `name` in. */
export async function showOneTimeLink(name, link) {
  const { body, close, closed, heading } = sheet(t("A link for {name}", { name }));
  const done = element("div", { className: "row end" }, button(t("Done"), () => close(), "primary"));
  const about = paragraph(t("Let {name} scan this with their device, or send them the link. It signs them in, and they choose a passkey or a password.", { name }));
  const { parts, stop } = oneTimeLink(link, () => body.replaceChildren(paragraph(t("This link is over. Make another one in the list of accounts.")), done));
  body.prepend(about, ...parts, done);
  heading.tabIndex = -1;
  heading.focus();
  await closed;
  stop();
}

/** Show a link that lets a guest's camera in. */
export function showGuestLink(link, about) {
  const { body, close, heading } = sheet(t("The link is ready"));
  body.append(paragraph(about), ...shownLink(link, t("It is shown this once. Whoever has it can use it.")), element("div", { className: "row end" }, button(t("Done"), () => close(), "primary")));
  heading.tabIndex = -1;
  heading.focus();
}

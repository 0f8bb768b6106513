// The page about who may come in: how I do, my devices, and for whom it is given, accounts and links.

import { element } from "../dom.js";
import { t } from "../language.js";
import { failure, paragraph } from "../people/parts.js";
import { kindOf, readVisitor, visitor } from "../visitor.js";
import { Accounts } from "./accounts.js";
import { Devices } from "./devices.js";
import { Links } from "./links.js";
import { SignInWays } from "./sign_in_ways.js";

const root = document.querySelector("#access");

begin(await visitor());

async function begin(state) {
  if (!state) return root.replaceChildren(failure(new Error(t("The server does not say who you are. It may be away, or too old for this page.")), async () => begin(await readVisitor())));
  const owner = state.role === "owner";
  const accounts = owner ? new Accounts() : null;
  const devices = new Devices(() => ways.show());
  devices.element.hidden = true; // until it is known whose
  const ways = new SignInWays(state, (me) => {
    devices.element.hidden = false;
    devices.write(me);
    accounts?.me(me);
  });
  const links = owner || state.role === "host" ? new Links() : null;
  const mine = element("div", { className: "columns" }, ways.element, devices.element);
  root.replaceChildren(...(state.local_owner ? [warning(kindOf(state) === "local")] : []), mine, ...(accounts ? [accounts.element] : []), ...(links ? [links.element] : []), ...(owner ? [keys()] : []));
  links?.show();
  await ways.show();
  accounts?.show();
}

/** The setting `local_owner`; `here`: at the computer that it is about. */
function warning(here) {
  const title = here ? t("Whoever uses this computer is the owner") : t("Whoever uses the computer Visavis runs on is the owner");
  return element("section", { className: "card notice warning-card", ariaLabel: title }, element("h2", { textContent: title }), paragraph(t("The setting local_owner is on: nobody has to sign in at that computer, and every program on it may do everything here. Switch it off where others use that computer as well.")));
}

function keys() {
  const link = element("a", { className: "button", href: "/api", textContent: t("Keys and the interface") });
  return element("section", { className: "stack", ariaLabel: t("Other programs") }, element("h2", { textContent: t("Other programs") }), paragraph(t("Programs sign in with a key of their own, which may do what you choose."), "soft"), element("div", {}, link));
}

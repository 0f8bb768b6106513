// Where I am signed in, and one more device of mine.

import { ask, element } from "../dom.js";
import { joined, t } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { button, paragraph } from "../people/parts.js";
import { until, when } from "../people/words.js";
import { toast } from "../toast.js";
import { oneTimeLink } from "./link_sheet.js";
import { refill, row, rowButton, rows } from "./rows.js";

const LOOK = 2000; // ms between looks whether the new device has come

/** The section; `again()` asks about the account anew. */
export class Devices {
  #again;
  #sessions = [];
  #list = element("div", { className: "stack" });
  #mine = element("div", { className: "card stack" });
  #stop = () => {};
  element = element("section", { className: "stack", ariaLabel: t("Your devices") }, element("h2", { textContent: t("Your devices") }), this.#list, this.#mine);

  constructor(again) {
    this.#again = again;
    this.#offer();
  }

  /** What is signed in as this account now. */
  write({ sessions }) {
    this.#sessions = sessions;
    refill(this.#list, element("div", { className: "card" }, rows(sessions.toSorted((a, b) => b.current - a.current).map((one) => this.#row(one)))));
  }

  #row({ id, created, used, device, current }) {
    const name = device || t("A device");
    const facts = joined([t("signed in {time}", { time: when(created) }), !current && used && t("last used {time}", { time: until(used) })]);
    const end = current
      ? rowButton(t("Sign out"), t("Sign this device out"), id, async () => {
          await post("/access/sign-out");
          location.assign("/sign-in");
        })
      : rowButton(t("End"), t("End: {label}", { label: joined([name, facts]) }), id, async () => {
          if (!(await ask({ title: t("Sign {name} out?", { name }), text: t("What it does here ends at once. It can sign in again."), yes: t("End"), no: t("Cancel"), danger: true }))) return;
          await remove(`/access/me/sessions/${encodeURIComponent(id)}`);
          await this.#again();
        });
    return row({ name, facts, chip: current ? t("this device") : "" }, end);
  }

  #offer(words = "") {
    this.#stop();
    const show = rowButton(t("Show a code"), t("Show a code for another device of mine"), "device", () => this.#code(), "primary");
    const said = words ? [element("p", { role: "status", textContent: words })] : [];
    refill(this.#mine, element("h3", { textContent: t("Another device of mine") }), paragraph(t("Scan a code with your phone or tablet, and it is signed in as you, without a password. The code works once, for ten minutes."), "soft"), ...said, element("div", {}, show));
  }

  async #code() {
    const link = await post("/access/me/device");
    const known = new Set(this.#sessions.map(({ id }) => id));
    let looking = null;
    const over = (words) => {
      clearInterval(looking);
      this.#offer(words);
    };
    const { parts, stop } = oneTimeLink(link, () => over(t("That code is over.")));
    looking = setInterval(async () => {
      const me = await get("/access/me").catch(() => null);
      const come = me?.sessions.find(({ id }) => !known.has(id));
      if (!come) return;
      over("");
      this.write(me);
      toast(t("{name} is signed in as you.", { name: come.device || t("A device") }));
    }, LOOK);
    this.#stop = () => {
      clearInterval(looking);
      stop();
    };
    const hide = button(t("Hide the code"), () => this.#offer());
    hide.dataset.key = "device";
    refill(this.#mine, element("h3", { textContent: t("Another device of mine") }), ...parts, element("div", {}, hide));
  }
}

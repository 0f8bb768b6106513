// The tab of the panel that lets another device in: a guest's camera, by the link that stands, or one's own, by a link that works once.

import { oneTimeLink } from "./access/link_sheet.js";
import { $ } from "./dom.js";
import { t } from "./language.js";
import { post } from "./people/api.js";
import { until } from "./people/words.js";
import { kindOf, visitor } from "./visitor.js";

export class JoinPanel {
  #say;
  #join = null; // what the server said of the standing link, or null where it may not be had
  #stop = () => {}; // counting down the one-time link

  constructor(say) {
    this.#say = say;
    $("phone-copy").addEventListener("click", () => this.#copy());
    $("phone-for").addEventListener("change", () => this.#lay());
    $("phone-make").addEventListener("click", () => this.#make());
  }

  /** The panel is opened. */
  async show() {
    const response = await fetch("/api/v1/join").catch(() => null);
    this.#join = response?.ok ? await response.json() : response?.status === 403 ? null : {};
    const account = kindOf(await visitor()) === "account"; // others have nothing to sign a device in as
    $("phone-for").hidden = !account || this.#join === null;
    if (account && this.#join === null) document.querySelector("#phone-for [value=mine]").checked = true;
    this.#lay();
    if (!this.#join?.url) return;
    $("phone-qr").src = `data:image/svg+xml,${encodeURIComponent(this.#join.qr)}`;
    $("phone-url").textContent = $("phone-url").href = this.#join.url;
    $("phone-trust").href = this.#join.trust_url;
    $("phone-until").textContent = this.#join.expires ? t("It works until {time}.", { time: until(this.#join.expires) }) : "";
  }

  /** The panel is closed: a code that nobody looks at is not left standing. */
  hide() {
    this.#stop();
    $("phone-once").replaceChildren();
    $("phone-refused").textContent = "";
    $("phone-make").hidden = false;
  }

  #lay() {
    const mine = document.querySelector("#phone-for [value=mine]").checked;
    const guest = !mine && this.#join !== null;
    $("phone-mine").hidden = !mine;
    $("phone-on").hidden = !guest || !this.#join.url;
    $("phone-off").hidden = !guest || Boolean(this.#join.url);
  }

  async #make() {
    $("phone-make").disabled = true;
    $("phone-refused").textContent = "";
    try {
      const link = await post("/access/me/device");
      const { parts, stop } = oneTimeLink(link, () => {
        this.hide();
        $("phone-refused").textContent = t("That code is over.");
      });
      this.#stop = stop;
      $("phone-once").replaceChildren(...parts);
      $("phone-make").hidden = true;
    } catch (error) {
      $("phone-refused").textContent = error.message;
    }
    $("phone-make").disabled = false;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText($("phone-url").href);
      this.#say(t("The link is copied."));
    } catch {
      this.#say(t("The link could not be copied; select it and copy it by hand."));
    }
  }
}

// Network cameras: addresses that the server itself fetches pictures from.

import { ask, element } from "../dom.js";
import { joined, t } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { failure, field, paragraph } from "../people/parts.js";
import { heard } from "../server_words.js";
import { toast } from "../toast.js";
import { action, attempt } from "./parts.js";
import { stateWord } from "./state_words.js";

const AGAIN = 3000; // ms between looks at how they do, while somebody looks

const EXAMPLE = "rtsp://…"; // the same in every language

const path = (room) => `/rooms/${encodeURIComponent(room)}/sources`;

/** The room's sources and a form for another. */
export class Sources {
  #room;
  #list = element("div");
  #form;
  #timer = null;
  #shown = "";

  constructor(room) {
    this.#room = room;
    this.#form = this.#asking();
    this.element = element("div", { className: "stack" }, element("h3", { textContent: t("Network cameras") }), this.#list, this.#form);
  }

  /** Read them, now and while they are in sight. */
  async read() {
    clearTimeout(this.#timer);
    try {
      const { sources } = await get(path(this.#room));
      this.#form.hidden = false;
      this.#write(sources);
    } catch (error) {
      // From elsewhere the server's own words say why not.
      this.#form.hidden = error.status === 403;
      this.#shown = "";
      this.#list.replaceChildren(error.status === 403 ? paragraph(error.message, "soft") : failure(error, () => this.read()));
    }
    if (this.element.checkVisibility?.() ?? true) this.#timer = setTimeout(() => this.read(), AGAIN);
  }

  #write(sources) {
    const text = JSON.stringify(sources);
    if (text === this.#shown) return;
    this.#shown = text;
    const held = this.#list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const none = paragraph(t("The server can fetch pictures from cameras in its network itself."), "soft");
    this.#list.replaceChildren(sources.length ? element("ul", { className: "lines" }, ...sources.map((source) => this.#row(source))) : none);
    if (held) (this.#list.querySelector(`[data-key="${CSS.escape(held)}"]`) ?? this.#form.querySelector("input")).focus();
  }

  #row({ id, name, url, state, reason, retry_in: wait }) {
    const gone = action(
      t("Remove"),
      async () => {
        const text = t("Its pictures are fetched no longer.");
        if (!(await ask({ title: t("Remove {camera}?", { camera: name || url }), text, yes: t("Remove"), no: t("Cancel"), danger: true }))) return;
        await remove(`${path(this.#room)}/${encodeURIComponent(id)}`);
        await this.read();
      },
      (words) => words && toast(words),
    );
    gone.ariaLabel = t("Remove: {camera}", { camera: name || url });
    gone.dataset.key = id;
    const how = joined([stateWord(state), Number.isFinite(wait) && wait > 0 && t("next try in {seconds} s", { seconds: Math.ceil(wait) })]);
    const words = [element("span", { className: "name", textContent: name || url }), ...(name ? [element("small", { className: "address", textContent: url, dir: "ltr" })] : []), element("small", { className: "how", textContent: how }), ...(reason ? [element("small", { textContent: heard(reason) })] : [])];
    const row = element("li", {}, element("div", {}, ...words), gone);
    row.dataset.state = state;
    return row;
  }

  #asking() {
    const url = element("input", { required: true, maxLength: 2000, placeholder: EXAMPLE, translate: false, autocomplete: "off", spellcheck: false, inputMode: "url", dir: "ltr" });
    const name = element("input", { maxLength: 80, autocomplete: "off", spellcheck: false });
    const refused = element("p", { className: "refused", role: "alert" });
    const add = element("button", { type: "submit", className: "secondary", textContent: t("Add this camera") });
    const form = element("form", { className: "stack" }, field(t("Address"), url, t("A password in it is kept by the server and shown nowhere.")), field(t("Name"), name), refused, add);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wish = { url: url.value.trim(), ...(name.value.trim() ? { name: name.value.trim() } : {}) };
      attempt(
        add,
        async () => {
          await post(path(this.#room), wish);
          form.reset();
          await this.read();
        },
        (words) => (refused.textContent = words),
      );
    });
    return form;
  }
}

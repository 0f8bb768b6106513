// What the host may do with a camera: rename it in place, pause recognition, end it.

import { ask, element } from "../dom.js";
import { t } from "../language.js";
import { patch, remove } from "../people/api.js";
import { toast } from "../toast.js";
import { attempt, icon } from "./parts.js";

/** The menu in a camera's caption; there for hosts alone. */
export class HostMenu {
  renaming = false;
  #path;
  #page;
  #name; // the element with the name
  #called = "";
  #recognising = true;
  #opener = element("button", { type: "button", className: "round small", ariaExpanded: "false" }, icon("dots"));
  #rename = element("button", { type: "button", textContent: t("Rename") });
  #pause = element("button", { type: "button" });
  #end = element("button", { type: "button", className: "danger", textContent: t("End this camera…") });
  #list = element("div", { className: "menu", role: "group", hidden: true }, this.#rename, this.#pause, this.#end);

  constructor(id, page, name) {
    this.#page = page;
    this.#name = name;
    this.#path = `/rooms/${encodeURIComponent(page.room)}/cameras/${encodeURIComponent(id)}`;
    this.element = element("div", { className: "host-menu", hidden: true }, this.#opener, this.#list);
    this.#opener.addEventListener("click", () => this.#open(this.#list.hidden));
    this.#rename.addEventListener("click", () => this.#askName());
    this.#pause.addEventListener("click", () => this.#do(this.#pause, () => patch(this.#path, { recognising: !this.#recognising })));
    this.#end.addEventListener("click", () => this.#askEnd());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#list.hidden) return;
      event.stopPropagation();
      this.#open(false);
      this.#opener.focus();
    });
    this.element.addEventListener("focusout", (event) => event.relatedTarget && !this.element.contains(event.relatedTarget) && this.#open(false));
  }

  /** What the room says of its camera. */
  update({ recognising }, called) {
    this.element.hidden = !this.#page.host();
    this.#called = called;
    this.#recognising = recognising !== false;
    this.#pause.textContent = this.#recognising ? t("Pause recognition") : t("Recognise again");
    this.#opener.ariaLabel = this.#list.ariaLabel = t("{camera}: rename, pause or end", { camera: called });
  }

  #open(open) {
    this.#list.hidden = !open;
    this.#opener.ariaExpanded = String(open);
    if (open) this.#rename.focus();
  }

  async #do(button, run) {
    this.#open(false);
    this.#opener.focus();
    await attempt(button, run, (words) => words && toast(words));
  }

  #askName() {
    this.#open(false);
    this.renaming = true;
    const input = element("input", { value: this.#called, maxLength: 80, autocomplete: "off", spellcheck: false, ariaLabel: t("Name of the camera"), enterKeyHint: "done" });
    const save = element("button", { type: "submit", className: "primary", textContent: t("Save") });
    const form = element("form", { className: "renaming" }, input, save);
    const done = () => {
      this.renaming = false;
      form.remove();
      this.#name.textContent = this.#called;
      this.#name.hidden = false;
      this.#opener.focus();
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name || name === this.#called) return done();
      const saved = await attempt(save, () => patch(this.#path, { name }), (words) => words && toast(words));
      if (!saved) return input.focus();
      this.#called = name;
      done();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      done();
    });
    form.addEventListener("focusout", (event) => event.relatedTarget && !form.contains(event.relatedTarget) && this.renaming && done());
    this.#name.hidden = true;
    this.#name.after(form);
    input.select();
  }

  async #askEnd() {
    this.#open(false);
    this.#opener.focus();
    const text = t("Its page is told, and it does not come back by itself. Everybody who watches it sees that it has ended.");
    if (!(await ask({ title: t("End {camera}?", { camera: this.#called }), text, yes: t("End it"), no: t("Cancel"), danger: true }))) return;
    await attempt(this.#end, () => remove(this.#path), (words) => words && toast(words));
  }
}

// The owner's list of accounts: who may sign in here, and as what.

import { ask, element } from "../dom.js";
import { joined, t, tn } from "../language.js";
import { get, patch, post, remove } from "../people/api.js";
import { sheet } from "../people/dialogs.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { when } from "../people/words.js";
import { showOneTimeLink } from "./link_sheet.js";
import { ROLES, roleWords } from "./roles.js";
import { refill, row, rowButton, rows } from "./rows.js";

/** The section. */
export class Accounts {
  #mine = null; // my own account's id
  #body = element("div", { className: "stack" });
  element = element("section", { className: "stack", ariaLabel: t("Accounts") }, element("h2", { textContent: t("Accounts") }), paragraph(t("Who may sign in here. Guests need no account: give them a link."), "soft"), this.#body);

  /** This is me. */
  me({ id }) {
    this.#mine = id;
  }

  async show() {
    try {
      const { accounts } = await get("/access/accounts");
      const add = rowButton(t("Add an account…"), t("Add an account…"), "add", () => this.#add(), "primary");
      const list = accounts.length ? [element("div", { className: "card" }, rows(accounts.map((one) => this.#row(one))))] : [];
      refill(this.#body, ...list, element("div", {}, add));
    } catch (error) {
      refill(this.#body, failure(error, () => this.show()));
    }
  }

  #row(one) {
    const { id, name, role, disabled } = one;
    const facts = joined([roleWords(role), waysWords(one), one.used ? t("last here {time}", { time: when(one.used) }) : t("never here yet")]);
    const chip = disabled ? t("switched off ## an account") : id === this.#mine ? t("you ## the account of whoever looks") : "";
    const link = rowButton(t("New link…"), t("New one-time link for {name}…", { name }), `link/${id}`, async () => showOneTimeLink(name, await post(`/access/accounts/${encodeURIComponent(id)}/link`)));
    const change = rowButton(t("Change…"), t("Change the account {name}…", { name }), `change/${id}`, () => this.#change(one));
    return row({ name, facts, chip }, ...(disabled ? [] : [link]), change);
  }

  async #add() {
    const { body, close, closed } = sheet(t("Add an account"));
    const name = element("input", { maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false });
    const roles = Object.entries(ROLES).map(([value, { words, means }]) =>
      element("label", {}, element("input", { type: "radio", name: "role", value, checked: value === "host" }), element("span", {}, words, element("small", { textContent: means }))),
    );
    const choices = element("fieldset", { className: "choices" }, element("legend", { className: "visually-hidden", textContent: t("Role") }), ...roles);
    const form = this.#form({ parts: [field(t("Name"), name), choices], words: t("Make a link"), close, name, submit: () => post("/access/accounts", { name: name.value.trim(), role: choices.querySelector(":checked").value }) });
    body.append(form);
    name.focus();
    const made = await closed;
    if (!made) return;
    await this.show();
    await showOneTimeLink(made.account?.name ?? name.value.trim(), made);
    await this.show(); // they may have come by it already
  }

  async #change(one) {
    const path = `/access/accounts/${encodeURIComponent(one.id)}`;
    const { body, close, closed } = sheet(t("The account {name}", one));
    const name = element("input", { value: one.name, maxLength: 80, autocomplete: "off", autocapitalize: "words", spellcheck: false });
    const role = element("select", {}, ...Object.entries(ROLES).map(([value, { words }]) => element("option", { value, textContent: words, selected: value === one.role })));
    const means = element("small", { id: "role-means", textContent: ROLES[one.role]?.means ?? "" });
    role.setAttribute("aria-describedby", means.id);
    role.addEventListener("change", () => (means.textContent = ROLES[role.value].means));
    const works = element("input", { type: "checkbox", role: "switch", checked: !one.disabled });
    const onOff = element("label", { className: "switch" }, works, element("span", {}, t("May sign in"), element("small", { textContent: t("Switched off, its devices are signed out and its links open nothing.") })));
    const gone = button(t("Remove…"), () => this.#remove(one, path, close), "secondary danger");
    const submit = () => {
      const wanted = { name: name.value.trim(), role: role.value, disabled: !works.checked };
      const changed = Object.fromEntries(Object.entries(wanted).filter(([what, value]) => value !== one[what]));
      return Object.keys(changed).length ? patch(path, changed) : Promise.resolve();
    };
    body.append(this.#form({ parts: [field(t("Name"), name), element("div", { className: "stack tight" }, field(t("Role"), role), means), onOff], words: t("Save"), close, name, submit, before: [gone] }));
    name.focus();
    await closed;
    await this.show();
  }

  async #remove({ name }, path, close) {
    const text = t("Its devices are signed out at once. What {name} did stays: people, rooms and sightings.", { name });
    if (!(await ask({ title: t("Remove the account {name}?", { name }), text, yes: t("Remove"), no: t("Keep"), danger: true }))) return;
    await remove(path);
    close(true);
  }

  /** A form of a sheet: what `submit()` throws is said in it. */
  #form({ parts, words, close, name, submit, before = [] }) {
    const said = element("p", { className: "refused", role: "alert" });
    const save = element("button", { type: "submit", className: "primary", textContent: words });
    const form = element("form", { className: "sheet-body", noValidate: true }, ...parts, said, element("div", { className: "row end" }, ...before, button(t("Cancel"), () => close()), save));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!name.value.trim()) {
        said.textContent = t("Type a name first.");
        return name.focus();
      }
      said.textContent = "";
      save.disabled = true;
      try {
        close((await submit()) ?? true);
      } catch (error) {
        said.textContent = error.message;
        save.disabled = false;
      }
    });
    return form;
  }
}

/** How somebody can sign in. */
function waysWords({ password, passkeys }) {
  if (!password && !passkeys) return t("neither passkey nor password");
  return joined([passkeys > 0 && tn(passkeys, "{count} passkey", "{count} passkeys"), password && t("password")]);
}

// How I come in: my name, my password, my passkeys.

import { ask, element } from "../dom.js";
import { joined, t, woven } from "../language.js";
import { get, post, put, remove } from "../people/api.js";
import { askText, sheet } from "../people/dialogs.js";
import { button, failure, paragraph } from "../people/parts.js";
import { when } from "../people/words.js";
import { toast } from "../toast.js";
import { kindOf } from "../visitor.js";
import { browserHasThem, deviceName, failed, isBareAddress, make } from "./passkeys.js";
import { roleWords } from "./roles.js";
import { refill, row, rowButton, rows } from "./rows.js";
import { ADVICE, secretField, SHORTEST } from "./secret_field.js";

/** What follows for who has no way in besides the session of now. */
function lockedOut(role) {
  if (role !== "owner") return [t("You have neither a passkey nor a password yet. When this device is signed out, only the owner can let you in again.")];
  const command = element("code", { translate: false, dir: "ltr", textContent: "visavis owner" });
  return woven("You have neither a passkey nor a password yet. When this device is signed out, only {command} on the computer Visavis runs on lets you in again.", { command });
}

/** The section; `read(me)` is called with each new answer about this account. */
export class SignInWays {
  #state;
  #read;
  #body = element("div", { className: "stack" });
  element = element("section", { className: "stack", ariaLabel: t("How you sign in") }, element("h2", { textContent: t("How you sign in") }), this.#body);

  constructor(state, read) {
    this.#state = state;
    this.#read = read;
  }

  /** Ask the server, and write what it says. */
  async show() {
    if (kindOf(this.#state) === "local") return refill(this.#body, paragraph(t("You have not signed in here, so there is no name, passkey or password of yours to show."), "soft"));
    try {
      const me = await get("/access/me");
      this.#read(me);
      this.#write(me);
    } catch (error) {
      refill(this.#body, failure(error, () => this.show()));
    }
  }

  #write(me) {
    const bare = !me.password && me.passkeys.length === 0;
    const warning = bare ? [element("div", { className: "card notice" }, element("p", {}, ...lockedOut(me.role)))] : [];
    const name = row({ name: me.name, facts: t("Your name · {role}", { role: roleWords(me.role) }) }, rowButton(t("Change…"), t("Change your name…"), "name", () => this.#rename(me)));
    const password = row({ name: t("Password"), facts: me.password ? t("Works at every address of this server.") : t("None yet.") }, rowButton(me.password ? t("Change…") : t("Set…"), me.password ? t("Change your password…") : t("Set a password…"), "password", () => this.#password(me)));
    const passkeys = me.passkeys.map((one) => this.#passkey(one, me));
    refill(this.#body, ...warning, element("div", { className: "card stack" }, rows([name, password])), element("div", { className: "card stack" }, element("h3", { textContent: t("Passkeys") }), ...(passkeys.length ? [rows(passkeys)] : []), ...this.#adding()));
  }

  #passkey({ id, label, created, used }, me) {
    const facts = joined([t("made {time}", { time: when(created) }), used ? t("last used {time}", { time: when(used) }) : t("not used yet")]);
    const last = me.passkeys.length === 1 && !me.password;
    const drop = rowButton(
      t("Remove…"),
      t("Remove the passkey {name}…", { name: label }),
      id,
      async () => {
        const text = last ? t("It is the only way in that you have. Without it, you need a new one-time link when this device is signed out.") : t("It opens nothing here any more. Remove it from your device or password manager as well.");
        if (!(await ask({ title: t("Remove the passkey {name}?", { name: label }), text, yes: t("Remove"), no: t("Keep"), danger: true }))) return;
        await remove(`/access/me/passkeys/${encodeURIComponent(id)}`);
        await this.show();
      },
      "secondary danger",
    );
    return row({ name: label, facts }, drop);
  }

  /** The button that makes one, or why there is none. */
  #adding() {
    if (isBareAddress(location.hostname)) return [paragraph(t("Not at this address: browsers make no passkeys for bare IP addresses. They do where the server is opened by its name."), "soft")];
    if (!this.#state.passkeys || !browserHasThem()) return [paragraph(t("Not in this browser, at this address."), "soft")];
    const add = rowButton(t("Add a passkey…"), t("Add a passkey…"), "add-passkey", () => this.#add());
    return [paragraph(t("A passkey made here works where the server is opened as {host}, and nowhere else.", { host: location.hostname }), "soft"), element("div", {}, add)];
  }

  async #add() {
    const submit = async (label) => {
      try {
        const { id, publicKey } = await post("/access/me/passkeys/options");
        const credential = await make(publicKey);
        await post("/access/me/passkeys", { id, credential, label });
      } catch (error) {
        throw new Error(failed(error));
      }
    };
    const hint = t("To know it again in this list. Then your browser asks for a finger, a face or a PIN.");
    if (await askText({ title: t("Add a passkey"), label: t("Name of this passkey"), value: deviceName(), hint, words: t("Go on"), submit })) {
      await this.show();
      toast(t("The passkey is kept."));
    }
  }

  async #rename(me) {
    const submit = (name) => put("/access/me/name", { name });
    if (await askText({ title: t("Your name here"), label: t("Name"), value: me.name, hint: t("You sign in with it, and others see it in lists."), submit })) await this.show();
  }

  async #password(me) {
    const { body, close, closed } = sheet(me.password ? t("Change your password") : t("Set a password"));
    const user = element("input", { type: "text", name: "username", autocomplete: "username", value: me.name, readOnly: true, hidden: true }); // for password managers
    const current = secretField(t("The password so far"), { autocomplete: "current-password", name: "current", hint: t("Forgotten? Leave it empty if you have just come by a one-time link.") });
    const wanted = secretField(t("The new password"), { autocomplete: "new-password", name: "new", hint: ADVICE });
    const said = element("p", { className: "refused", role: "alert" });
    const save = element("button", { type: "submit", className: "primary", textContent: t("Save") });
    const form = element("form", { className: "sheet-body", noValidate: true }, user, ...(me.password ? [current.box] : []), wanted.box, paragraph(t("Your other devices are signed out."), "soft"), said, element("div", { className: "row end" }, button(t("Cancel"), () => close()), save));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      said.textContent = "";
      if ([...wanted.input.value].length < SHORTEST) {
        said.textContent = ADVICE;
        return wanted.input.focus();
      }
      save.disabled = true;
      try {
        await put("/access/me/password", { new: wanted.input.value, ...(current.input.value ? { current: current.input.value } : {}) });
        close(true);
      } catch (error) {
        const so = current.input.value ? t("That is not the password so far.") : t("Type the password so far as well.");
        said.textContent = error.status === 403 ? so : error.message;
        (error.status === 403 ? current : wanted).input.focus();
        save.disabled = false;
      }
    });
    body.append(form);
    (me.password ? current : wanted).input.focus();
    if (await closed) {
      await this.show();
      toast(t("The password is kept."));
    }
  }
}

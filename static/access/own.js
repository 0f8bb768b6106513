// A one-time link: what is in it is sent when somebody says so, and then they choose how to come in next time.

import { element } from "../dom.js";
import { t, woven } from "../language.js";
import { post, put } from "../people/api.js";
import { kindOf, visitor } from "../visitor.js";
import { browserHasThem, deviceName, failed, isBareAddress, make } from "./passkeys.js";
import { ADVICE, SHORTEST, showable } from "./secret_field.js";
import { waitOut } from "./waiting.js";
import { goOn, localPath } from "./where.js";

const token = location.pathname.split("/").at(-1);
// Out of the address bar, the list of recent pages and any picture of the screen; loaded again, the page is that for signing in.
history.replaceState(null, "", "/sign-in");

const part = (id) => document.querySelector(`#${id}`);
const [title, link, refused, use, next, name, passkey, form, password, done] = ["title", "link", "refused", "use", "next", "name", "passkey", "form", "password", "done"].map(part);
const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname);
let called = ""; // the name that the server has
let landing = "/";

begin();

async function begin() {
  const state = await visitor();
  // Printed for this computer, before there is an owner: the link that makes one.
  if (state?.owner === false && isLocal) {
    title.textContent = t("Become the owner");
    use.textContent = t("Become the owner");
    part("link-words").textContent = t("The owner may do everything here: see who is known, add and forget people, and let others in. This link works once.");
  }
  if (kindOf(state) === "account") part("link-words").textContent = t("You are signed in as {name}. The link signs this device in as whoever it was made for, which may be somebody else.", state);
  const able = Boolean(state?.passkeys) && browserHasThem();
  passkey.hidden = !able;
  part("passkey-words").textContent = passkeyMeans(able);
  part("password-hint").textContent = ADVICE;
  use.disabled = false;
  use.focus();
}

/** What prints a link for the owner, as it is typed. */
const command = () => element("code", { translate: false, dir: "ltr", textContent: "visavis owner" });

function passkeyMeans(able) {
  const { hostname: host } = location;
  if (isBareAddress(host)) return t("Not at this address: browsers make no passkeys for bare IP addresses. They do where the server is opened by its name.");
  if (!able) return t("Not in this browser, at this address.");
  if (isLocal) return t("Your finger, your face or the PIN of this computer, and nothing to remember. It is bound to the name in the address bar: this one works on this computer alone. Other devices get one of their own.");
  return t("Your finger, your face or the PIN of this device, and nothing to remember. It is bound to the name in the address bar: it works where the server is opened as {host}, and not by its number.", { host });
}

use.addEventListener("click", async () => {
  use.disabled = true;
  refused.textContent = "";
  try {
    const answer = await post("/access/own", { token });
    landing = localPath(answer.landing) ?? "/";
    if (!answer.first) return location.replace(landing);
    welcome(answer);
  } catch (error) {
    if (error.status === 429) return waitOut(error.after, { words: refused, left: part("wait"), button: use });
    refused.replaceChildren(...(error.status === 401 ? woven("This link has been used, is over, or was never one. On the computer Visavis runs on, {command} prints a new one; for others the owner makes one on the page Access.", { command: command() }) : [error.message]));
    part("elsewhere").hidden = error.status !== 401;
    use.hidden = error.status === 401;
    use.disabled = false;
  }
});

function welcome({ name: given, role }) {
  called = given;
  name.value = given;
  title.textContent = role === "owner" ? t("You are the owner") : t("You are signed in");
  if (role === "owner") part("later-words").replaceChildren(...woven("This device stays signed in for some time. After that, only a new link lets you in: {command} prints it on the computer Visavis runs on.", { command: command() }));
  link.hidden = true;
  next.hidden = false;
  title.focus();
}

/** Keep the name where it was changed; whether that went well. */
async function named() {
  const wanted = name.value.trim();
  part("name-refused").textContent = "";
  if (wanted === called) return true;
  try {
    if (!wanted) throw new Error(t("Type a name first."));
    await put("/access/me/name", { name: wanted });
    called = wanted;
    return true;
  } catch (error) {
    part("name-refused").textContent = error.message;
    name.focus();
    return false;
  }
}

passkey.addEventListener("click", async () => {
  part("passkey-refused").textContent = "";
  passkey.disabled = true;
  try {
    if (!(await named())) return;
    const { id, publicKey } = await post("/access/me/passkeys/options");
    const credential = await make(publicKey);
    await post("/access/me/passkeys", { id, credential, label: deviceName() || t("Passkey ## the name of one") });
    end(t("Next time, press “Sign in with a passkey”."));
  } catch (error) {
    part("passkey-refused").textContent = failed(error);
  } finally {
    passkey.disabled = false;
  }
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = part("password-refused");
  part("user").value = name.value.trim(); // for password managers
  said.textContent = "";
  if ([...password.value].length < SHORTEST) {
    said.textContent = ADVICE;
    return password.focus();
  }
  part("save").disabled = true;
  try {
    if (!(await named())) return;
    await put("/access/me/password", { new: password.value });
    end(t("Next time, sign in as {name} with your password.", { name: called }));
  } catch (error) {
    said.textContent = error.message;
    password.focus();
  } finally {
    part("save").disabled = false;
  }
});

part("later").addEventListener("click", async () => (await named()) && location.replace(landing));

function end(words) {
  part("done-words").textContent = words;
  part("go-on").href = goOn("", landing);
  next.hidden = true;
  done.hidden = false;
  title.textContent = t("That is kept");
  title.focus();
}

showable(password);
addEventListener("pageshow", (event) => event.persisted && location.reload());

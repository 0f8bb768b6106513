// Signing in: by a passkey, from a button or where the name is typed, or by name and password.

import "../language_chooser.js";
import { t } from "../language.js";
import { post, Refusal } from "../people/api.js";
import { kindOf, readVisitor } from "../visitor.js";
import { browserHasThem, failed, isBareAddress, offersThem, use } from "./passkeys.js";
import { showable } from "./secret_field.js";
import { waitOut } from "./waiting.js";
import { goOn } from "./where.js";

const FRESH = 4 * 60_000; // ms that the server's question for a passkey is good for, where it does not say
const [nobody, already, ways, passkey, or, form, name, password, refused, wait, submit] = ["nobody", "already", "ways", "passkey", "or", "form", "name", "password", "refused", "wait", "submit"].map((id) => document.querySelector(`#${id}`));

let offering = null; // an AbortController while the browser offers passkeys where the name is typed
let renewing = null;

begin();

async function begin() {
  const state = await readVisitor();
  const kind = kindOf(state);
  nobody.hidden = kind === "unknown" || state.owner || kind === "local";
  document.querySelector("#no-passkeys").hidden = !isBareAddress(location.hostname);
  if (kind === "account" || kind === "local") return stay(state, kind);
  show(state);
}

/** Whoever is signed in already need not do it again. */
function stay(state, kind) {
  document.querySelector("#already-words").textContent = kind === "local" ? t("Whoever uses this computer is the owner here and need not sign in.") : t("You are signed in as {name}.", state);
  document.querySelector("#go-on").href = goOn(location.search, "/");
  document.querySelector("#another").addEventListener("click", () => {
    already.hidden = true;
    show(state);
    (passkey.hidden ? name : passkey).focus();
  });
  already.hidden = false;
}

function show(state) {
  const able = Boolean(state?.passkeys) && browserHasThem();
  passkey.hidden = or.hidden = !able;
  submit.className = able ? "secondary" : "primary";
  ways.hidden = false;
  if (able) offer();
}

/** Let the browser offer passkeys in the field of the name, for as long as the page stands. */
async function offer() {
  if (!(await offersThem())) return;
  clearTimeout(renewing);
  const mine = (offering = new AbortController());
  try {
    const { id, publicKey } = await post("/access/passkey/options");
    renewing = setTimeout(renew, Math.min(publicKey.timeout || FRESH, FRESH));
    const credential = await use(publicKey, { mediation: "conditional", signal: mine.signal });
    finish(await post("/access/passkey/sign-in", { id, credential }));
  } catch (error) {
    // Nobody asked for this: only a passkey that was chosen and refused is worth words.
    if (offering === mine && error instanceof Refusal && error.status === 401) say(t("The server does not know this passkey. Sign in another way."));
  }
}

function renew() {
  withdraw();
  if (!document.hidden) return offer();
  document.addEventListener("visibilitychange", renew, { once: true });
}

function withdraw() {
  clearTimeout(renewing);
  offering?.abort();
  offering = null;
}

passkey.addEventListener("click", async () => {
  withdraw(); // a browser does one at a time
  say("");
  passkey.disabled = true;
  try {
    const { id, publicKey } = await post("/access/passkey/options");
    const credential = await use(publicKey);
    return finish(await post("/access/passkey/sign-in", { id, credential }));
  } catch (error) {
    if (error.status === 401) say(t("The server does not know this passkey. Sign in another way."));
    else if (error.status === 429) return waitOut(error.after, { words: refused, left: wait, button: passkey });
    else say(failed(error));
  }
  passkey.disabled = false;
  passkey.focus();
  offer();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.disabled) return;
  const empty = [name, password].find((input) => !input.value.trim());
  if (empty) {
    say(t("Type your name and your password."));
    return empty.focus();
  }
  say("");
  submit.disabled = true;
  try {
    return finish(await post("/access/sign-in", { name: name.value.trim(), password: password.value }));
  } catch (error) {
    if (error.status === 429) return waitOut(error.after, { words: refused, left: wait, button: submit });
    say(error.status === 401 ? t("Name and password do not go together. Look at both again.") : error.message);
  }
  submit.disabled = false;
  password.focus();
  password.select();
});

function finish({ landing }) {
  withdraw();
  location.replace(goOn(location.search, landing));
}

function say(words) {
  refused.textContent = words;
}

showable(password);
// Back from the page behind this one: what it showed may no longer be so.
addEventListener("pageshow", (event) => event.persisted && location.reload());

// The keys of other programs: made, shown once, revoked.

import { element } from "../dom.js";
import { get, post, remove } from "../people/api.js";
import { button, failure, field, paragraph } from "../people/parts.js";

/** Show them, and a way to make one, in `root`. */
export async function showKeys(root, made = null) {
  try {
    const { keys, scopes, here } = await get("/keys");
    const about = paragraph("A key lets a program on this or another computer in, without the join link, to what you allow and nothing else. On this computer programs need none.", "soft");
    if (!here) {
      root.replaceChildren(about, paragraph("Keys are made on the computer that Visavis runs on: open this page there.", "card"));
      return;
    }
    root.replaceChildren(about, ...(made ? [fresh(made)] : []), keys.length ? list(root, keys) : paragraph("There are no keys yet."), form(root, scopes));
    if (made) root.querySelector(".fresh input").focus();
  } catch (error) {
    root.replaceChildren(failure(error, () => showKeys(root)));
  }
}

function fresh(made) {
  const value = element("input", { readOnly: true, value: made.key, spellcheck: false });
  value.addEventListener("focus", () => value.select());
  const said = element("span", { className: "soft", role: "status" });
  const copy = button("Copy", async () => {
    value.select();
    await navigator.clipboard.writeText(made.key).then(() => (said.textContent = "Copied."), () => (said.textContent = "Copy it with your keyboard."));
  });
  return element("div", { className: "card notice good fresh" }, field(`The key of ${made.name}. Keep it now: it is not shown again.`, value), element("div", { className: "row" }, copy, said));
}

function list(root, keys) {
  const lines = keys.map((key) => {
    const used = key.used ? `last used ${day(key.used)}` : "never used";
    const words = element("span", {}, element("b", { className: "name", textContent: key.name }), element("small", { textContent: `May ${key.scopes.join(", ")} · made ${day(key.created)} · ${used}` }));
    const gone = button("Revoke", () => sure(root, key, gone), "secondary danger");
    gone.setAttribute("aria-label", `Revoke ${key.name}`);
    return element("li", {}, words, gone);
  });
  return element("ul", { className: "changes" }, ...lines);
}

/** The first press asks, the second revokes. */
async function sure(root, key, pressed) {
  if (!pressed.dataset.sure) {
    pressed.dataset.sure = "yes";
    pressed.textContent = "Revoke for good?";
    pressed.setAttribute("aria-label", `Revoke ${key.name} for good?`);
    return;
  }
  try {
    await remove(`/keys/${key.id}`);
    await showKeys(root);
    root.querySelector("form input")?.focus();
  } catch (error) {
    root.append(failure(error));
  }
}

function form(root, scopes) {
  const name = element("input", { required: true, maxLength: 80, autocomplete: "off", placeholder: "Front door" });
  const boxes = scopes.map(({ scope, words }) => {
    const box = element("input", { type: "checkbox", value: scope, checked: scope === "read" });
    return element("label", { className: "check" }, box, element("span", {}, element("b", { textContent: scope }), element("small", { textContent: words })));
  });
  const refused = element("p", { className: "refused", role: "alert" });
  const allowed = element("fieldset", { className: "options" }, element("legend", { textContent: "It may" }), ...boxes);
  const made = element("form", { className: "card stack" }, element("h3", { textContent: "A new key" }), field("What it is for", name), allowed, refused, element("div", {}, element("button", { type: "submit", className: "primary", textContent: "Make a key" })));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = [...made.querySelectorAll(":checked")].map((box) => box.value);
    refused.textContent = wanted.length ? "" : "Choose at least one thing that it may do.";
    if (!wanted.length) return;
    try {
      await showKeys(root, await post("/keys", { name: name.value, scopes: wanted }));
    } catch (error) {
      refused.textContent = error.message;
    }
  });
  return made;
}

const day = (time) => new Date(time).toLocaleDateString();

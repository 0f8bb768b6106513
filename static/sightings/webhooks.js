// Webhooks: added, tested, sent again, removed.

import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { until } from "../people/words.js";
import { heard } from "../server_words.js";

const KINDS = [
  ["unknown", t("Somebody unknown comes"), t("When somebody unknown comes")],
  ["named", t("Somebody I know comes"), t("When somebody you know comes")],
  ["left", t("Somebody leaves"), t("When somebody leaves")],
];

/** Show them in `root`; `made` was added just now. */
export async function showWebhooks(root, made = null) {
  const about = paragraph(t("A webhook is an address in another program that is told, signed, of what happens; again and again until it has answered."), "soft");
  try {
    const { items } = await get("/webhooks");
    root.replaceChildren(about, ...(made ? [fresh(made)] : []), items.length ? list(root, items) : paragraph(t("There are no webhooks yet.")), form(root));
    if (made) root.querySelector(".fresh input").focus();
  } catch (error) {
    root.replaceChildren(about, error.status === 403 ? paragraph(error.message, "card") : failure(error, () => showWebhooks(root)));
  }
}

function fresh({ url, secret }) {
  const value = element("input", { readOnly: true, value: secret, spellcheck: false });
  value.addEventListener("focus", () => value.select());
  return element("div", { className: "card notice good fresh" }, field(t("The secret that signs what is sent to {url}. Keep it now: it is not shown again.", { url }), value));
}

function list(root, hooks) {
  return element("ul", { className: "changes" }, ...hooks.map((hook) => line(root, hook)));
}

function line(root, hook) {
  const told = hook.kinds.map((kind) => KINDS.find(([name]) => name === kind)[2]);
  const stands = joined([tn(hook.delivered, "{count} event delivered", "{count} events delivered"), hook.waiting && tn(hook.waiting, "{count} waiting ## events", "{count} waiting ## events"), hook.given_up && tn(hook.given_up, "{count} given up ## events", "{count} given up ## events")]);
  const status = element("p", { className: "soft", role: "status" });
  const words = element("span", {}, element("b", { className: "name", textContent: hook.url }), element("small", { textContent: enumerated([...told, hook.room && t("in room {room}", hook)]) }), element("small", { textContent: stands }), ...(hook.words ? [element("small", { className: "refused", textContent: t("{words} ({time})", { words: heard(hook.words), time: until(hook.last) }) })] : []), status);
  const act = (label, run) => {
    const made = button(label, async () => {
      made.disabled = true;
      try {
        await run(made);
      } catch (error) {
        status.textContent = error.message;
      }
      made.disabled = false;
    });
    made.ariaLabel = t("{action}: {address}", { action: label, address: hook.url });
    return made;
  };
  const test = act(t("Test"), async () => {
    status.textContent = t("Sending…");
    const { arrived, words } = await post(`/webhooks/${hook.id}/test`);
    status.textContent = arrived ? t("It arrived.") : heard(words);
  });
  const again = act(t("Send again"), async () => {
    await post(`/webhooks/${hook.id}/retry`);
    await showWebhooks(root);
  });
  const gone = act(t("Remove"), async (made) => {
    if (!made.dataset.sure) {
      made.dataset.sure = "yes";
      made.textContent = t("Remove for good?");
      return;
    }
    await remove(`/webhooks/${hook.id}`);
    await showWebhooks(root);
    root.querySelector("form input")?.focus();
  });
  const buttons = element("div", { className: "row wrap" }, test, ...(hook.given_up || hook.waiting ? [again] : []), gone);
  return element("li", {}, words, buttons, ...(hook.given_up ? [lost(hook)] : []));
}

/** What did not arrive, read when it is opened. */
function lost(hook) {
  const inside = element("ul");
  const details = element("details", { className: "visits lost" }, element("summary", { textContent: tn(hook.given_up, "{count} event did not arrive", "{count} events did not arrive") }), inside);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    try {
      const { items } = await get(`/webhooks/${hook.id}/given-up`);
      inside.replaceChildren(...items.map(({ event, attempts, words }) => element("li", { textContent: tn(attempts, "{event}, {time}: {words} ({count} try)", "{event}, {time}: {words} ({count} tries)", { event: [event.type, event.data.person?.name].filter(Boolean).join(" "), time: until(event.timestamp), words: heard(words) }) })));
    } catch (error) {
      inside.replaceChildren(element("li", {}, failure(error)));
    }
  });
  return details;
}

function form(root) {
  const url = element("input", { type: "url", required: true, maxLength: 2000, placeholder: t("The address that it gives you"), autocomplete: "off" });
  const room = element("input", { maxLength: 40, placeholder: t("Any"), autocomplete: "off", spellcheck: false });
  const boxes = KINDS.map(([value, words]) => element("label", { className: "check" }, element("input", { type: "checkbox", value, checked: value === "unknown" }), element("span", { textContent: words })));
  const refused = element("p", { className: "refused", role: "alert" });
  const made = element("form", { className: "card stack" }, element("h3", { textContent: t("A new webhook") }), field(t("Address"), url), element("fieldset", { className: "options" }, element("legend", { textContent: t("Tell it when") }), ...boxes), field(t("Room"), room), refused, element("div", {}, element("button", { type: "submit", className: "primary", textContent: t("Add") })));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const kinds = [...made.querySelectorAll(":checked")].map((box) => box.value);
    refused.textContent = kinds.length ? "" : t("Choose at least one thing to tell.");
    if (!kinds.length) return;
    try {
      await showWebhooks(root, await post("/webhooks", { url: url.value, kinds, ...(room.value.trim() ? { room: room.value.trim() } : {}) }));
    } catch (error) {
      refused.textContent = error.message;
    }
  });
  return made;
}

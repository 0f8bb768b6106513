// Webhooks: added, tested, sent again, removed.

import { element } from "../dom.js";
import { get, post, remove } from "../people/api.js";
import { button, failure, field, paragraph } from "../people/parts.js";
import { count, until } from "../people/words.js";

const KINDS = [
  ["unknown", "Somebody unknown comes", "somebody unknown comes"],
  ["named", "Somebody I know comes", "somebody you know comes"],
  ["left", "Somebody leaves", "somebody leaves"],
];

/** Show them in `root`; `made` was added just now. */
export async function showWebhooks(root, made = null) {
  const about = paragraph("A webhook is an address in another program that is told, signed, of what happens; again and again until it has answered.", "soft");
  try {
    const { items } = await get("/webhooks");
    root.replaceChildren(about, ...(made ? [fresh(made)] : []), items.length ? list(root, items) : paragraph("There are no webhooks yet."), form(root));
    if (made) root.querySelector(".fresh input").focus();
  } catch (error) {
    root.replaceChildren(about, error.status === 403 ? paragraph(error.message, "card") : failure(error, () => showWebhooks(root)));
  }
}

function fresh({ url, secret }) {
  const value = element("input", { readOnly: true, value: secret, spellcheck: false });
  value.addEventListener("focus", () => value.select());
  return element("div", { className: "card notice good fresh" }, field(`The secret that signs what is sent to ${url}. Keep it now: it is not shown again.`, value));
}

function list(root, hooks) {
  return element("ul", { className: "changes" }, ...hooks.map((hook) => line(root, hook)));
}

function line(root, hook) {
  const told = hook.kinds.map((kind) => KINDS.find(([name]) => name === kind)[2]).join(", ");
  const stands = [count(hook.delivered, "event") + " delivered", hook.waiting && `${hook.waiting} waiting`, hook.given_up && `${hook.given_up} given up`].filter(Boolean).join(" · ");
  const status = element("p", { className: "soft", role: "status" });
  const words = element("span", {}, element("b", { className: "name", textContent: hook.url }), element("small", { textContent: `When ${told}${hook.room ? `, in room ${hook.room}` : ""}` }), element("small", { textContent: stands }), ...(hook.words ? [element("small", { className: "refused", textContent: `${hook.words} (${until(hook.last)})` })] : []), status);
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
    made.ariaLabel = `${label}: ${hook.url}`;
    return made;
  };
  const test = act("Test", async () => {
    status.textContent = "Sending…";
    const { arrived, words } = await post(`/webhooks/${hook.id}/test`);
    status.textContent = arrived ? "It arrived." : words;
  });
  const again = act("Send again", async () => {
    await post(`/webhooks/${hook.id}/retry`);
    await showWebhooks(root);
  });
  const gone = act("Remove", async (made) => {
    if (!made.dataset.sure) {
      made.dataset.sure = "yes";
      made.textContent = "Remove for good?";
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
  const details = element("details", { className: "visits lost" }, element("summary", { textContent: `${count(hook.given_up, "event")} did not arrive` }), inside);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    try {
      const { items } = await get(`/webhooks/${hook.id}/given-up`);
      inside.replaceChildren(...items.map(({ event, attempts, words }) => element("li", { textContent: `${event.type}${event.data.person ? ` ${event.data.person.name}` : ""}, ${until(event.timestamp)}: ${words} (${count(attempts, "try", "tries")})` })));
    } catch (error) {
      inside.replaceChildren(element("li", {}, failure(error)));
    }
  });
  return details;
}

function form(root) {
  const url = element("input", { type: "url", required: true, maxLength: 2000, placeholder: "The address that it gives you", autocomplete: "off" });
  const room = element("input", { maxLength: 40, placeholder: "Any", autocomplete: "off", spellcheck: false });
  const boxes = KINDS.map(([value, words]) => element("label", { className: "check" }, element("input", { type: "checkbox", value, checked: value === "unknown" }), element("span", { textContent: words })));
  const refused = element("p", { className: "refused", role: "alert" });
  const made = element("form", { className: "card stack" }, element("h3", { textContent: "A new webhook" }), field("Address", url), element("fieldset", { className: "options" }, element("legend", { textContent: "Tell it when" }), ...boxes), field("Room", room), refused, element("div", {}, element("button", { type: "submit", className: "primary", textContent: "Add" })));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const kinds = [...made.querySelectorAll(":checked")].map((box) => box.value);
    refused.textContent = kinds.length ? "" : "Choose at least one thing to tell.";
    if (!kinds.length) return;
    try {
      await showWebhooks(root, await post("/webhooks", { url: url.value, kinds, ...(room.value.trim() ? { room: room.value.trim() } : {}) }));
    } catch (error) {
      refused.textContent = error.message;
    }
  });
  return made;
}

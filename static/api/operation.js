// One operation: what it is for, what goes in and out, how to ask, and asking it where nothing can be changed by it.

import { element } from "../dom.js";
import { field, paragraph } from "../people/parts.js";
import { signedOut } from "../signed_out.js";
import { address, bodies, command, kind } from "./document.js";

const MOST = 20_000; // characters of an answer that are shown

/** An operation folded up; what is inside is made when it is first opened. */
export function show(operation, spec) {
  const summary = element(
    "summary",
    {},
    element("span", { className: `method ${operation.method.toLowerCase()}`, textContent: operation.method }),
    element("code", { textContent: operation.path.replace("/api/v1", "") }),
    element("span", { className: "what", textContent: operation.summary }),
  );
  const made = element("details", { className: "folded operation" }, summary);
  made.addEventListener("toggle", () => made.open && made.children.length === 1 && made.append(inside(operation, spec)));
  return made;
}

function inside(operation, spec) {
  const words = (operation.description ?? "").split("\n\n").map((text) => paragraph(text.replaceAll("`", "")));
  const parts = element("div", { className: "stack" }, ...words, ...parameters(operation, spec));
  for (const { type, words } of bodies(operation.requestBody?.content, spec)) parts.append(...block(`Body: ${type}`, words || operation.requestBody.description || ""));
  for (const [status, answer] of Object.entries(operation.responses)) {
    if (Number(status) < 300) parts.append(...block(`Answer ${status}: ${Object.keys(answer.content ?? {}).join(", ") || "nothing"}`, bodies(answer.content, spec).map((one) => one.words).join("")));
  }
  const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
  parts.append(paragraph(`Refusals: ${errors.map(([status, answer]) => `${status} ${answer.description}`).join(", ")}.`, "soft"));
  parts.append(...block("From a terminal", command(operation, location.origin)));
  if (operation.method === "GET") parts.append(trying(operation));
  return parts;
}

function parameters(operation, spec) {
  const said = operation.parameters ?? [];
  if (!said.length) return [];
  const lines = said.map((one) => element("li", {}, element("code", { textContent: one.name }), ` ${one.in}${one.required ? ", required" : ""}: ${kind(one.schema, spec)}${one.description ? `. ${one.description}.` : ""}`));
  return [element("h4", { textContent: "Parameters" }), element("ul", { className: "parameters" }, ...lines)];
}

function block(title, text) {
  const head = element("h4", { textContent: title });
  return text ? [head, element("pre", { tabIndex: 0, ariaLabel: title, role: "group" }, element("code", { textContent: text }))] : [head];
}

function trying(operation) {
  const inputs = (operation.parameters ?? []).filter((one) => one.in !== "header").map((one) => [one.name, element("input", { required: one.required, autocomplete: "off", spellcheck: false })]);
  const answer = element("div", { className: "stack", role: "status" });
  const form = element("form", { className: "stack" }, element("div", { className: "fields" }, ...inputs.map(([name, input]) => field(name, input))), element("div", {}, element("button", { type: "submit", className: "secondary", textContent: "Try it" })), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()]));
    answer.replaceChildren(...(await asked(address(operation, values))));
  });
  return form;
}

async function asked(path) {
  try {
    const abort = new AbortController();
    const response = await fetch(path, { headers: { Accept: "application/json, */*" }, signal: abort.signal });
    if (response.status === 401) signedOut();
    const type = response.headers.get("Content-Type") ?? "";
    const title = `${response.status} ${response.statusText}`;
    if (!/json|text\/(plain|csv|vtt)/.test(type)) {
      abort.abort(); // a picture, a video, or a stream without end
      return block(`${title}: ${type || "nothing"}`, "");
    }
    const text = await response.text();
    const neat = type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    return block(title, neat.length > MOST ? `${neat.slice(0, MOST)}\n…` : neat);
  } catch {
    return [paragraph("The server cannot be reached. Is it still running, and are you in its network?", "refused")];
  }
}


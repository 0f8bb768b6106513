// What a room says as it happens: server-sent events, read by hand, since a browser's own reader tells no status and waits as it likes.

import { t } from "../language.js";
import { refusalWords } from "../people/api.js";
import { signedOut } from "../signed_out.js";
import { SessionError } from "../signalling.js";

const QUIET = 40_000; // ms without a word (the server says something every fifteen seconds) after which nobody is there

/** Takes the text of a stream apart (WHATWG HTML §9.2): `push` gives the events that are complete, {type, data}. */
export class EventParser {
  #rest = "";
  #type = "";
  #data = [];

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) events.push({ type: this.#type || "message", data: this.#data.join("\n") });
        this.#type = "";
        this.#data = [];
        continue;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "event") this.#type = value;
      else if (field === "data") this.#data.push(value);
    }
    return events;
  }
}

/** Listen until the stream ends; `heard(type, value)` is called for each event. Raises SessionError where it is refused; resolves when it broke off. */
export async function listen(path, heard, signal) {
  const giveUp = new AbortController();
  let timer = null;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => giveUp.abort(), QUIET);
  };
  signal.addEventListener("abort", () => giveUp.abort(), { signal: giveUp.signal });
  wait();
  try {
    const response = await fetch(path, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal: giveUp.signal }).catch(() => {
      throw new SessionError(t("The server does not answer."));
    });
    if (!response.ok) {
      const problem = await response.json().catch(() => null);
      const { status } = response;
      if (status === 401) signedOut();
      throw new SessionError(refusalWords(status, problem), { status, retry: ![401, 403, 404].includes(status), after: Number(response.headers.get("Retry-After")) || null });
    }
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ done: true }));
      if (done) return;
      wait();
      for (const { type, data } of parser.push(decoder.decode(value, { stream: true }))) heard(type, parsed(data));
    }
  } finally {
    clearTimeout(timer);
    giveUp.abort();
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

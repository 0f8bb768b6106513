// The one place that talks to the server: requests, and what their refusals mean in words.

import { t } from "../language.js";
import { heard } from "../server_words.js";
import { signedOut } from "../signed_out.js";

const ROOT = "/api/v1";

const WORDS = {
  0: t("The server cannot be reached. Is it still running, and are you in its network?"),
  401: t("You are signed out. Sign in again, or open the link that you came by."),
  403: t("The server does not allow that from here."),
  404: t("That is no longer there. Somebody may have removed it."),
  409: t("That does not go together with what is there now."),
  413: t("That is too large for the server."),
  415: t("That is not a picture the server can read."),
  429: t("That was too much at once. Wait a moment and try again."),
  503: t("The server is busy. Try again in a moment."),
};

/** A request that was refused, or that did not arrive (`status` 0). `message` is for people. */
export class Refusal extends Error {
  constructor(status, problem = null, after = null) {
    super(refusalWords(status, problem));
    this.status = status;
    this.problem = problem;
    this.after = after; // seconds to wait, where the server said so
  }

  /** Whether the same request may well succeed later. */
  get passing() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

/** What a refusal says: the server's own sentence where there is one. */
export function refusalWords(status, problem) {
  const detail = typeof problem?.detail === "string" ? problem.detail.trim() : "";
  if (detail) return heard(detail);
  return WORDS[status] ?? (status >= 500 ? t("Something went wrong on the server.") : t("The server refused that."));
}

let ahead = 0; // ms by which the server's clock is before this device's

/** When a time of the server's is, on this device's clock (ms since 1970). */
export const onThisClock = (iso) => Date.parse(iso) - ahead;

/** Ask the server; resolves to what it answered (`null` for nothing), throws a `Refusal`. */
export async function call(method, path, body, { signal, keepalive } = {}) {
  const init = { method, signal, keepalive, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(ROOT + path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0);
  }
  const now = Date.parse(response.headers.get("Date")) - Date.now();
  if (Number.isFinite(now)) ahead = Math.abs(now) < 2000 ? 0 : now; // it is to the second
  const text = await response.text().catch(() => "");
  return answer(response.status, text, response.headers.get("Retry-After"));
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);

/** Send a file as it is; `progress(bytes)` is told how much has gone. Fetch cannot tell that, hence the older way. */
export function upload(path, file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", ROOT + path);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = (event) => progress?.(event.loaded);
    request.onerror = () => reject(new Refusal(0));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onload = () => {
      try {
        resolve(answer(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      } catch (error) {
        reject(error);
      }
    };
    if (signal?.aborted) return reject(new DOMException("cancelled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

function answer(status, text, after) {
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    if (status < 400) throw new Refusal(502, { detail: t("The server answered something that makes no sense.") });
  }
  if (status >= 200 && status < 300) return value;
  if (status === 401) signedOut();
  throw new Refusal(status, value, /^\d+$/.test(after ?? "") ? Number(after) : null);
}

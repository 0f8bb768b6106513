// Where to go once signed in: a page of this server, whatever the address bar says. No DOM.

const APART = /^\/(sign-in|own|api|static|join)(\/|$)/; // no pages to come back to
const LETTERS = /^\/(?![/\\])[^\\\u0000-\u001f\u007f]*$/;

/** `text` as a path of this server with its query and fragment, or null for anything else. */
export function localPath(text, origin = globalThis.location?.origin) {
  if (typeof text !== "string" || !LETTERS.test(text)) return null;
  let url;
  try {
    url = new URL(text, origin);
  } catch {
    return null;
  }
  if (url.origin !== origin || APART.test(url.pathname) || url.pathname.startsWith("//")) return null; // "/.//elsewhere" as well
  return url.pathname + url.search + url.hash;
}

/** Where the page's address says to go on, else where the server says, else the first page. */
export const goOn = (search, landing, origin) => localPath(new URLSearchParams(search).get("next"), origin) ?? localPath(landing, origin) ?? "/";

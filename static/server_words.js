// What the server says in English, in the page's language: whole sentences, and sentences with something in them.

import { t, tn } from "./language.js";

/** A sentence of the server in the page's language; one that is not known here stays as it is. */
export function heard(text) {
  return text;
}

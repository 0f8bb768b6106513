// What follows when the server no longer knows this session: the page that signs in, once, with the way back.

import { kindOf, readVisitor, visitor } from "./visitor.js";

// Where no answer leads away: where one signs in, and the live page, which says it beside its camera.
const APART = ["/sign-in", "/own", "/"];

let busy = false;

/** Where to sign in and come back to here. */
export const signInPath = ({ pathname, search, hash } = location) => `/sign-in?next=${encodeURIComponent(pathname + search + hash)}`;

/** A request was answered 401. Leads away unless something else was wrong with it; whoever came by a link has nothing to sign in with. */
export async function signedOut() {
  if (busy || !globalThis.location || APART.includes(location.pathname)) return;
  busy = true;
  const before = kindOf(await visitor());
  const now = await readVisitor();
  if (before !== "link" && kindOf(now) === "nobody") location.assign(signInPath());
  else busy = false;
}

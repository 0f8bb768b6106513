// Who this page's visitor is to the server: asked once. Where the server cannot say, pages go on as if there were nothing to ask.

const STATE = "/api/v1/access/state";
const PATIENCE = 3000; // ms

let asked = null;

/** What `GET state` said when the page began, or null. */
export function visitor() {
  asked ??= readVisitor();
  return asked;
}

/** The same, asked now. */
export async function readVisitor() {
  try {
    const response = await fetch(STATE, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/**
 * What sort of visitor that is: "account" signed in, "local" the owner because this is their computer, "link" a guest by a link, "nobody" who has to
 * sign in, or "unknown" where the server did not say.
 */
export function kindOf(state) {
  if (typeof state?.owner !== "boolean") return "unknown";
  if (!state.role) return "nobody";
  if (state.signed_in && state.name !== null) return "account";
  return state.local_owner && state.role === "owner" ? "local" : "link";
}

// One evaluation on the server: begin it, send its files, follow it, let it go. No document.

import { call, get, post, remove, upload } from "../people/api.js";
import { Parcel, Queue } from "../people/queue.js";
import { tooMuch } from "./choice.js";

const ROOT = "/evaluations";
const AGAIN = 700; // ms between looks at how far it is

/** Where a part of the report is. */
export const reportAt = (id, kind, download = false) => `/api/v1${ROOT}/${id}/report.${kind}${download ? "?download" : ""}`;

/** The evaluation the server has, or `null`. */
export const current = async () => (await get(ROOT)).evaluation;

/** Let it go. One that is gone already is none to complain about. */
export const letGo = (id) => remove(`${ROOT}/${id}`).catch((error) => error.status === 404 || Promise.reject(error));

/** The page goes away: what was sent so far too, without waiting. */
export const abandon = (id) => call("DELETE", `${ROOT}/${id}`, undefined, { keepalive: true }).catch(() => null);

/** Send `files` and start; `opened(id)` and `moved(parcels)` hear how it goes. Resolves to the started evaluation.
 * Throws what was refused, and `AbortError` once `signal` is aborted; then nothing is left on the server. */
export async function send(files, allDistances, { opened, moved, signal }) {
  const { id, limits } = await post(ROOT, { all_distances: allDistances });
  opened(id);
  try {
    const refused = tooMuch(files, limits);
    if (refused) throw new Error(refused);
    await deliver(id, files, moved, signal);
    return await post(`${ROOT}/${id}/start`);
  } catch (error) {
    await letGo(id).catch(() => null);
    throw error;
  }
}

async function deliver(id, files, moved, signal) {
  const queue = new Queue({
    send: (parcel, ended) => upload(`${ROOT}/${id}/files?${new URLSearchParams({ file: parcel.path })}`, parcel.file, { signal: ended, progress: (sent) => ((parcel.sent = sent), moved(queue.parcels)) }),
    changed: () => {
      moved(queue.parcels);
      if (queue.busy && queue.parcels.some(({ state }) => state === "failed")) queue.cancel();
    },
  });
  signal.addEventListener("abort", () => queue.cancel(), { once: true });
  queue.add(files.map(({ file, path }) => new Parcel({ file, path })));
  await queue.settled();
  if (signal.aborted) throw new DOMException("cancelled", "AbortError");
  const failed = queue.parcels.find(({ state }) => state === "failed");
  if (failed) throw failed.error;
}

/** Follow an evaluation until it is over; `moved(evaluation)` hears how far it is. Resolves to what it is then, or to
 * `null` where it is gone. */
export async function follow(id, moved, pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))) {
  for (;;) {
    try {
      const evaluation = await get(`${ROOT}/${id}`);
      moved(evaluation);
      if (evaluation.state !== "running") return evaluation;
    } catch (error) {
      if (error.status === 404) return null;
      if (!error.passing) throw error;
    }
    await pause(AGAIN);
  }
}

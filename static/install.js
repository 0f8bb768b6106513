// Visavis as an app of its own: the offline shell, and a button where the browser offers to install it.

import { $ } from "./dom.js";

const WORKER = "/offline-worker.js";
let offer = null; // the browser's, to be made at most once

/** The worker's address in the shape that the content policy asks for, where the browser knows it (Trusted Types). */
function trusted() {
  return globalThis.trustedTypes?.createPolicy("visavis", { createScriptURL: () => WORKER }).createScriptURL(WORKER) ?? WORKER;
}

/** Register the offline shell and show the button when there is an offer. */
export function offerInstallation() {
  // Refused where the certificate is not trusted; the page works without it.
  navigator.serviceWorker?.register(trusted(), { scope: "/" }).catch(() => {});
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault(); // it waits in the panel and is not laid over the picture
    offer = event;
    show();
  });
  addEventListener("appinstalled", () => {
    offer = null;
    show();
  });
  $("install").addEventListener("click", async () => {
    const made = offer;
    offer = null;
    show();
    await made?.prompt();
  });
}

function show() {
  $("install-offer").hidden = offer === null;
}

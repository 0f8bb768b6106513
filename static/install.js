// Visavis as an app of its own: the offline shell, and a button where the browser offers to install it.

import { $ } from "./dom.js";

let offer = null; // the browser's, to be made at most once

/** Register the offline shell and show the button when there is an offer. */
export function offerInstallation() {
  // Refused where the certificate is not trusted; the page works without it.
  navigator.serviceWorker?.register("/offline-worker.js", { scope: "/" }).catch(() => {});
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

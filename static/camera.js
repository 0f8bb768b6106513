// The camera: asking for it, choosing it, and what to do when it cannot be had.

import { t } from "./language.js";

const REMEMBERED = "visavis.camera";

/** Something stands between the page and a camera; `advice` says the way out. */
export class CameraError extends Error {
  constructor(title, advice, canRetry = true) {
    super(title);
    this.advice = advice;
    this.canRetry = canRetry;
  }
}

/** What an error of getUserMedia means for a person. */
export function explain(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new CameraError(
        t("The camera is not allowed"),
        t("Allow it at the camera or lock sign beside the address. If it is allowed there, allow this browser the camera in the settings of your device. Then try again."),
      );
    case "NotFoundError":
      return new CameraError(t("No camera was found"), t("Plug in a camera, or open this page on a phone, then try again."));
    case "NotReadableError":
      return new CameraError(
        t("The camera is busy"),
        t("Another program or tab uses it. Close that one, or choose another camera, then try again."),
      );
    case "OverconstrainedError":
      return new CameraError(
        t("This camera cannot do that"),
        t("The camera chosen before is gone or cannot give such a picture. Try again with any camera."),
      );
    case "AbortError":
      return new CameraError(t("The camera stopped while starting"), t("Unplug it and plug it in, then try again."));
    default:
      return new CameraError(t("The camera cannot be used"), t("{reason}. Try again.", { reason: error.message || error.name }));
  }
}

/** The camera in use. `onEnded` is called when it stops by itself, `onMuted` with whether it gives no pictures. */
export class Camera {
  stream = null;
  facing = null; // "user" | "environment" | null
  #onEnded;
  #onMuted;
  #asked = 0; // counts openings and closings: an answer to an older question is no longer wanted

  constructor({ onEnded, onMuted }) {
    this.#onEnded = onEnded;
    this.#onMuted = onMuted;
  }

  get track() {
    return this.stream?.getVideoTracks()[0] ?? null;
  }

  /**
   * Ask for a camera: a certain one, one that faces a side, or the one used last. Resolves to its stream, or to null if the camera was
   * closed or asked for anew meanwhile. Raises CameraError.
   */
  async open(video, { deviceId, facing } = {}) {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
      throw new CameraError(
        t("The camera needs a secure connection"),
        t("Browsers give a page the camera only over https or on the computer itself. Open the https link, or this page as http://localhost on the computer that runs it."),
        false,
      );
    }
    const size = { width: { ideal: video.width }, height: { ideal: video.height }, frameRate: { ideal: video.frameRate } };
    const wanted = deviceId ?? (facing ? null : recall());
    const choice = wanted ? { deviceId: { exact: wanted } } : { facingMode: facing ?? "user" };
    const asked = ++this.#asked;
    this.track?.stop(); // many phones give out one camera at a time
    let stream;
    try {
      stream = await ask(size, choice);
    } catch (error) {
      if (asked !== this.#asked) return null;
      throw explain(error);
    }
    if (asked !== this.#asked) {
      stream.getTracks().forEach((track) => track.stop());
      return null;
    }
    this.stream = stream;
    const track = this.track;
    track.addEventListener("ended", () => this.track === track && this.#onEnded());
    track.addEventListener("mute", () => this.track === track && this.#onMuted(true));
    track.addEventListener("unmute", () => this.track === track && this.#onMuted(false));
    const settings = track.getSettings();
    this.facing = settings.facingMode ?? (facing || "user");
    if (settings.deviceId) remember(settings.deviceId);
    return stream;
  }

  /** All cameras, named once one is allowed. */
  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((device) => device.kind === "videoinput");
  }

  get deviceId() {
    return this.track?.getSettings().deviceId ?? null;
  }

  /** Let go of the camera, or of the wish for one. */
  close() {
    this.#asked += 1;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }
}

async function ask(size, choice) {
  const media = navigator.mediaDevices;
  try {
    return await media.getUserMedia({ video: { ...size, ...choice }, audio: false });
  } catch (error) {
    const gone = error.name === "OverconstrainedError" || (choice.deviceId && error.name === "NotFoundError");
    if (!gone) throw error;
    return media.getUserMedia({ video: size, audio: false }); // the camera chosen before is gone: any will do
  }
}

function recall() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null; // storage is switched off: nothing is remembered
  }
}

function remember(id) {
  try {
    localStorage.setItem(REMEMBERED, id);
  } catch {
    // as above
  }
}

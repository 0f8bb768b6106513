// 'Set up distances': one measurement that tells what this camera sees, by standing somewhere or with a bank card.

import { CardPicture } from "./card_picture.js";
import { $ } from "./dom.js";
import { number } from "./figures.js";
import { cameraKey, degrees } from "./known_cameras.js";
import { t } from "./language.js";
import { metres as inMetres, span } from "./reading.js";
import { errorWords } from "./server_words.js";

const STANDING = 5; // seconds to get to one's place
const HOLDING = 3; // … and to hold up a card
const PATIENCE = 12000; // milliseconds for an answer
const MISFIT = t("No camera sees it like that. Check the distance, and the two lines if it was a card.");

/**
 * The dialog, and the camera's part of the panel. `command` sends a command and returns its number or null; `largest()` gives the nearest face's
 * newest result, or null; `camera` is the Camera in use; `known` the KnownCameras.
 */
export class Calibrate {
  #dialog = $("calibrate");
  #send;
  #largest;
  #camera;
  #known;
  #card = new CardPicture($("card-picture"), $("card-left"), $("card-right"));
  #command = null; // the number of the measurement that waits for its answer
  #timer = null;
  #before = null; // the distance as it was judged until now

  constructor({ command, largest, camera, known }) {
    this.#send = command;
    this.#largest = largest;
    this.#camera = camera;
    this.#known = known;
    const clicks = {
      "calibrate-open": () => this.open(),
      "calibrate-forget": () => this.forget(),
      "calibrate-cancel": () => this.#dialog.close(),
      "calibrate-again": () => this.#step("choose"),
      "calibrate-use": () => this.#measureCard(),
    };
    for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
    $("calibrate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#dialog.dataset.step === "choose") this.#go();
    });
    for (const input of document.querySelectorAll("input[name=how]")) input.addEventListener("change", () => this.#how());
    $("card-ruler").addEventListener("change", () => this.#how());
    this.#dialog.addEventListener("close", () => this.#closed());
    this.show();
  }

  open() {
    this.#dialog.showModal();
    this.#step("choose");
  }

  /** A session began, or another camera is used in it: tell the server what is known of the camera. `fresh`: the server knows nothing yet. */
  tell(fresh) {
    const kept = this.#kept;
    if (kept) this.#send("camera", { from: "kept", ...kept });
    else if (!fresh) this.#send("camera", { from: "usual" });
    this.show();
  }

  forget() {
    this.#known.forget(this.#key);
    this.#send("camera", { from: "usual" });
    this.show();
    $("calibrate-open").focus();
  }

  /** The camera's part of the panel. */
  show() {
    const live = this.#camera.track !== null;
    const kept = live ? this.#kept : null;
    $("calibrate-state").textContent = !live
      ? t("Start the camera to set it up.")
      : kept
        ? measuredBy(kept)
        : t("This camera is taken for a usual one, so distances are rough. Set it up once and they get up to twice as exact.");
    $("calibrate-open").disabled = !live;
    $("calibrate-open").textContent = kept ? t("Measure again…") : t("Set up distances…");
    $("calibrate-forget").hidden = !kept;
  }

  /** A message of the commands channel that may be the answer. */
  message(message) {
    if (this.#command === null || message.id !== this.#command) return;
    if (message.type === "error") return this.#failed(message.code === "bad_message" ? MISFIT : errorWords(message));
    if (message.type !== "camera") return;
    this.#stopWaiting();
    this.#known.keep(this.#key, message);
    this.show();
    this.#step("done");
    const before = this.#before;
    $("calibrate-result").textContent = t("Your camera sees {degrees}° wide. That is remembered in this browser.", { degrees: degrees(message.focal) });
    // The next results are judged anew: show what that did.
    this.#timer = setTimeout(() => {
      const after = this.#largest()?.distance;
      if (!before || !after) return;
      $("calibrate-result").textContent += ` ${t("You are about {metres} away, {span}; before, it could only be said to be {before}.", { metres: inMetres(after.m), span: span(after), before: span(before) })}`;
    }, 700);
  }

  /** The connection is gone. */
  lost() {
    if (this.#dialog.open && this.#dialog.dataset.step !== "done") this.#failed(t("The connection broke. Try again in a moment."));
  }

  get #key() {
    const settings = this.#camera.track?.getSettings() ?? {};
    return cameraKey({ deviceId: settings.deviceId, label: this.#camera.track?.label, width: settings.width, height: settings.height });
  }

  get #kept() {
    return this.#known.get(this.#key);
  }

  get #byCard() {
    return document.querySelector("input[name=how]:checked").value === "card";
  }

  /** Metres from the lens to the card. */
  get #ruler() {
    const chosen = $("card-ruler").value;
    return Number(chosen === "own" ? $("card-metres").valueAsNumber : chosen) / 100;
  }

  #how() {
    $("how-distance").hidden = this.#byCard;
    $("how-card").hidden = !this.#byCard;
    $("card-own").hidden = $("card-ruler").value !== "own";
    $("calibrate-go").textContent = this.#byCard ? t("Take the picture") : t("Start");
    this.#status("");
  }

  #go() {
    const field = this.#byCard ? $("card-metres") : $("stand-metres");
    const asked = !this.#byCard || $("card-ruler").value === "own";
    if (asked && !field.checkValidity()) {
      const range = { least: Number(field.min), most: Number(field.max) };
      this.#status(this.#byCard ? t("Type the centimetres from {least} to {most}.", range) : t("Type the metres from {least} to {most}.", range));
      field.focus();
      return;
    }
    this.#before = this.#largest()?.distance ?? null;
    this.#step("wait");
    $("calibrate-cancel").focus();
    if (this.#byCard) this.#count(HOLDING, t("Hold the card flat and level"), () => this.#takeCard());
    else this.#count(STANDING, t("Go to your place, {metres} from the camera, and look at it", { metres: inMetres($("stand-metres").valueAsNumber) }), () => this.#stand());
  }

  #count(left, words, then) {
    $("calibrate-count").textContent = number(left);
    $("calibrate-words").textContent = words;
    this.#timer = left === 0 ? null : setTimeout(() => this.#count(left - 1, words, then), 1000);
    if (left === 0) then();
  }

  #stand() {
    const face = this.#largest();
    if (!face) return this.#failed(t("Nobody was in the picture. Stand where the camera sees your face."));
    $("calibrate-count").textContent = "";
    $("calibrate-words").textContent = t("Stay there and look at the camera");
    this.#ask({ from: "distance", track: face.track, metres: $("stand-metres").valueAsNumber });
  }

  #takeCard() {
    if (!this.#card.take($("video"))) return this.#failed(t("The camera gives no picture at the moment."));
    this.#step("card");
    this.#card.place(); // it has a size only now
    $("card-left").focus();
  }

  #measureCard() {
    const { pixels, width, height } = this.#card;
    this.#ask({ from: "card", pixels, width, height, metres: this.#ruler });
  }

  #ask(facts) {
    this.#command = this.#send("camera", facts);
    if (this.#command === null) return this.#failed(t("There is no connection now. Try again in a moment."));
    this.#timer = setTimeout(() => this.#failed(t("The server did not answer. Try again.")), PATIENCE);
  }

  #failed(words) {
    const back = this.#dialog.dataset.step === "card" ? "card" : "choose";
    this.#stopWaiting();
    this.#step(back);
    this.#status(words);
  }

  #stopWaiting() {
    clearTimeout(this.#timer);
    this.#timer = this.#command = null;
  }

  /** "choose" (how, and how far), "wait" (a countdown, then a measurement), "card" (where its edges are) or "done". */
  #step(step) {
    this.#dialog.dataset.step = step;
    $("calibrate-choose").hidden = step !== "choose";
    $("calibrate-wait").hidden = step !== "wait";
    $("calibrate-card").hidden = step !== "card";
    $("calibrate-done").hidden = step !== "done";
    $("calibrate-go").hidden = step !== "choose";
    $("calibrate-use").hidden = step !== "card";
    $("calibrate-again").hidden = step !== "card" && step !== "done";
    $("calibrate-again").textContent = step === "card" ? t("Retake") : t("Measure again");
    $("calibrate-cancel").textContent = step === "done" ? t("Close") : t("Cancel");
    if (step === "choose") this.#how();
    this.#status("");
    if (step === "done") $("calibrate-cancel").focus();
  }

  #closed() {
    this.#stopWaiting();
    this.#card.clear();
    if ($("calibrate-forget").hidden) return;
    $("calibrate-open").focus();
  }

  #status(text) {
    $("calibrate-status").textContent = text;
  }
}

function measuredBy({ known, focal }) {
  const values = { degrees: degrees(focal) };
  return known === "card"
    ? t("This camera was measured with a bank card: it sees {degrees}° wide.", values)
    : t("This camera was measured from a known distance: it sees {degrees}° wide.", values);
}

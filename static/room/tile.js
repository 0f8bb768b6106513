// A camera on the wall: its picture, what stands over it, and its caption.

import { element } from "../dom.js";
import { t } from "../language.js";
import { present } from "../words.js";
import { HostMenu } from "./host_menu.js";
import { measuredOf, Picture } from "./picture.js";
import { cameraFacts, PILL_MEANS, pillWords, stateExplained, stateWord } from "./state_words.js";
import { icon } from "./parts.js";
import { Watch } from "./watch.js";
import { Watching } from "./watching.js";

const SPOKEN = 1000; // ms between two writings of who is in the picture

export class Tile {
  camera = null;
  measured = measuredOf();
  #watching;
  #picture;
  #menu;
  #said = { words: "" };
  #spokenAt = 0;
  #name = element("h2", { className: "name" });
  #state = element("span", { className: "state" });
  #pill = element("span", { className: "figures", title: PILL_MEANS });
  #facts = element("p", { className: "facts soft" });
  #words = element("p");
  #retry = element("button", { type: "button", className: "secondary", textContent: t("Try again") });
  #over = element("div", { className: "over", hidden: true }, this.#words, this.#retry);
  #paused = element("p", { className: "paused", textContent: t("Recognition is paused") });
  #seen = element("p", { className: "visually-hidden" });
  #large = element("button", { type: "button", className: "enlarge" });

  /** `page` is what the page is about: {room, host(), ice(), say(words)}; `enlarge(id)` makes a tile large, or all alike again. */
  constructor(id, page, enlarge) {
    this.#picture = new Picture(this.measured, () => this.#show());
    this.#watching = new Watching(() => new Watch(page.ice(), page.room, id), {
      stream: (stream) => {
        this.#picture.stream(stream);
        this.#show();
      },
      result: (result, arrived) => this.#picture.result(result, arrived),
      message: (message) => this.#picture.message(message),
      said: (said) => {
        this.#said = said;
        this.#show();
      },
    });
    this.#menu = new HostMenu(id, page, this.#name);
    this.#large.addEventListener("click", () => enlarge(id));
    this.#retry.addEventListener("click", () => this.#watching.retry());
    this.#picture.element.append(this.#paused, this.#large, this.#over);
    const title = element("div", { className: "title" }, this.#name, element("p", { className: "about" }, this.#state, this.#pill));
    this.element = element("li", { className: "camera" }, this.#picture.element, element("div", { className: "caption" }, title, this.#facts, this.#menu.element), this.#seen);
    this.element.dataset.camera = id;
  }

  /** What the room says of it; `name` is what it is called, `strangers` what they are by their tracks, `large` whether it fills the wall. */
  update(camera, name, strangers, large) {
    this.#picture.called = strangers;
    this.camera = camera;
    this.element.dataset.state = camera.state;
    this.#name.textContent = name;
    this.#picture.name(name);
    this.#state.textContent = stateWord(camera.state);
    this.#pill.textContent = camera.state === "live" ? pillWords(camera) : "";
    this.#paused.hidden = camera.recognising !== false;
    this.element.classList.toggle("large", large);
    this.#large.ariaLabel = large ? t("{camera}: show all cameras", { camera: name }) : t("{camera}: make large", { camera: name });
    this.#large.replaceChildren(icon(large ? "close" : "full"));
    this.#facts.hidden = !large;
    this.#menu.update(camera, name);
    this.#watching.state(camera.state);
    this.#show();
  }

  /** Whether somebody looks at it. */
  look(wanted) {
    this.#watching.look(wanted);
  }

  hurry() {
    this.#watching.hurry();
  }

  /** Draw; called with every frame of the screen. */
  draw(now) {
    this.#picture.draw(now);
    if (now - this.#spokenAt < SPOKEN) return;
    this.#spokenAt = now;
    const seen = this.measured.firstFrameAt === null ? "" : present(this.#picture.faces);
    if (this.#seen.textContent !== seen) this.#seen.textContent = seen;
    if (!this.#facts.hidden) this.#facts.textContent = cameraFacts(this.camera, this.#picture.glass);
  }

  /** What stands over the picture: a problem with watching first, then what the camera does. */
  #show() {
    const showing = this.measured.firstFrameAt !== null;
    const { words, again, busy } = this.#said;
    const problem = busy && !again ? "" : words; // that it connects is said only until it shows something
    const state = this.camera ? stateExplained(this.camera.state) : "";
    const said = problem || state || (showing ? "" : words);
    if (this.#words.textContent !== said) this.#words.textContent = said;
    this.#over.hidden = !said;
    this.#retry.hidden = !(problem && again);
    this.element.dataset.showing = String(showing);
  }

  focus() {
    this.#large.focus({ preventScroll: true });
  }

  end() {
    this.#watching.end();
    this.element.remove();
  }
}

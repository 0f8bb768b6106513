// Consent mode of a room: that it is on, and the host's switch.

import { $, element } from "../dom.js";
import { t } from "../language.js";
import { patch } from "../people/api.js";
import { toast } from "../toast.js";

/** A switch for consent mode; `id` is its input's. */
export function consentSwitch(id) {
  const input = element("input", { id, type: "checkbox", role: "switch" });
  const about = element("small", { textContent: t("Everybody who is not enrolled with a consent that holds is blurred in what others see, and nothing is kept of them.") });
  return { input, label: element("label", { className: "switch" }, input, element("span", {}, t("Blur faces without consent"), about)) };
}

/** The note over the wall, and the switch in the host's panel. */
export class Consent {
  #on = false;
  #asking = false;

  constructor(room) {
    const { input, label } = consentSwitch("room-consent");
    this.element = label;
    input.addEventListener("change", async () => {
      this.#asking = true;
      try {
        this.#on = (await patch(`/rooms/${encodeURIComponent(room)}`, { consent_mode: input.checked })).consent_mode;
      } catch (error) {
        toast(error.message);
      }
      this.#asking = false;
      this.#show();
    });
  }

  /** What the room says, or null where there is none. */
  update(state) {
    this.#on = state?.consent_mode === true;
    if (!this.#asking) this.#show();
  }

  #show() {
    $("blurred").hidden = !this.#on;
    document.body.dataset.blurred = String(this.#on);
    this.element.querySelector("input").checked = this.#on;
  }
}

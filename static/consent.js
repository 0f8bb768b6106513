// The part of a form that asks why somebody may be recognised: a box to tick, and more for whoever needs it.

import { agreeWords, ahead, BASES, dayOf, mayBeRecognised } from "./consent_words.js";
import { element } from "./dom.js";
import { t } from "./language.js";
import { get } from "./people/api.js";

const KEPT = "visavis.purpose";
let asking = null;

/** What this server asks: {required, days, grace, purpose}. Where it cannot be read, the server says itself what is missing. */
export function consentAsked() {
  asking ??= get("/config").then(({ consent }) => consent ?? UNKNOWN, () => {
    asking = null;
    return UNKNOWN;
  });
  return asking;
}

const UNKNOWN = { required: false, days: 365, grace: 30, purpose: "" };
const folded = (name) => name.trim().normalize("NFKC").toLocaleLowerCase();

/** Why a form cannot be sent yet. */
export class Unsaid extends Error {}

/** `quiet`: not seen before a name is typed; `many`: about several people; `open`: with everything to be filled in at once. */
export class ConsentPart {
  #asked = UNKNOWN;
  #lawful = new Set();
  #quiet;
  #many;
  #name = "";
  #hidden = false;
  #agree = element("input", { type: "checkbox" });
  #words = element("span");
  #basis = element("select", {}, ...Object.entries(BASES).map(([value, textContent]) => element("option", { value, textContent })));
  #purpose = element("input", { maxLength: 200, autocomplete: "off" });
  #given = element("input", { type: "date", min: "1900-01-01" });
  #expires = element("input", { type: "date" });
  #more;

  constructor({ quiet = false, many = false, open = false } = {}) {
    [this.#quiet, this.#many] = [quiet, many];
    const labelled = (label, input, hint = "") => element("label", { className: "field" }, element("span", { textContent: label }), input, ...(hint ? [element("small", { textContent: hint })] : []));
    const days = element("div", { className: "days" }, labelled(t("Since"), this.#given), labelled(t("Until"), this.#expires, t("Empty: no end")));
    const fields = element("div", { className: "stack" }, labelled(t("Reason"), this.#basis), labelled(t("What for"), this.#purpose), days);
    this.#more = element("details", { open }, element("summary", { textContent: t("Another reason, or other dates …") }), fields);
    this.drawn = element("fieldset", { className: "consent", hidden: true }, element("legend", { className: "visually-hidden", textContent: t("Why they may be recognised") }), element("label", { className: "agree" }, this.#agree, this.#words), this.#more);
    for (const input of [this.#basis, this.#expires]) input.addEventListener("input", () => this.#say());
    this.#agree.addEventListener("change", () => this.#agree.removeAttribute("aria-invalid"));
    this.ready = consentAsked().then((asked) => {
      this.#asked = asked;
      this.reset();
    });
  }

  /** These people need no more words; `people` as the server lists them. */
  know(people) {
    this.#lawful = new Set(people.filter(mayBeRecognised).map(({ name }) => folded(name)));
    this.#show();
  }

  /** Follow what is typed as the name. */
  watch(input) {
    input.addEventListener("input", () => this.about(input.value));
    this.about(input.value);
  }

  /** Of whom it is asked. */
  about(name) {
    this.#name = name;
    this.#show();
  }

  /** Nothing is kept of whom it is about: nothing is asked. */
  set needless(needless) {
    this.#hidden = needless;
    this.#show();
  }

  /** What was said, or null where nothing has to be. Throws an `Unsaid`. */
  read() {
    if (this.drawn.hidden) return null;
    if (!this.#agree.checked) {
      if (!this.#asked.required) return null;
      this.#agree.setAttribute("aria-invalid", "true");
      this.#agree.focus();
      throw new Unsaid(t("Say first that they agree, or choose another reason."));
    }
    const said = { purpose: this.#purpose.value.trim(), basis: this.#basis.value, expires: this.#expires.value || null };
    if (this.#given.value && this.#given.value !== dayOf(new Date())) said.given = this.#given.value;
    if (!said.purpose) {
      this.#more.open = true;
      this.#purpose.focus();
      throw new Unsaid(t("Say what they are recognised for."));
    }
    remember(said.purpose === this.#asked.purpose ? "" : said.purpose);
    return said;
  }

  /** Ask anew: the next one has agreed to nothing yet. */
  reset() {
    this.#agree.checked = false;
    this.#agree.removeAttribute("aria-invalid");
    this.#basis.value = "consent";
    this.#purpose.value = remembered() || this.#asked.purpose;
    this.#given.value = this.#given.max = dayOf(new Date());
    this.#expires.value = ahead(this.#asked.days);
    this.#expires.min = ahead(1);
    this.#say();
    this.#show();
  }

  #show() {
    const known = this.#lawful.has(folded(this.#name));
    this.drawn.hidden = this.#hidden || known || (this.#quiet && !this.#name.trim());
  }

  #say() {
    this.#words.textContent = agreeWords({ basis: this.#basis.value, expires: this.#expires.value, many: this.#many });
  }
}

/** The fields of a request with what was said; nothing more where nothing was. */
export const withConsent = (fields, consent) => (consent ? { ...fields, consent } : fields);

function remembered() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // nothing is kept in this browser
  }
}

function remember(purpose) {
  try {
    if (purpose) localStorage.setItem(KEPT, purpose);
    else localStorage.removeItem(KEPT);
  } catch {
    // the same
  }
}

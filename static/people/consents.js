// Why one person may be recognised: how it stands, how it came to be, and what can be done about it.

import { ConsentPart, consentAsked, Unsaid } from "../consent.js";
import { BASES, erasedOn, mayBeRecognised, reason, standing } from "../consent_words.js";
import { element } from "../dom.js";
import { joined, t, tn } from "../language.js";
import { get, post } from "./api.js";
import { ask, sheet } from "./dialogs.js";
import { button, paragraph } from "./parts.js";
import { until } from "./words.js";

/** The section of a person's page. `page` says what happened and shows it anew. */
export function consents(person, page) {
  const { consent } = person;
  const history = element("details", { className: "folded" }, element("summary", { textContent: t("Every record") }));
  history.addEventListener("toggle", () => history.open && fill(history, person, page), { once: true });
  const over = consent.state === "over" || consent.state === "withdrawn";
  const fate = paragraph("", "soft");
  const withdraw = button(t("Withdraw …"), () => withdrawn(person, page), "secondary danger");
  withdraw.hidden = consent.state === "withdrawn";
  const renew = button(consent.state === "not_recorded" ? t("Record why …") : t("Renew …"), () => renewed(person, page), mayBeRecognised(person) ? "secondary" : "primary");
  if (over) consentAsked().then(({ grace }) => (fate.textContent = t("Everything kept of this person is erased on {date}, unless it is renewed until then.", { date: erasedOn(consent, grace) })));
  return element(
    "section",
    { className: "part" },
    element("h3", { textContent: t("Why they may be recognised") }),
    element(
      "div",
      { className: over ? "card notice stack" : "card stack" },
      element("p", {}, element("b", { className: over || consent.state === "not_recorded" ? "chip needs" : "chip good", textContent: standing(consent) })),
      ...(consent.state === "not_recorded" ? [] : [paragraph(joined([reason(consent), consent.purpose]))]),
      ...(over ? [fate] : []),
      element("div", { className: "row wrap" }, renew, withdraw),
    ),
    history,
  );
}

async function fill(list, person, page) {
  try {
    const { consents: all } = await get(`/people/${person.id}/consents`);
    const row = (one, at) => {
      const words = one.withdrawn ? t("Withdrawn") : joined([BASES[one.basis] ?? t("No reason recorded"), one.purpose]);
      return element("li", {}, element("span", {}, words, element("small", { textContent: t("recorded {time} by {who}", { time: until(one.recorded), who: one.recorded_by }) })), at === 0 ? element("small", { textContent: t("counts now ## one record of several") }) : "");
    };
    list.append(element("ul", { className: "changes" }, ...all.map(row)));
  } catch (error) {
    page.say(error.message);
  }
}

async function renewed(person, page) {
  const { body, close, closed } = sheet(t("Why may {name} be recognised?", person));
  const part = new ConsentPart({ open: true });
  const said = element("p", { className: "refused", role: "alert" });
  const save = button(t("Save"), null, "primary");
  save.type = "submit";
  const form = element("form", { className: "sheet-body", noValidate: true }, part.drawn, said, element("div", { className: "row end" }, button(t("Cancel"), () => close()), save));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    save.disabled = true;
    try {
      const consent = part.read();
      if (!consent) throw new Unsaid(t("Say first that they agree, or choose another reason."));
      close(await post(`/people/${person.id}/consents`, consent));
    } catch (error) {
      said.textContent = error.message;
      save.disabled = false;
    }
  });
  body.append(form);
  part.drawn.querySelector("input").focus();
  if (await closed) page.changed(t("{name} is recognised.", person), []);
}

async function withdrawn(person, page) {
  const { grace } = await consentAsked();
  const follows = grace
    ? tn(grace, "{name} is not recognised from this moment on. After {count} day everything kept of this person is erased, unless it is renewed until then.", "{name} is not recognised from this moment on. After {count} days everything kept of this person is erased, unless it is renewed until then.", person)
    : t("{name} is not recognised from this moment on, and everything kept of this person is erased.", person);
  if (!(await ask(t("Withdraw the consent of {name}?", person), follows, t("Withdraw"), { no: t("Keep"), danger: true }))) return;
  try {
    await post(`/people/${person.id}/consents/withdraw`);
    page.changed(t("{name} is not recognised any more.", person), []);
  } catch (error) {
    page.say(error.message);
  }
}

// What is said of why somebody may be recognised. No DOM.

import { moment } from "./figures.js";
import { t } from "./language.js";

/** The reasons there are in law, as somebody chooses among them. */
export const BASES = {
  consent: t("They agree"),
  contract: t("A contract with them needs it"),
  legal_obligation: t("A law obliges us"),
  vital_interests: t("It protects somebody’s life"),
  public_task: t("A public task needs it"),
  legitimate_interests: t("A legitimate interest that outweighs theirs"),
};

const SOON = 30 * 86_400_000; // ms

/** A day as `2026-11-30`, where this browser stands. */
export function dayOf(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The day that lies so many days ahead; empty for 0, which is never. */
export function ahead(days, now = new Date()) {
  return days ? dayOf(new Date(now.getFullYear(), now.getMonth(), now.getDate() + days)) : "";
}

/** A day in words. */
export function dayWords(day) {
  const [year, month, date] = day.split("-").map(Number);
  return moment(new Date(year, month - 1, date), { day: "numeric", month: "long", year: "numeric" });
}

/** The last day before something is over, in words: midnight belongs to the day before. */
export const lastDay = (iso) => dayWords(dayOf(new Date(new Date(iso).getTime() - 1)));

/** What the box says that has to be ticked; `many`: it is about several people. */
export function agreeWords({ basis, expires, many = false }) {
  const date = expires && dayWords(expires);
  if (basis === "consent") {
    if (many) return date ? t("All of them agree to be recognised here until {date}", { date }) : t("All of them agree to be recognised here, with no end set");
    return date ? t("They agree to be recognised here until {date}", { date }) : t("They agree to be recognised here, with no end set");
  }
  return date ? t("They may be recognised here until {date}", { date }) : t("They may be recognised here, with no end set");
}

/** Whether pictures may be added to somebody without more words. */
export const mayBeRecognised = ({ consent }) => consent?.state === "holds";

/** How somebody is marked in a list: {words, kind}, or null where nothing is to be said. */
export function mark({ consent }, now = Date.now()) {
  switch (consent?.state) {
    case "over":
      return { words: t("Not recognised: the time is over"), kind: "over" };
    case "withdrawn":
      return { words: t("Not recognised: consent withdrawn"), kind: "over" };
    case "not_recorded":
      return { words: t("Nobody recorded why they may be recognised"), kind: "needs" };
    case "holds":
      return consent.expires && new Date(consent.expires) - now <= SOON ? { words: t("Recognised until {date} only", { date: lastDay(consent.expires) }), kind: "needs" } : null;
    default:
      return null;
  }
}

/** How it stands with somebody, in a sentence. */
export function standing({ state, expires, withdrawn }) {
  if (state === "withdrawn") return t("Withdrawn on {date}. This person is not recognised any more.", { date: dayWords(dayOf(new Date(withdrawn))) });
  if (state === "over") return t("Over since {date}. This person is not recognised any more.", { date: lastDay(expires) });
  if (state === "not_recorded") return t("Nobody recorded why this person may be recognised.");
  return expires ? t("Holds until {date}.", { date: lastDay(expires) }) : t("Holds, with no end set.");
}

/** The day on which somebody is erased who is not recognised any more, in words; `grace` in days. */
export function erasedOn({ withdrawn, expires }, grace) {
  return dayWords(dayOf(new Date(new Date(withdrawn ?? expires).getTime() + grace * 86_400_000)));
}

/** One record: 'They agree, 28 November 2026'. */
export const reason = ({ basis, given }) => t("{reason}, {date} ## why somebody may be recognised, and since when", { reason: BASES[basis] ?? t("No reason recorded"), date: dayWords(given) });

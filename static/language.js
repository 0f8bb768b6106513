// The language of the page: chosen as the page opens, before anything else runs, and what everything that is said goes through (docs/languages.md).

import { translate } from "./document_text.js";

/** The languages there are, each by its own name. */
export const LANGUAGES = {
  en: "English",
  fr: "Français",
  es: "Español",
  de: "Deutsch",
  pt: "Português",
  ja: "日本語",
  zh: "简体中文",
  ar: "العربية",
};

const KEPT = "visavis.language";
const NOTE = " ## "; // what follows in a message is for translators
const [ISOLATE, END] = ["\u2068", "\u2069"]; // around what may run in the other direction
const FROM_RIGHT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const LOCALES = { en: "en-GB", ar: "ar-u-nu-latn", zh: "zh-CN" }; // the digits of ar are those of the server's own words

const primary = (tag) => tag.toLowerCase().split(/[-_]/)[0];
const have = (language) => Object.hasOwn(LANGUAGES, language ?? "");

/** The language for somebody who chose `kept` (or nothing) and whose browser asks for these tags, best first. */
export function languageFor(kept, tags) {
  return have(kept) ? kept : (tags.map(primary).find(have) ?? "en");
}

/** How numbers and times are written in a language: as in the browser's own region of it, where it names one. */
export function localeFor(language, tags) {
  return LOCALES[language] ?? tags.find((tag) => primary(tag) === language) ?? language;
}

const tags = typeof document === "undefined" ? [] : [...(navigator.languages ?? [navigator.language])];
const wanted = languageFor(kept(), tags);
const catalogue = wanted === "en" ? {} : await read(wanted);

/** The page's language: "en", "fr", … */
export const language = catalogue ? wanted : "en";
/** The same for Intl. */
export const locale = localeFor(language, tags);
/** Whether it runs from right to left. */
export const fromRight = language === "ar";

const plurals = new Intl.PluralRules(locale);
const taken = new Map(); // messages taken apart: what is said of a face is made anew at every drawing
const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 20 });

/** `text` in the page's language, its `{places}` filled; what is not translated stays English. What follows " ## " tells translators what is meant. */
export function t(text, values = {}) {
  const said = catalogue?.[text];
  return fill(typeof said === "string" ? said : text, values);
}

/** The same for a number of things, `{count}` among them: `one` is the English for one, `other` for any other number. */
export function tn(count, one, other, values = {}) {
  const forms = catalogue?.[other];
  const said = forms?.[plurals.select(count)] ?? forms?.other ?? (count === 1 ? one : other);
  return fill(said, { count, ...values });
}

/** The same with elements in some of its places: a list of texts and nodes. */
export function woven(text, values) {
  const pieces = t(text).split(/\{(\w+)\}/);
  return pieces.map((piece, i) => (i % 2 === 0 ? piece : typeof values[piece] === "object" ? values[piece] : shown(values[piece]))).filter((piece) => piece !== "");
}

/** Names and the like between words that may run the other way. */
export function isolated(text) {
  return (fromRight && text) || FROM_RIGHT.test(text) ? `${ISOLATE}${text}${END}` : text;
}

/** Short facts in one line; empty ones are left out. */
export const joined = (facts, mark = " · ") => facts.filter(Boolean).map(isolated).join(mark);

/** Keep somebody's choice and show the page in it. */
export function choose(language) {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    return; // nothing is kept in this browser: the page would come back as it is
  }
  location.reload();
}

function fill(message, values) {
  if (!taken.has(message)) taken.set(message, message.split(NOTE)[0].split(/\{(\w+)\}/));
  const [first, ...rest] = taken.get(message);
  let said = first;
  for (let i = 0; i < rest.length; i += 2) said += (Object.hasOwn(values, rest[i]) ? shown(values[rest[i]]) : `{${rest[i]}}`) + rest[i + 1];
  return said;
}

function shown(value) {
  return typeof value === "number" ? numbers.format(value) : isolated(String(value ?? ""));
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage is switched off, or there is no page
  }
}

/** The messages of a language; null where they cannot be had, so that the page is English from left to right. */
async function read(language) {
  const response = await fetch(new URL(`./languages/${language}.json`, import.meta.url), { cache: "no-cache" }).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}

if (typeof document !== "undefined") {
  document.documentElement.lang = language;
  document.documentElement.dir = fromRight ? "rtl" : "ltr";
  if (language !== "en") translate(document.documentElement, t);
  document.documentElement.dataset.language = language; // style.css shows the page from now on
}

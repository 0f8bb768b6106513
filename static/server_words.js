// What the server says in English, in the page's language: each sentence that it is known to say, with what stands in it.

import { number, percent } from "./figures.js";
import { language, t, tn } from "./language.js";
import { SENTENCES } from "./server_sentences.js";

let patterns = null; // made when first needed

/** A sentence of the server, or several, in the page's language; what is not known here stays as it is. */
export function heard(text) {
  if (language === "en" || typeof text !== "string" || text === "") return text ?? "";
  const between = ["ja", "zh"].includes(language) ? "" : " ";
  return translated(text) ?? text.split(/(?<=[.!?]) (?=\S)/).map((sentence) => translated(sentence) ?? sentence).join(between);
}

/** What a message "error" of the data channel says. */
export function errorWords({ code, message }) {
  return code === "not_allowed" ? t("Your role here does not allow that. Ask whoever let you in.") : heard(message);
}

function translated(text) {
  patterns ??= SENTENCES.flatMap(patternsOf);
  for (const { pattern, say } of patterns) {
    const found = pattern.exec(text);
    if (found) return say(found.groups ?? {});
  }
  return null;
}

/** How a sentence is recognised, and said: {pattern, say(places)}; two of them where it counts something. */
function patternsOf(sentence) {
  if (typeof sentence === "string") return [{ pattern: patternOf(sentence), say: (places) => t(sentence, filled(places)) }];
  const { one, other } = sentence;
  return [one, other].map((form) => ({
    pattern: patternOf(form),
    say: ({ count = "1", ...places }) => tn(Number(count.replaceAll(",", "")), one, other, filled(places)),
  }));
}

function patternOf(sentence) {
  const seen = new Set();
  const [first, ...rest] = sentence.split(" ## ")[0].replace(/\.$/, "").split(/(\{\w+\})/).filter(Boolean).map((piece) => {
    const name = /^\{(\w+)\}$/.exec(piece)?.[1];
    if (!name) return piece.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    if (seen.has(name)) return `\\k<${name}>`;
    seen.add(name);
    return name === "count" ? "(?<count>\\d[\\d,]*)" : `(?<${name}>.+?)`;
  });
  // Some sentences of the server begin small and end without a point where they stand alone.
  const begin = /^\p{L}/u.test(first) ? `[${first[0].toUpperCase()}${first[0].toLowerCase()}]${first.slice(1)}` : first;
  return new RegExp(`^${begin}${rest.join("")}\\.?$`, "su");
}

/** What stood in the places: figures as the language writes them, and words that are known themselves. */
function filled(places) {
  return Object.fromEntries(Object.entries(places).map(([name, text]) => [name, figure(text) ?? translated(text)?.replace(/[.。]$/, "") ?? text]));
}

function figure(text) {
  const share = /^(\d+) ?%$/.exec(text);
  if (share) return percent(share[1] / 100);
  if (!/^\d{1,3}(,?\d{3})*(\.\d+)?$/.test(text)) return null;
  return number(Number(text.replaceAll(",", "")), text.split(".")[1]?.length ?? 0);
}

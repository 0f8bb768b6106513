// The page's language, without a page: node --test.

import assert from "node:assert/strict";
import { test } from "node:test";

import { languageFor as offlineLanguageFor, WORDS } from "../../static/offline/words.js";

// A page in Arabic, as far as the modules need one.
const SAID = {
  "Add to {name}": "إضافة إلى {name}",
  "{count} pictures": { zero: "لا صور", one: "صورة", two: "صورتان", few: "{count} صور", many: "{count} صورة", other: "{count} صورة" },
  "Recognition uses the models {models}.": "النماذج {models} مستخدمة.",
  "Face {number} of {all}": "{all}/{number}",
  "{first}, {second} ## between two facts, or many and one more": "{first}، {second}",
  "Video is never stored.": "لا يُحفظ الفيديو أبدًا.",
  "The file has more than {size} MB.": "أكبر من {size} م.ب.",
  "Too few good pictures came in time ({reason}). Try again.": "({reason})",
  "too dark": "معتم",
  "There are {count} faces; choose one.": { zero: "0", one: "وجه", two: "وجهان", few: "{count} وجوه", many: "{count} وجهًا", other: "{count} وجه" },
};
const root = { dataset: {}, closest: () => true, querySelectorAll: () => [] };
globalThis.document = { documentElement: root };
Object.defineProperty(globalThis, "navigator", { value: { languages: ["sv-SE", "ar-EG", "fr"] } });
globalThis.fetch = async (url) => (String(url).endsWith("/languages/ar.json") ? { ok: true, json: async () => SAID } : { ok: false });
const { isolated, joined, language, languageFor, LANGUAGES, localeFor, t, tn, woven } = await import("../../static/language.js");
const { duration, enumerated, number, percent } = await import("../../static/figures.js");
const { heard } = await import("../../static/server_words.js");

const bare = (text) => text.replace(/[\u2066-\u2069\u200e\u200f\u061c]/g, "");

test("a choice comes first, then what the browser asks for, then English", () => {
  for (const find of [languageFor, offlineLanguageFor]) {
    assert.equal(find("de", ["fr-CA"]), "de");
    assert.equal(find(null, ["sv", "pt-BR", "en"]), "pt");
    assert.equal(find("xx", ["zh-Hant-TW"]), "zh");
    assert.equal(find("constructor", ["toString"]), "en");
    assert.equal(find(null, []), "en");
  }
});

test("numbers and dates are those of the browser's region", () => {
  assert.equal(localeFor("pt", ["sv", "pt-BR"]), "pt-BR");
  assert.equal(localeFor("de", ["fr"]), "de");
  assert.equal(localeFor("en", ["en-US"]), "en-GB");
  assert.equal(number(1234.5, 1), "1,234.5");
  assert.equal(bare(percent(0.42)), "42%");
});

test("the page is told what it is in", () => {
  assert.deepEqual([language, root.lang, root.dir, root.dataset.language], ["ar", "ar", "rtl", "ar"]);
});

test("a message is translated, filled, and English where it is not there", () => {
  assert.equal(t("Add to {name}", { name: "Ada" }), "إضافة إلى \u2068Ada\u2069");
  assert.equal(t("Not there ## a note", {}), "Not there");
  assert.equal(t("{name}, {constructor}", { name: "{name}" }), "\u2068{name}\u2069, {constructor}");
});

test("a number takes its own form", () => {
  const pictures = (count) => tn(count, "{count} picture", "{count} pictures");
  assert.deepEqual([0, 1, 2, 3, 11, 100].map(pictures), ["لا صور", "صورة", "صورتان", "3 صور", "11 صورة", "100 صورة"]);
  assert.deepEqual([1, 1234].map((count) => tn(count, "{count} thing", "{count} things ## of that kind")), ["1 thing", "1,234 things"]);
});

test("an element has its place in a sentence", () => {
  const models = { tag: "b" };
  assert.deepEqual(woven("Recognition uses the models {models}.", { models }), ["النماذج ", models, " مستخدمة."]);
  assert.deepEqual(woven("Face {number} of {all}", { number: 1, all: models }), [models, "/", "1"]);
});

test("names are kept apart from words that run the other way", () => {
  assert.equal(isolated("Ada"), "\u2068Ada\u2069");
  assert.equal(isolated(""), "");
  assert.equal(joined(["Ada", "", null, "Bob"]), "\u2068Ada\u2069 · \u2068Bob\u2069");
  assert.equal(bare(enumerated(["a", "", "b", "c"])), "a، b، c");
  assert.equal(bare(duration(3900)), "1\u00a0h 5\u00a0min");
});

test("what the server says is known by its sentences", () => {
  assert.equal(heard("Video is never stored."), "لا يُحفظ الفيديو أبدًا.");
  assert.equal(heard("video is never stored"), "لا يُحفظ الفيديو أبدًا.");
  assert.equal(bare(heard("Video is never stored. Something of tomorrow. Video is never stored.")), "لا يُحفظ الفيديو أبدًا. Something of tomorrow. لا يُحفظ الفيديو أبدًا.");
  assert.equal(bare(heard("The file has more than 1,024 MB.")), "أكبر من 1,024 م.ب.");
  assert.equal(bare(heard("Too few good pictures came in time (too dark). Try again.")), "(معتم)");
  assert.equal(bare(heard("There are 3 faces; choose one.")), "3 وجوه");
  assert.equal(heard("Nobody knows this (1.5*)."), "Nobody knows this (1.5*).");
  assert.equal(heard(null), "");
});

test("the page of a server that is away has the same words in every language", () => {
  assert.deepEqual(Object.keys(WORDS), Object.keys(LANGUAGES));
  for (const [name, words] of Object.entries(WORDS)) {
    assert.deepEqual(Object.keys(words), Object.keys(WORDS.en), name);
    for (const text of Object.values(words)) assert.ok(text.trim(), name);
    assert.match(words.waiting, /\{seconds\}/, name);
  }
});

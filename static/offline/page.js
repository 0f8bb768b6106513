// Waits for the server and then shows the page that was asked for.

import { languageFor, WORDS } from "./words.js";

const FIRST = 1000; // ms; each further wait is half as long again, up to
const LONGEST = 10_000;
const PATIENCE = 4000; // ms for an answer

const language = languageFor(kept(), navigator.languages ?? [navigator.language]);
const words = WORDS[language];
const state = document.getElementById("state");
let wait = FIRST;
let timer = 0;

async function look() {
  clearTimeout(timer);
  state.textContent = words.trying;
  if (await answers()) {
    location.reload();
    return;
  }
  state.textContent = words.waiting.replace("{seconds}", Math.round(wait / 1000));
  timer = setTimeout(look, wait);
  wait = Math.min(LONGEST, wait * 1.5);
}

function kept() {
  try {
    return localStorage.getItem("visavis.language");
  } catch {
    return null; // storage is switched off
  }
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}

document.documentElement.lang = language;
document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
document.title = words.title;
for (const place of document.querySelectorAll("[data-words]")) place.textContent = words[place.dataset.words];
document.getElementById("again").addEventListener("click", () => {
  wait = FIRST;
  look();
});
addEventListener("online", look);
document.addEventListener("visibilitychange", () => document.hidden || look());
timer = setTimeout(look, wait);

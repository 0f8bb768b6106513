// Waits for the server and then shows the page that was asked for.

const FIRST = 1000; // ms; each further wait is half as long again, up to
const LONGEST = 10_000;
const PATIENCE = 4000; // ms for an answer

const state = document.getElementById("state");
let wait = FIRST;
let timer = 0;

async function look() {
  clearTimeout(timer);
  state.textContent = "Trying again…";
  if (await answers()) {
    location.reload();
    return;
  }
  state.textContent = `Not yet. Trying again every ${Math.round(wait / 1000)} s.`;
  timer = setTimeout(look, wait);
  wait = Math.min(LONGEST, wait * 1.5);
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}

document.getElementById("again").addEventListener("click", () => {
  wait = FIRST;
  look();
});
addEventListener("online", look);
document.addEventListener("visibilitychange", () => document.hidden || look());
timer = setTimeout(look, wait);

// The evaluation page: choose, send, wait, read.

import { element } from "../dom.js";
import { enumerated } from "../figures.js";
import { t, tn } from "../language.js";
import { button, failure, paragraph } from "../people/parts.js";
import { progress, timeLeft } from "../people/queue.js";
import { ofInput, walk } from "../people/walk.js";
import { heard } from "../server_words.js";
import { chosenWords, choose } from "./choice.js";
import { abandon, current, follow, letGo, reportAt, send } from "./following.js";

const root = document.querySelector("#evaluation");
let open = null; // the id of what is being sent

addEventListener("pagehide", () => open && abandon(open));
addEventListener("beforeunload", (event) => open && event.preventDefault());
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

/** Show a step; what changes goes where the reader was. */
function show(...parts) {
  root.replaceChildren(...parts);
}

async function begin() {
  try {
    const evaluation = await current();
    if (evaluation === null) offer();
    else if (evaluation.state === "receiving") busy(evaluation.id);
    else settle(evaluation);
  } catch (error) {
    show(failure(error, begin));
  }
}

/** Nothing is going on: say what can be measured, and take files. `refused` is why the last try came to nothing. */
function offer(refused = null) {
  const distances = element("input", { type: "checkbox" });
  const said = element("div", { className: "stack", role: "status" });
  show(
    ...(refused ? [element("p", { className: "card notice", role: "alert", textContent: refused })] : []),
    element("h2", { textContent: t("How well does it work on your own pictures?") }),
    paragraph(t("See how often the right name is found, how often a wrong one would be, and which similarity to ask for. Your pictures stay on this server and are erased as soon as the figures are there."), "soft"),
    zone((found) => took(found, distances, said)),
    element("label", { className: "check" }, distances, element("span", {}, t("Also as if the pictures had been taken from 1 to 10 metres away"), element("small", { textContent: t("Takes about five times as long.") }))),
    said,
    hints(),
  );
}

function zone(found) {
  const folder = element("input", { type: "file", multiple: true, webkitdirectory: true, hidden: true, ariaLabel: t("A folder of pictures") });
  const file = element("input", { type: "file", accept: ".zip,application/zip", hidden: true, ariaLabel: t("A ZIP") });
  for (const input of [folder, file]) {
    input.addEventListener("change", () => {
      const chosen = ofInput(input.files);
      input.value = ""; // the same may be chosen again
      if (chosen.length) found(chosen);
    });
  }
  const made = element(
    "div",
    { className: "zone" },
    element("p", { className: "zone-words" }, element("b", { textContent: t("Drop a folder or a ZIP here") }), element("small", { textContent: t("One folder a person: Ada/1.jpg, Ada/2.jpg, Bob/1.jpg …") })),
    element("div", { className: "row" }, button(t("Choose a folder"), () => folder.click(), "primary"), button(t("Choose a ZIP"), () => file.click())),
    folder,
    file,
  );
  for (const kind of ["dragenter", "dragover"]) made.addEventListener(kind, () => made.classList.add("over"));
  made.addEventListener("dragleave", (event) => made.contains(event.relatedTarget) || made.classList.remove("over"));
  made.addEventListener("drop", async (event) => {
    made.classList.remove("over");
    // The entries have to be asked for before anything is waited for: afterwards the drop is over.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    found(entries.length ? await walk(entries) : ofInput(event.dataTransfer.files));
  });
  return made;
}

function hints() {
  const table = (columns, words) => element("li", {}, element("code", { textContent: columns }), ` ${words}`);
  return element(
    "details",
    { className: "folded" },
    element("summary", { textContent: t("With a table of labels, more can be measured") }),
    element(
      "ul",
      { className: "hints" },
      table("file,gender,age", t("how often apparent gender (male, female) and age are right; age may be left out")),
      table("first,second,same", t("whether two pictures are of the same person (1 or 0)")),
      table("role,person,file", t("recognising with strangers about: roles enrol, probe_known, probe_unknown")),
      element("li", { textContent: t("Put the table as a CSV file into the folder or the ZIP. A column group gives figures for each group.") }),
    ),
  );
}

function took(found, distances, said) {
  const chosen = choose(found);
  if (chosen.problem) {
    said.replaceChildren(element("p", { className: "card notice", textContent: chosen.problem }));
    return;
  }
  const go = button(t("Measure"), () => sending(chosen, distances.checked), "primary");
  said.replaceChildren(element("div", { className: "card stack" }, paragraph(chosenWords(chosen)), element("div", { className: "row" }, go)));
  go.focus();
}

/** Files are on their way. */
async function sending(chosen, allDistances) {
  const stop = new AbortController();
  const bar = step(t("Sending the pictures"), () => stop.abort());
  const startedAt = performance.now();
  const moved = (parcels) => {
    const state = progress(parcels);
    const left = state.waiting ?? timeLeft(state, (performance.now() - startedAt) / 1000);
    bar.tell(state.gone, state.bytes, enumerated([tn(state.of, "{done} of {count} sent", "{done} of {count} sent", { done: state.files }), left]));
  };
  try {
    const evaluation = await send(chosen.files, allDistances, { opened: (id) => (open = id), moved, signal: stop.signal });
    open = null;
    await settle(evaluation);
  } catch (error) {
    open = null;
    offer(error.name === "AbortError" ? null : error.message);
  }
}

/** Somebody else sends, or a page that was closed did. */
function busy(id) {
  show(
    element(
      "div",
      { className: "card notice" },
      paragraph(t("Pictures for an evaluation are being sent already, perhaps in another window.")),
      element("div", { className: "row" }, button(t("Look again"), begin), button(t("Stop that one"), () => letGo(id).then(begin, (error) => show(failure(error, begin))))),
    ),
  );
}

/** It runs, or is over. */
async function settle(evaluation) {
  if (evaluation.state === "running") {
    const bar = step(t("Reading the faces"), () => letGo(evaluation.id).catch(() => null));
    const startedAt = performance.now();
    let first = null;
    try {
      evaluation = await follow(evaluation.id, ({ done, total }) => {
        first ??= done;
        const left = timeLeft({ gone: done - first, bytes: total - first }, (performance.now() - startedAt) / 1000);
        bar.tell(done, total, total ? enumerated([tn(total, "{done} of {count} read ## pictures", "{done} of {count} read ## pictures", { done }), left]) : t("Preparing …"));
      });
    } catch (error) {
      return show(failure(error, begin));
    }
  }
  if (evaluation === null) return offer();
  if (evaluation.state === "failed") {
    await letGo(evaluation.id).catch(() => null);
    return offer(heard(evaluation.words));
  }
  return read(evaluation);
}

/** A card with a bar and a way out. */
function step(title, cancel) {
  const bar = element("progress", { max: 1, ariaLabel: title });
  const words = element("p", { className: "soft" });
  const out = button(t("Cancel"), () => {
    out.disabled = true;
    cancel();
  });
  show(element("div", { className: "card stack" }, element("h2", { textContent: title }), bar, words, element("div", { className: "row" }, out)));
  root.focus();
  return {
    tell(done, total, text) {
      if (total) bar.value = done / total;
      words.textContent = text;
    },
  };
}

/** The report, and what can be done with it. */
function read({ id }) {
  const frame = element("iframe", { className: "report", title: t("The report"), src: reportAt(id, "html") });
  frame.sandbox = "allow-same-origin"; // to ask for its height; it has no scripts
  const fit = () => (frame.style.height = `${Math.ceil(frame.contentDocument.body.getBoundingClientRect().height)}px`);
  frame.addEventListener("load", () => {
    fit();
    new ResizeObserver(fit).observe(frame.contentDocument.body);
  });
  const download = (words, kind) => element("a", { className: "button", href: reportAt(id, kind, true), download: `visavis-report.${kind}`, textContent: words });
  show(
    element("h2", { textContent: t("Here is how well it works") }),
    paragraph(t("Your pictures are erased. The report names nobody; it is kept for half an hour, or until you measure again."), "soft"),
    element("div", { className: "row" }, download(t("Report (HTML)"), "html"), download(t("Figures (JSON)"), "json"), download(t("All with tables (ZIP of CSV)"), "zip"), button(t("Measure something else"), () => letGo(id).catch(() => null).then(() => offer()))),
    frame,
  );
  root.focus();
}

begin();

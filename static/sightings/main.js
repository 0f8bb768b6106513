// The sightings page: who was there on a day, everything that was noted, alerts, and other programs.

import { ask, element } from "../dom.js";
import { duration, enumerated, listed, percent } from "../figures.js";
import { joined, t, tn } from "../language.js";
import { get, remove } from "../people/api.js";
import { avatar, button, failure, field, paragraph } from "../people/parts.js";
import { persons } from "../people/words.js";
import { heard } from "../server_words.js";
import { toast } from "../toast.js";
import { Alerts } from "./alerts.js";
import { boundsOf, clock, dayOf, place, rowsOf, shifted, ticks, windowOf } from "./day.js";
import { showWebhooks } from "./webhooks.js";

const PAGE = 50;
const AGAIN = 15_000; // ms between looks at who is still there
const MOST = 2000; // sightings drawn over a day
const root = document.querySelector("#sightings");
const keeps = paragraph("", "soft");
const picker = dayPicker();
const present = element("section", { className: "stack", ariaLabel: t("Who was there") });
const list = element("ul", { className: "cards" });
const more = element("div");
const filters = filterBar();
const state = { day: dayOf(new Date()), who: "", room: "", shown: 0, filled: false };
const alerts = new Alerts({ seen: () => soon() }); // who comes is shown at once
const hooks = element("div", { className: "stack" });
const erase = button(t("Erase every sighting"), eraseAll, "secondary danger");
let timer = null;

addEventListener("hashchange", route);
route();

function route() {
  const day = location.hash.slice(1);
  state.day = boundsOf(day) ? day : dayOf(new Date());
  look();
}

/** A little later, so that a crowd that comes in costs one look; later still while somebody is busy in what would be drawn anew. */
function soon(pause = 1000) {
  clearTimeout(timer);
  timer = setTimeout(() => ([list, present, more].some((part) => part.contains(document.activeElement)) ? soon(2000) : look()), pause);
}

async function look() {
  clearTimeout(timer);
  const mine = ++state.shown;
  const bounds = boundsOf(state.day);
  const span = { from: bounds.begin.toISOString(), to: bounds.end.toISOString(), ...(state.room ? { room: state.room } : {}) };
  try {
    const query = { ...span, ...(state.who ? { who: state.who } : {}) };
    const [attendance, page, drawn] = await Promise.all([get(`/attendance?${new URLSearchParams(span)}`), get(`/sightings?${new URLSearchParams({ ...query, limit: PAGE })}`), everything(span)]);
    if (mine !== state.shown) return;
    lay(page);
    draw(attendance, drawn, bounds, span);
    drawList(page, query);
    if (page.enabled && state.day === dayOf(new Date())) soon(AGAIN);
  } catch (error) {
    if (mine === state.shown) root.replaceChildren(failure(error, look));
  }
}

async function everything(span) {
  const found = [];
  let next = null;
  do {
    const page = await get(`/sightings?${new URLSearchParams({ ...span, limit: 200, ...(next ? { cursor: next } : {}) })}`);
    found.push(...page.items);
    next = page.next;
  } while (next && found.length < MOST);
  return found;
}

/** The page itself, once; later only what is in its parts changes, so that the focus stays where it is. */
function lay({ enabled, keeps: words }) {
  keeps.textContent = heard(words);
  picker.value(state.day);
  if (state.filled) return;
  state.filled = true;
  const off = element("div", { className: "card notice" }, paragraph(t("Sightings are switched off. To have them, start the server with:")), element("p", {}, element("code", { textContent: "visavis --sightings" })), paragraph(t("Tell the people who come before a camera. What was noted earlier is shown below until it is too old."), "soft"));
  const all = element("section", { className: "stack" }, element("h2", { textContent: t("Everything of this day") }), filters, list, more);
  const programs = element("details", { className: "folded" }, element("summary", { textContent: t("Tell other programs") }), hooks);
  programs.addEventListener("toggle", () => programs.open && showWebhooks(hooks));
  root.replaceChildren(...(enabled ? [] : [off]), element("section", { className: "stack" }, element("h2", { textContent: t("Who was there?") }), keeps, picker.bar, present), all, ...(enabled ? [alerts.card] : []), programs, element("div", { className: "row" }, erase));
  if (enabled) alerts.start();
}

// -- the day ---------------------------------------------------------------------------------------------------------

function draw({ items, unknown }, drawn, bounds, span) {
  if (drawn.length === 0) {
    present.replaceChildren(element("p", { className: "card empty", textContent: state.day === dayOf(new Date()) ? t("Nobody has been seen today.") : t("Nobody was seen on this day.") }));
    return;
  }
  const range = windowOf(drawn, bounds);
  const facts = new Map(items.map((item) => [item.person.id, item]));
  const rows = rowsOf(drawn).map(({ person, sightings }) => lane(person, sightings, facts.get(person?.id), range));
  const axis = element("div", { className: "hours", ariaHidden: "true" }, ...ticks(range, innerWidth < 600 ? 4 : 8).map((time) => Object.assign(element("span", { textContent: clock(time) }), { style: `left: ${(100 * (time - range.begin)) / (range.end - range.begin)}%` })));
  const words = listed([persons(items.length), ...(unknown ? [tn(unknown, "{count} sighting of somebody unknown", "{count} sightings of people unknown")] : [])]);
  const table = element("a", { className: "button", href: `/api/v1/attendance.csv?${new URLSearchParams(span)}`, textContent: t("Table (CSV)") });
  const each = element("a", { className: "button", href: `/api/v1/sightings.csv?${new URLSearchParams(span)}`, textContent: t("Every sighting (CSV)") });
  present.replaceChildren(paragraph(t("{list}. ## a sentence that only names things", { list: words })), element("div", { className: "card chart" }, attendanceTable(rows, axis)), element("div", { className: "row wrap" }, table, each));
}

function attendanceTable(rows, axis) {
  const head = [t("Who"), t("First ## time somebody was seen"), t("Last ## time somebody was seen"), t("Total ## time somebody was seen")].map((words) => element("th", { scope: "col", textContent: words }));
  const hours = element("th", { scope: "col", className: "when" }, element("span", { className: "visually-hidden", textContent: t("When") }), axis);
  return element("table", { className: "attendance" }, element("thead", {}, element("tr", {}, ...head, hours)), element("tbody", {}, ...rows));
}

function lane(person, sightings, facts, range) {
  const name = person?.name ?? t("Unknown ## a face");
  const latest = sightings.reduce((a, b) => (Date.parse(b.ended) > Date.parse(a.ended) ? b : a));
  const first = facts?.first ?? sightings[0].began;
  const last = facts?.last ?? latest.ended;
  const total = facts ? duration(facts.seconds) : tn(sightings.length, "{count} time", "{count} times");
  const bars = sightings.map((sighting) => {
    const { left, width } = place(sighting, range);
    const bar = element("i", { title: enumerated([name, during(sighting)]) });
    bar.style.left = `${left}%`;
    bar.style.width = `${width}%`;
    return bar;
  });
  const who = element("th", { scope: "row" }, element("span", { className: "name", textContent: name }), ...(latest.present ? [element("small", { className: "here", textContent: t("in the picture now") })] : []));
  const cell = (words, label) => labelled(element("td", { textContent: words }), label);
  return element("tr", { className: person ? "" : "strange" }, who, cell(clock(first), t("First ## time somebody was seen")), cell(clock(last), t("Last ## time somebody was seen")), cell(total, t("Total ## time somebody was seen")), element("td", { className: "when" }, element("div", { className: "lane", ariaHidden: "true" }, ...bars)));
}

const during = ({ began, ended }) => t("{low}–{high} ## an interval", { low: clock(began), high: clock(ended) });

function labelled(cell, label) {
  cell.dataset.label = label;
  return cell;
}

function dayPicker() {
  const input = element("input", { type: "date", required: true });
  input.addEventListener("change", () => boundsOf(input.value) && go(input.value));
  const before = button("‹", () => go(shifted(state.day, -1)));
  before.ariaLabel = t("The day before");
  const after = button("›", () => go(shifted(state.day, 1)));
  after.ariaLabel = t("The day after");
  const today = button(t("Today"), () => go(dayOf(new Date())));
  const label = element("label", { className: "field" }, element("span", { className: "visually-hidden", textContent: t("Day") }), input);
  return {
    bar: element("div", { className: "row days" }, before, label, after, today),
    value(day) {
      if (input.value !== day) input.value = day;
      today.hidden = day === dayOf(new Date());
    },
  };
}

function go(day) {
  if (location.hash === `#${day}`) look();
  else location.hash = `#${day}`;
}

// -- everything ------------------------------------------------------------------------------------------------------

function filterBar() {
  const who = element("select", {}, ...[["", t("Everybody")], ["named", t("People I know")], ["unknown", t("Only unknown")]].map(([value, words]) => element("option", { value, textContent: words })));
  who.addEventListener("change", () => {
    state.who = who.value;
    look();
  });
  const room = element("input", { placeholder: t("Any"), maxLength: 40, autocomplete: "off", spellcheck: false });
  room.addEventListener("change", () => {
    state.room = room.value.trim();
    look();
  });
  return element("div", { className: "fields" }, field(t("Who"), who), field(t("Room"), room));
}

function drawList(page, query) {
  list.replaceChildren(...page.items.map(card));
  further(page, query);
  if (page.items.length === 0) list.append(element("li", { className: "soft", textContent: t("There is nothing here.") }));
}

function further(page, query) {
  const next = button(t("Show more"), async () => {
    next.disabled = true;
    try {
      const following = await get(`/sightings?${new URLSearchParams({ ...query, limit: PAGE, cursor: page.next })}`);
      const cards = following.items.map(card);
      list.append(...cards);
      cards[0]?.querySelector("button")?.focus();
      further(following, query);
    } catch (error) {
      more.replaceChildren(failure(error));
    }
  });
  more.replaceChildren(...(page.next ? [next] : []));
}

function card(sighting) {
  const { id, person, began, ended, room, probability, picture } = sighting;
  const name = person?.name ?? t("Unknown ## a face");
  const crop = picture ? `/api/v1/sightings/${id}/crop` : null;
  const seconds = (Date.parse(ended) - Date.parse(began)) / 1000;
  const time = enumerated(sighting.present ? [clock(began), t("in the picture now")] : [during(sighting), duration(seconds)]);
  const facts = joined([room && t("Room {room}", { room }), person && probability !== null && t("{percent} sure", { percent: percent(probability) })]);
  const title = person ? element("a", { className: "name", href: `/people#people/${person.id}`, textContent: name }) : element("b", { className: "name", textContent: name });
  const gone = button(t("Erase"), () => eraseOne(sighting, made));
  gone.ariaLabel = t("Erase {name}, {time}", { name, time: clock(began) });
  const made = element("li", { className: "card person-line" }, avatar({ name: person ? name : "?", crop }), element("div", {}, title, element("small", { textContent: time }), ...(facts ? [element("small", { textContent: facts })] : [])), gone);
  return made;
}

async function eraseOne({ id }, made) {
  const at = [...list.children].indexOf(made);
  try {
    await remove(`/sightings/${id}`).catch((error) => {
      if (error.status !== 404) throw error;
    });
    toast(t("Erased."));
    await look();
    ([...list.children].slice(0, at + 1).at(-1)?.querySelector("button") ?? root).focus(); // where they were
  } catch (error) {
    toast(error.message);
  }
}

async function eraseAll() {
  const sure = await ask({ title: t("Erase every sighting?"), text: t("Those of every day, with their pictures and what other programs have not been told yet. That cannot be undone."), yes: t("Erase"), no: t("Keep"), danger: true });
  if (!sure) return;
  try {
    await remove("/sightings");
    toast(t("Every sighting is erased."));
    look();
  } catch (error) {
    toast(error.message);
  }
}

// The Status page: how the server does, asked every two seconds while somebody looks.

import { element } from "../dom.js";
import { get } from "../people/api.js";
import { failure } from "../people/parts.js";
import { History } from "./history.js";
import { verdict } from "./verdict.js";
import { figures } from "./figures.js";
import { stages } from "./stages.js";
import { about } from "./about.js";

const EVERY = 2000; // ms
const AWAY = 5000; // … while the server does not answer
const root = document.querySelector("#status");
const history = new History();
const parts = [verdict(), figures(history), stages(), about()];
const trouble = element("div");

let timer = null;
let asking = false;

root.replaceChildren(trouble, ...parts.map(({ node }) => node));
for (const { node } of parts) node.hidden = true;
document.addEventListener("visibilitychange", () => !document.hidden && look());
look();

/** Ask once, and again in a while; never twice at a time, and not while nobody looks. */
async function look() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let pause = EVERY;
  try {
    const status = await get("/status");
    history.add(status);
    for (const { node, show } of parts) {
      show(status);
      node.hidden = false;
    }
    trouble.replaceChildren();
  } catch (error) {
    pause = error.after ? error.after * 1000 : AWAY;
    if (!trouble.children.length) trouble.replaceChildren(failure(error, look));
    for (const { node } of parts) node.hidden = true; // what was so is not so any more
  } finally {
    asking = false;
  }
  timer = setTimeout(look, pause);
}

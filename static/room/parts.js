// Small parts of the wall.

import { element } from "../dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** A symbol of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A button; what it does may be refused: `refused(words)` is told, and the button can be pressed again. */
export function action(words, run, refused, className = "secondary") {
  const made = element("button", { type: "button", className, textContent: words });
  made.addEventListener("click", () => attempt(made, run, refused));
  return made;
}

/** Do something while `made` cannot be pressed; `refused(words)` is told what went wrong. Resolves to whether it went well. */
export async function attempt(made, run, refused) {
  made.disabled = true;
  refused("");
  try {
    await run();
    return true;
  } catch (error) {
    refused(error.message);
    return false;
  } finally {
    made.disabled = false;
  }
}

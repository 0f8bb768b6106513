// Puts the text that stands in the document itself into another language.

const SAID = ["aria-label", "title", "alt", "placeholder"]; // attributes that are read or heard
const APART = "script, style, noscript, [translate=no]";

/** Translate everything below `root` by `t(text)`, except what says translate="no". */
export function translate(root, t) {
  for (const element of [root, ...root.querySelectorAll("*")]) {
    if (element.closest(APART)) continue;
    for (const name of SAID) {
      const text = element.getAttribute(name);
      if (text?.trim()) element.setAttribute(name, t(text));
    }
    translateWords(element, t);
  }
}

/**
 * The words of an element are one message, from its first to its last: an element between them is a place in it, {1}, {2}, …, so that a language can
 * put it elsewhere. data-note="…" tells translators what is meant, as " ## " does in scripts.
 */
function translateWords(element, t) {
  const nodes = [...element.childNodes];
  const isWords = (node) => node.nodeType === Node.TEXT_NODE && /\p{L}|[.:!?]/u.test(node.data);
  const first = nodes.findIndex(isWords);
  if (first < 0) return;
  const last = nodes.findLastIndex(isWords);
  const within = nodes.slice(first, last + 1).filter((node) => node.nodeType !== Node.COMMENT_NODE);
  const inner = within.filter((node) => node.nodeType === Node.ELEMENT_NODE);
  const text = within.map((node) => (node.nodeType === Node.TEXT_NODE ? node.data : `{${inner.indexOf(node) + 1}}`)).join("");
  const message = text.replace(/\s+/g, " ").trim();
  if (!/\p{L}/u.test(message.replace(/\{\d+\}/g, ""))) return;
  const pieces = t(element.dataset.note ? `${message} ## ${element.dataset.note}` : message).split(/\{(\d+)\}/);
  const made = pieces.map((piece, i) => (i % 2 === 0 ? piece : (inner[piece - 1] ?? ""))).filter((piece) => piece !== "");
  const after = nodes[last + 1] ?? null;
  for (const node of within) node.remove();
  for (const piece of [text.match(/^\s*/)[0], ...made, text.match(/\s*$/)[0]]) element.insertBefore(typeof piece === "string" ? document.createTextNode(piece) : piece, after);
}

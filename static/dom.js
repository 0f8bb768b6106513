// Small helpers for the document; text only ever goes in as text.

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A new element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Fill a description list with [term, description] pairs; unknown ones are left out. */
export function describe(list, pairs) {
  list.replaceChildren(
    ...pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([term, value]) => [element("dt", { textContent: term }), element("dd", { textContent: value })]),
  );
}

/** Ask for something that cannot be undone; resolves to whether it was confirmed. */
export function confirmForget(name) {
  $("ask-title").textContent = `Forget ${name}?`;
  $("ask-text").textContent = "Everything kept of this person is erased from this server. That cannot be undone.";
  const dialog = $("ask");
  dialog.showModal();
  return new Promise((resolve) => {
    const done = (answer) => () => {
      resolve(answer);
      dialog.close();
    };
    $("ask-yes").onclick = done(true);
    $("ask-no").onclick = done(false);
    dialog.onclose = () => resolve(false);
  });
}

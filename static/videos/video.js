// One video that is done: player, people, exports.

import { withConsent } from "../consent.js";
import { element } from "../dom.js";
import { duration } from "../figures.js";
import { t, tn } from "../language.js";
import { get, post, remove } from "../people/api.js";
import { ask } from "../people/dialogs.js";
import { button, paragraph } from "../people/parts.js";
import { toast } from "../toast.js";
import { personCard } from "./person.js";
import { Player } from "./player.js";

const NAMES = "known-names";

/** Show a video in `root`; returns what ends that. */
export async function showVideo(root, video) {
  const [result, { people: known }] = await Promise.all([get(`/videos/${video.id}/result`), get("/people")]);
  const list = element("ul", { className: "someones" });
  const heading = element("h2", { textContent: video.file, tabIndex: -1 });
  const said = paragraph("", "soft");
  let at = 0;
  const moved = (seconds = at) => {
    at = seconds;
    for (const now of list.querySelectorAll(".now")) now.style.left = `${Math.min(100, (100 * at) / Math.max(result.seconds, 0.001))}%`;
  };
  const player = new Player(video, result, moved);
  const seek = (seconds) => player.seek(seconds);
  const boxes = element("input", { type: "checkbox", checked: true });
  boxes.addEventListener("change", () => player.show(boxes.checked));
  const names = element("datalist", { id: NAMES });

  function draw({ people }, further = []) {
    const all = new Set([...known.map(({ name }) => name), ...further]);
    names.replaceChildren(...[...all].map((value) => element("option", { value })));
    const long = { duration: duration(result.seconds) };
    said.textContent = people.length ? tn(people.length, "{duration} long, {count} person in it.", "{duration} long, {count} people in it.", long) : t("{duration} long. Nobody's face was seen well enough to tell who it is.", long);
    list.replaceChildren(...people.map((one) => personCard(video, result, one, { seek, names: NAMES, people: known, name: (text, consent) => naming(one, text, consent) })));
    moved();
  }

  async function naming(one, text, consent) {
    const { person, result: newer } = await post(`/videos/${video.id}/tracks/${one.number}/name`, withConsent({ name: text }, consent));
    known.push({ name: person.name, consent: null });
    draw(newer);
    player.named(newer);
    toast(t("{name} is known now.", person));
    list.querySelector(`[data-number="${one.number}"]`)?.scrollIntoView({ block: "nearest" });
  }

  draw(result);
  const file = (kind, words) => element("a", { className: "button", href: `/api/v1/videos/${video.id}/export.${kind}?download`, download: "", textContent: words });
  root.replaceChildren(
    element("a", { className: "back", href: "#", textContent: t("‹ All videos") }),
    heading,
    said,
    element("div", { className: "screen" }, player.root),
    element("label", { className: "check" }, boxes, element("span", { textContent: t("Boxes and names over the video") })),
    names,
    list,
    element("section", { className: "part", ariaLabel: t("Export") }, element("div", { className: "row" }, file("csv", t("Table (CSV)")), file("vtt", t("Subtitles (WebVTT)")), file("json", "JSON"), button(t("Delete this video …"), () => erase(video), "secondary danger"))),
  );
  heading.focus();
  return () => player.close();
}

/** Ask, erase, go back to all of them. */
export async function erase(video) {
  if (!(await ask(t("Delete {file}?", video), t("The video and everything found in it are erased from this server. People you named in it stay."), t("Delete"), { no: t("Keep"), danger: true }))) return false;
  try {
    await remove(`/videos/${video.id}`);
    toast(t("The video is deleted."));
  } catch (error) {
    if (error.status !== 404) {
      toast(error.message);
      return false;
    }
  }
  location.hash = "";
  return true;
}

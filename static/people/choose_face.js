// A photo with several faces: the picture as it was dropped, with a button on each face.

import { element } from "../dom.js";
import { t } from "../language.js";

/** The picture with its faces. `file` may be missing (it lay in a ZIP): then only the places are shown. */
export function faceChooser(entry, file, choose) {
  const frame = element("div", { className: "crowd", role: "group", ariaLabel: t("Faces in {file}", entry) });
  if (entry.width && entry.height) frame.style.aspectRatio = `${entry.width} / ${entry.height}`;
  if (file) {
    const address = URL.createObjectURL(file);
    const image = element("img", { src: address, alt: "" });
    image.addEventListener("load", () => URL.revokeObjectURL(address));
    image.addEventListener("error", () => {
      URL.revokeObjectURL(address);
      image.remove();
      frame.classList.add("blind");
    });
    frame.append(image);
  } else frame.classList.add("blind");
  entry.faces.forEach(([x, y, w, h], at) => {
    const face = element("button", { type: "button", className: "crowd-face", ariaLabel: t("Face {number} of {all}", { number: at + 1, all: entry.faces.length }) }, String(at + 1));
    Object.assign(face.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${100 * w}%`, height: `${100 * h}%` });
    face.addEventListener("click", () => choose(at));
    frame.append(face);
  });
  return frame;
}

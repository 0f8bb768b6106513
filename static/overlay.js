// Draws faces over the video: a shape for each identity, and a chip that says it in words.

import { place, placeLabel } from "./geometry.js";
import { label } from "./words.js";

const STYLES = {
  known: { colour: "#5ee08f", ink: "#06210f", width: 3, corners: "round" },
  uncertain: { colour: "#ffcf5c", ink: "#2b1e00", width: 3, dash: [10, 7], corners: "round" },
  unknown: { colour: "#8ec5ff", ink: "#04182e", width: 3, corners: "square" },
  pending: { colour: "#ffffff", ink: "#15181d", width: 2, dash: [2, 6], corners: "round" },
  unreadable: { colour: "#c9ced6", ink: "#15181d", width: 2, corners: "ticks" },
};
const HEIGHT = 28;

/** Draw `faces` (from Timeline.at) on a canvas that covers the stage; returns each face's stage box, the chip's, and its label. */
export function draw(canvas, faces, view, stage) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(stage.width * ratio), Math.round(stage.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, stage.width, stage.height);
  context.font = '600 15px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  context.textBaseline = "middle";
  return faces.map((face) => {
    const style = STYLES[face.identity] ?? STYLES.pending;
    const box = place(face.box, view);
    const text = label(face);
    context.globalAlpha = face.opacity;
    frame(context, box, style);
    const words = chip(context, box, text, style, stage);
    context.globalAlpha = 1;
    return { face, box, chip: words, text };
  });
}

function frame(context, [x, y, w, h], style) {
  const path = new Path2D();
  if (style.corners === "ticks") {
    ticks(path, x, y, w, h, 0.16);
  } else if (style.corners === "square") {
    ticks(path, x, y, w, h, 0.3);
  } else {
    path.roundRect(x, y, w, h, Math.min(18, w * 0.14));
  }
  context.lineCap = "round";
  context.setLineDash(style.dash ?? []);
  // A dark line below the bright one keeps it visible on any background.
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.lineWidth = style.width + 2.5;
  context.stroke(path);
  context.strokeStyle = style.colour;
  context.lineWidth = style.width;
  context.stroke(path);
  context.setLineDash([]);
}

function ticks(path, x, y, w, h, part) {
  const [dx, dy] = [w * part, h * part];
  for (const [cx, sx] of [[x, 1], [x + w, -1]]) {
    for (const [cy, sy] of [[y, 1], [y + h, -1]]) {
      path.moveTo(cx + sx * dx, cy);
      path.lineTo(cx, cy);
      path.lineTo(cx, cy + sy * dy);
    }
  }
}

function chip(context, box, text, style, stage) {
  const size = { width: Math.min(context.measureText(text).width + 22, stage.width - 12), height: HEIGHT };
  const [left, top] = placeLabel(box, size, stage);
  context.fillStyle = style.colour;
  context.beginPath();
  context.roundRect(left, top, size.width, size.height, style.corners === "round" ? 14 : 4);
  context.fill();
  context.fillStyle = style.ink;
  context.fillText(text, left + 11, top + HEIGHT / 2 + 1, size.width - 22);
  return [left, top, size.width, size.height];
}

// Draws faces over the video: a shape for each identity, and a chip that says it in words.

import { place, placeLabels } from "./geometry.js";
import { fromRight, isolated } from "./language.js";
import { briefReadings, readings } from "./reading.js";
import { brief, label } from "./words.js";

const STYLES = {
  known: { colour: "#5ee08f", ink: "#06210f", width: 3, corners: "round" },
  uncertain: { colour: "#ffcf5c", ink: "#2b1e00", width: 3, dash: [10, 7], corners: "round" },
  unknown: { colour: "#8ec5ff", ink: "#04182e", width: 3, corners: "square" },
  pending: { colour: "#ffffff", ink: "#15181d", width: 2, dash: [2, 6], corners: "round" },
  unreadable: { colour: "#c9ced6", ink: "#15181d", width: 2, corners: "ticks" },
};
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
// The words in full, and in brief where chips would cover each other.
const CHIPS = [
  { words: label, more: readings, font: `600 15px ${FONT}`, small: `500 13px ${FONT}`, height: 28, line: 18, pad: 11 },
  { words: brief, more: readings, font: `600 13px ${FONT}`, small: `500 12px ${FONT}`, height: 22, line: 15, pad: 8 },
  { words: brief, more: briefReadings, font: `600 13px ${FONT}`, small: `500 12px ${FONT}`, height: 22, line: 15, pad: 8 },
  { words: brief, more: () => [], font: `600 13px ${FONT}`, height: 22, pad: 8 },
];
const WIDEST = 250; // of a chip whose second line could be broken

/**
 * Draw `faces` (from Timeline.at) on a canvas that covers the stage; `places` remembers where chips went and is kept from drawing to drawing.
 * Returns each face's stage box, its chip's, and its words in full.
 */
export function draw(canvas, faces, view, stage, places) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(stage.width * ratio), Math.round(stage.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, stage.width, stage.height);
  context.textBaseline = "middle";
  const shown = faces.map((face) => ({ face, box: place(face.box, view), text: label(face), more: readings(face) }));
  const items = shown.map(({ face, box }) => ({ key: face.track, box, sizes: CHIPS.map((kind) => measure(context, face, kind, stage)) }));
  const chips = placeLabels(items, stage, places);
  const style = (face) => STYLES[face.identity] ?? STYLES.pending;
  // All frames first: no frame crosses out words.
  for (const { face, box } of shown) {
    context.globalAlpha = face.opacity;
    frame(context, box, style(face));
  }
  shown.forEach(({ face }, i) => {
    context.globalAlpha = face.opacity;
    chip(context, chips[i].box, face, CHIPS[chips[i].size], items[i].sizes[chips[i].size].lines, style(face));
  });
  context.globalAlpha = 1;
  return shown.map((entry, i) => ({ ...entry, chip: chips[i].box }));
}

function measure(context, face, kind, stage) {
  const { words, font, small, height, line, pad } = kind;
  const most = stage.width - 12;
  context.font = font;
  const first = context.measureText(words(face)).width + 2 * pad;
  context.font = small;
  const lines = broken(context, kind.more(face), Math.min(most, Math.max(first, WIDEST)) - 2 * pad);
  const widths = lines.map((text) => context.measureText(text).width + 2 * pad);
  return { width: Math.min(Math.max(first, ...widths), most), height: height + (lines.length ? lines.length * line + 3 : 0), lines };
}

/** Phrases joined into as few lines as fit a width. */
function broken(context, phrases, width) {
  const lines = [];
  for (const phrase of phrases) {
    const longer = lines.length ? `${lines.at(-1)} · ${isolated(phrase)}` : phrase;
    if (lines.length && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(isolated(phrase));
  }
  return lines;
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
  const scale = Math.min(1, Math.max(0.5, w / 70)); // a small face is not to be drowned in its frame
  context.lineCap = "round";
  context.setLineDash((style.dash ?? []).map((length) => length * scale));
  // A dark line below the bright one keeps it visible on any background.
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.lineWidth = (style.width + 2.5) * scale;
  context.stroke(path);
  context.strokeStyle = style.colour;
  context.lineWidth = style.width * scale;
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

function chip(context, [left, top, width, height], face, kind, lines, style) {
  const { words, font, small, line, pad } = kind;
  context.fillStyle = style.colour;
  context.beginPath();
  context.roundRect(left, top, width, height, style.corners === "round" ? Math.min(height, kind.height) / 2 : 4);
  context.fill();
  context.fillStyle = style.ink;
  context.font = font;
  context.direction = fromRight ? "rtl" : "ltr";
  const x = fromRight ? left + width - pad : left + pad; // where lines begin
  context.fillText(words(face), x, top + kind.height / 2 + 1, width - 2 * pad);
  context.font = small ?? font;
  lines.forEach((text, i) => context.fillText(text, x, top + kind.height + (i + 0.5) * line - 2, width - 2 * pad));
}

// What was answered lately, for the small curves: as long as the page is open, two minutes at most. No document.

const KEPT = 60;
const LEAST = 15; // that fill a curve from side to side

export class History {
  #all = [];

  /** One more answer. */
  add(status) {
    this.#all.push(status);
    if (this.#all.length > KEPT) this.#all.shift();
  }

  /** A figure of each, the oldest first; null where there was none. */
  of(read) {
    return this.#all.map((status) => read(status) ?? null);
  }
}

/** The points of a curve in a box of `width` by `height`, the newest at the right, in pieces where there was nothing. */
export function curve(values, { width, height, top }) {
  const step = width / (Math.max(LEAST, values.length) - 1);
  const pieces = [[]];
  values.forEach((value, index) => {
    if (value === null) return pieces.at(-1).length && pieces.push([]);
    const x = width - (values.length - 1 - index) * step;
    const y = height - Math.min(1, value / top) * height;
    return pieces.at(-1).push(`${round(x)},${round(y)}`);
  });
  return pieces.filter((piece) => piece.length > 1).map((piece) => piece.join(" "));
}

const round = (value) => Math.round(value * 10) / 10;

// How a wall of pictures is laid out. No DOM.

export const NARROW = 560; // pixels: below, one column, and the page scrolls
const CAPTION = 44; // pixels under a picture
const GAP = 8;
const LEAST = 220; // pixels: below that a tile is of no use, and the wall scrolls
const [TALLEST, WIDEST] = [3 / 4, 16 / 9];
const USUAL = 4 / 3;

/** The shape of all tiles: that of the picture in the middle, within reason. */
export function shapeOf(cameras) {
  const shapes = cameras.filter(({ width, height }) => width > 0 && height > 0).map(({ width, height }) => width / height);
  if (shapes.length === 0) return USUAL;
  const middle = shapes.toSorted((a, b) => a - b)[shapes.length >> 1];
  return Math.min(WIDEST, Math.max(TALLEST, middle));
}

/** {columns, width, height} of `count` tiles on a wall of `wall` {width, height} pixels: as large as they can be; `height` is the picture's, without its caption. */
export function layOut(count, wall, shape) {
  const across = (columns) => (wall.width - (columns - 1) * GAP) / columns;
  if (count === 0 || wall.width < NARROW) return made(1, across(1), Math.min(across(1) / shape, Math.max(LEAST, 0.7 * wall.height)));
  let best = null;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const tall = (wall.height - (rows - 1) * GAP) / rows - CAPTION;
    const width = Math.min(across(columns), tall * shape);
    if (best === null || width > best.width + 0.5) best = { columns, width };
  }
  if (best.width >= LEAST) return made(best.columns, best.width, best.width / shape);
  const columns = Math.max(1, Math.floor((wall.width + GAP) / (LEAST + GAP)));
  return made(columns, across(columns), across(columns) / shape);
}

function made(columns, width, height) {
  return { columns, width: Math.floor(width), height: Math.floor(height) };
}

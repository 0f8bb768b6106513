// The wall: a tile for each camera, as large as they can be, or one of them alone.

import { element } from "../dom.js";
import { t } from "../language.js";
import { layOut, shapeOf } from "./layout.js";
import { cameraName } from "./present.js";
import { Tile } from "./tile.js";

/** `root` is filled; `page` is what the page is about (tile.js); `measured` gets each camera's figures by its id. */
export class Wall {
  #root;
  #page;
  #measured;
  #tiles = new Map();
  #cameras = [];
  #strangers = null;
  #large = null;
  #list = element("ul", { className: "cameras", ariaLabel: t("Cameras") });
  #none = element("div", { className: "card nobody", hidden: true });
  #inSight = new IntersectionObserver((entries) => entries.forEach((entry) => this.#sight(entry)), { rootMargin: "64px" });
  #visible = new Set(); // ids of tiles in sight

  constructor(root, page, measured) {
    this.#root = root;
    this.#page = page;
    this.#measured = measured;
    root.replaceChildren(this.#none, this.#list);
    new ResizeObserver(() => this.#layOut()).observe(root);
    document.addEventListener("visibilitychange", () => this.#look());
    const tick = (now) => {
      for (const [id, tile] of this.#tiles) if (this.#visible.has(id)) tile.draw(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** The element shown while there is no camera. */
  get none() {
    return this.#none;
  }

  /** The id of the tile that fills the wall, or null. */
  get large() {
    return this.#large;
  }

  /** The room's cameras from now on; `strangers(id)` says what strangers are called there (present.js). */
  update(cameras, strangers = () => new Map()) {
    const ids = new Set(cameras.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) if (!ids.has(id)) this.#drop(id, tile);
    if (this.#large !== null && !ids.has(this.#large)) this.#large = null;
    this.#cameras = cameras;
    this.#strangers = strangers;
    for (const camera of cameras) {
      if (!this.#tiles.has(camera.id)) this.#add(camera.id);
    }
    this.#write();
    this.#layOut();
  }

  #add(id) {
    const tile = new Tile(id, this.#page, (chosen) => this.enlarge(this.#large === chosen ? null : chosen));
    this.#tiles.set(id, tile);
    this.#measured[id] = tile.measured;
    this.#list.append(tile.element);
    this.#inSight.observe(tile.element);
  }

  #drop(id, tile) {
    this.#inSight.unobserve(tile.element);
    const focused = tile.element.contains(document.activeElement);
    tile.end();
    this.#tiles.delete(id);
    this.#visible.delete(id);
    delete this.#measured[id];
    if (focused) this.#root.focus({ preventScroll: true });
  }

  #write() {
    this.#none.hidden = this.#cameras.length > 0;
    this.#root.dataset.large = String(this.#large !== null);
    for (const camera of this.#cameras) {
      const tile = this.#tiles.get(camera.id);
      tile.update(camera, cameraName(camera), this.#strangers(camera.id), camera.id === this.#large);
      tile.element.hidden = this.#large !== null && camera.id !== this.#large;
    }
  }

  /** Let a tile fill the wall; null: all alike. */
  enlarge(id) {
    if (id === this.#large) return;
    const before = this.#large;
    this.#large = id;
    this.#write();
    this.#layOut();
    this.#tiles.get(id ?? before)?.focus();
  }

  /** While one is large: the next, or the one before. */
  step(by) {
    if (this.#large === null || this.#cameras.length < 2) return;
    const at = this.#cameras.findIndex(({ id }) => id === this.#large);
    this.enlarge(this.#cameras.at((at + by) % this.#cameras.length).id);
  }

  #layOut() {
    const style = getComputedStyle(this.#root);
    const wall = {
      width: this.#root.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd),
      height: this.#root.clientHeight - parseFloat(style.paddingBlockStart) - parseFloat(style.paddingBlockEnd),
    };
    if (wall.width <= 0) return;
    const shown = this.#large === null ? this.#cameras : this.#cameras.filter(({ id }) => id === this.#large);
    const { columns, width, height } = layOut(shown.length, wall, shapeOf(shown));
    this.#list.style.setProperty("--columns", columns);
    this.#list.style.setProperty("--width", `${width}px`);
    this.#list.style.setProperty("--height", `${height}px`);
  }

  #sight({ target, isIntersecting }) {
    const id = target.dataset.camera;
    if (isIntersecting) this.#visible.add(id);
    else this.#visible.delete(id);
    this.#look();
  }

  #look() {
    for (const [id, tile] of this.#tiles) tile.look(this.#visible.has(id) && !document.hidden);
  }

  /** There is a network again, or somebody looks again. */
  hurry() {
    for (const tile of this.#tiles.values()) tile.hurry();
  }

  /** No more of it. */
  end() {
    this.update([]);
  }
}

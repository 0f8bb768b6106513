// The boxes of a video, asked for a stretch at a time as it plays. No document.

import { boxAt } from "./times.js";

const STRETCH = 60; // seconds
const AHEAD = 10; // … before the end of what is there, when the next is asked for

export class Boxes {
  #get;
  #stretches = new Map(); // number → null while it is on its way, else {longest, tracks}

  /** `get(from, to)` asks the server. */
  constructor(get) {
    this.#get = get;
  }

  /** Which tracks are where at `moment`, [{track, box}], as far as it is known yet. */
  at(moment) {
    this.#ask(Math.floor(moment / STRETCH));
    this.#ask(Math.floor((moment + AHEAD) / STRETCH));
    const stretch = this.#stretches.get(Math.floor(moment / STRETCH));
    if (!stretch) return [];
    return stretch.tracks.flatMap(({ track, points }) => {
      const box = boxAt(points, moment, stretch.longest);
      return box ? [{ track, box }] : [];
    });
  }

  async #ask(number) {
    if (this.#stretches.has(number)) return;
    this.#stretches.set(number, null);
    try {
      const { longest, tracks } = await this.#get(number * STRETCH, (number + 1) * STRETCH);
      this.#stretches.set(number, { longest, tracks: Object.entries(tracks).map(([track, points]) => ({ track: Number(track), points })) });
    } catch {
      setTimeout(() => this.#stretches.delete(number), 2000); // asked again when it is looked at again
    }
  }
}

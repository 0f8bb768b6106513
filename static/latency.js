// Percentiles of what happened lately. No DOM.

/** Values of the last seconds. */
export class Window {
  #span;
  #values = [];
  #since = null;

  constructor(seconds = 10) {
    this.#span = seconds * 1000;
  }

  add(value, now) {
    if (!Number.isFinite(value)) return;
    this.#since ??= now;
    this.#values.push([now, value]);
    this.#forget(now);
  }

  #forget(now) {
    while (this.#values.length && now - this.#values[0][0] > this.#span) this.#values.shift();
  }

  /** The q-th percentile, 0–100; null without values. */
  percentile(q) {
    if (!this.#values.length) return null;
    const sorted = this.#values.map(([, value]) => value).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * q) / 100))];
  }

  /** Values a second, over as much of the span as there has been yet; null in the first half second. */
  rate(now) {
    if (this.#since === null || now - this.#since < 500) return null;
    this.#forget(now);
    return (this.#values.length * 1000) / Math.min(this.#span, now - this.#since);
  }
}

const PARTS = ["network", "decode", "queue", "inference", "return", "draw"];

/** Capture → drawn, and what it is made of. */
export class Latency {
  #whole = new Window();
  #parts = Object.fromEntries(PARTS.map((part) => [part, new Window()]));

  /** A result was drawn: `captured`, `arrived`, `drawn` in performance ms, `origin` is performance.timeOrigin. */
  add(result, { captured, arrived, drawn, origin }) {
    const t = result.timing;
    if (captured !== null) this.#whole.add(drawn - captured, drawn);
    this.#parts.decode.add(t.decode, drawn);
    this.#parts.queue.add(t.queue, drawn);
    this.#parts.inference.add(t.total, drawn);
    this.#parts.draw.add(drawn - arrived, drawn);
    // These two cross the network: they compare this browser's clock with the server's, and mean something where those agree.
    if (captured !== null && Number.isFinite(t.received)) {
      const up = t.received * 1000 - origin - captured;
      const down = arrived - (t.sent * 1000 - origin);
      const served = t.decode + t.queue + t.total;
      const rest = Math.max(0, arrived - captured - served);
      const agree = up >= -2 && down >= -2;
      this.#parts.network.add(agree ? Math.max(0, up) : rest / 2, drawn);
      this.#parts.return.add(agree ? Math.max(0, down) : rest / 2, drawn);
    }
  }

  /** {p50, p95, parts: {name: {p50, p95}}} in ms; null where nothing is known. */
  summary() {
    const both = (window) => ({ p50: window.percentile(50), p95: window.percentile(95) });
    return { ...both(this.#whole), parts: Object.fromEntries(PARTS.map((part) => [part, both(this.#parts[part])])) };
  }
}

// Time that runs out: how long is left, said once a second.

/** Seconds as `9:58`. */
export const minutesAndSeconds = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** Call `left(seconds)` now and each second until `end` (ms since 1970), then `over()`; returns what stops it. */
export function countDown(end, left, over) {
  let timer = null;
  const look = () => {
    const seconds = Math.ceil((end - Date.now()) / 1000);
    if (seconds <= 0) return over();
    left(seconds);
    timer = setTimeout(look, Math.min(1000, end - Date.now()));
  };
  look();
  return () => clearTimeout(timer);
}

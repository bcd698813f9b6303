// Numbers and times as people read them.

import { known } from "./figures.js";

// Those that charts show too.
export { ms, percent, score } from "./figures.js";
export const seconds = known(value => value < 10 ? `${value.toFixed(2)} s` : `${Math.round(value)} s`);

const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [Infinity, "week"]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(text) {
  let count = (Date.now() - Date.parse(text)) / 1e3;
  if (count < 10) return "just now";
  for (const [size, unit] of STEPS) {
    if (count < size) return words.format(-Math.floor(count), unit);
    count /= size;
  }
  return text;
}

export const moment = text => new Date(text).toLocaleString();

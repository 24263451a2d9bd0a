// Numbers and times as people read them. Times are UTC throughout, as in the journal.

const none = "–";

export const ms = (time) => Date.parse(time);

/** 15:04:05, with the day if it is not that of `now`. */
export function clock(time, now) {
  if (!time) return none;
  const iso = new Date(typeof time === "number" ? time : ms(time)).toISOString();
  const today = now && new Date(typeof now === "number" ? now : ms(now)).toISOString().slice(0, 10) === iso.slice(0, 10);
  return (today ? "" : iso.slice(0, 10) + " ") + iso.slice(11, 19);
}

/** Three digits that matter, and thin spaces between thousands. */
export function number(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return none;
  const places = digits ?? (Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  const [whole, part] = Math.abs(value).toFixed(places).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  return (value < 0 && Number(value.toFixed(places)) !== 0 ? "−" : "") + grouped + (part ? "." + part : "");
}

export function percent(share, digits) {
  if (share === null || share === undefined || !Number.isFinite(share)) return none;
  const value = share * 100;
  // 99.99 % is not 100 %: what is missing is what matters.
  if (value > 99 && value < 100) return number(Math.min(value, 99.99), 2) + "\u202f%";
  return number(value, digits ?? (Math.abs(value) >= 10 || value === 0 ? 0 : Math.abs(value) >= 1 ? 1 : 2)) + "\u202f%";
}

/** Seconds as 45 s, 12 min, 3 h 20 min. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return none;
  const s = Math.max(0, seconds);
  if (s < 0.0005) return "0 s";
  if (s < 1) return number(s * 1000, 0) + " ms";
  if (s < 90) return number(s, s < 10 && !Number.isInteger(s) ? 1 : 0) + " s";
  const minutes = Math.round(s / 60);
  if (minutes < 90) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const two = (n, unit) => (n ? ` ${n} ${unit}` : "");
  return days >= 2 ? `${days} d${two(hours % 24, "h")}` : `${hours} h${two(minutes % 60, "min")}`;
}

/** A latency, which is none where nothing was answered. */
export const milliseconds = (value) => (value === null || value === undefined ? none : number(value, 0) + " ms");

export function bytes(count) {
  return count >= 1048576 ? number(count / 1048576, 1) + " MiB" : number(count / 1024, 0) + " KiB";
}

/** A length of time as the API writes it. */
export const seconds = (duration) => duration.secs + duration.nanos / 1e9;

/** What set a number of replicas, in a word or two. */
export const DRIVERS = {
  reactive: "load now", predicted: "forecast", event: "event", minimum: "minimum", held: "held", stale: "no data", manual: "by hand", foresight: "foresight",
};

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many || one + "s"}`;

/** Percentage points between two shares, with their sign. */
export const points = (share) => (share >= 0.0005 ? "+" : "") + number(100 * share, 1);

const UNITS = [["_percent_per_h", "%/h"], ["_mb_per_h", "MB/h"], ["_percent", "%"], ["_rps", "rps"], ["_ms", "ms"], ["_mb", "MB"], ["_h", "h"], ["_s", "s"]];

/** A figure under the name that the API gives it, unit last (`load_rps`): what it is, and how much. */
export function figureOf([name, value]) {
  const [suffix, unit] = UNITS.find(([end]) => name.endsWith(end)) || ["", ""];
  return [name.slice(0, name.length - suffix.length).replaceAll("_", " "), number(value) + (unit && "\u202f" + unit)];
}

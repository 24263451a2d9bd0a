// Alerts: how much each matters, what to do, and the figures behind it.

import { capital, chip, h } from "./dom.js";
import { clock, figureOf } from "./format.js";

/** The tone of each severity. */
export const SEVERITIES = { info: "note", warning: "warn", critical: "bad" };

const sentence = (text) => capital(text) + (text && !/[.!?]$/.test(text) ? "." : "");

/** What is wrong and what to do. */
export const alertText = (alert) => [sentence(alert.text), sentence(alert.action)].filter(Boolean).join(" ");

/** All of them as a list, newest first, each with its figures. */
export function alertList(view) {
  if (!view.alerts.length) return h("p", { class: "quiet-text" }, "Nothing holds, and nothing has held lately.");
  return h("ol", { class: "told alerts" }, view.alerts.map((a) => h("li", {},
    h("div", {}, chip(capital(a.severity), a.ended ? "" : SEVERITIES[a.severity]), " ",
      h("span", { class: "quiet-text" }, a.ended ? [when(a.time, view), " to ", when(a.ended, view)] : ["Holds since ", when(a.time, view)])),
    h("p", {}, alertText(a)),
    a.context.length > 0 && h("dl", { class: "figures" }, a.context.map(figureOf).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))))));
}

const when = (time, view) => h("time", { datetime: time }, clock(time, view.time));

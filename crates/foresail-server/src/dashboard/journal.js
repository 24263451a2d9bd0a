// The record: alerts, every decision with all it was made from, and every word of an operator.

import { capital, card, h, put, table, toast } from "./dom.js";
import { alertList } from "./alerts.js";
import { get, of } from "./api.js";
import { DRIVERS, clock, number } from "./format.js";

export function mount(root, context) {
  let view = context.view;
  const alerts = h("div");
  const list = h("div");
  const audit = h("div");
  let before = null;
  let newest = true;
  const older = h("button", { type: "button", onclick: () => turn(false) }, "Older");
  const first = h("button", { type: "button", onclick: () => turn(true) }, "Newest");
  root.replaceChildren(
    card("Alerts", h("p", { class: "quiet-text" }, "What holds and what has held lately, newest first."), alerts),
    card("Audit trail", h("p", { class: "quiet-text" }, "Who asked for what, and what came of it, newest first."), audit),
    card("Decisions", h("p", { class: "quiet-text" }, "Every tick, newest first. Open one for everything it was made from."), list, h("div", { class: "buttons" }, first, older)));

  async function turn(fromStart) {
    newest = fromStart;
    const page = await get(of(view.service, "/decisions?limit=40" + (fromStart || !before ? "" : `&before=${before}`))).catch(failed);
    if (!page) return;
    before = page.next_before;
    older.disabled = !before;
    first.disabled = newest;
    list.replaceChildren(page.decisions.length ? h("div", { class: "records" }, page.decisions.map(record)) : h("p", { class: "quiet-text" }, "Nothing has been decided yet."));
  }

  function record(r) {
    const load = r.observation.samples.find((s) => s.metric === "request_rate");
    const text = h("pre", { tabindex: "0", "aria-label": `Record ${r.id}` });
    return h("details", { ontoggle: (e) => { if (e.target.open && !text.textContent) text.textContent = JSON.stringify(r, null, 2); } },
      h("summary", {}, h("span", { class: "n" }, "#" + r.id), h("time", { datetime: r.time }, clock(r.time, view.time)),
        h("span", {}, `${r.decision.desired} replicas`), h("span", { class: "quiet-text" }, load ? `${number(load.value, 0)} rps, ` : "no load, ", `${DRIVERS[r.decision.reason.driver] || r.decision.reason.driver}; baseline ${r.baseline}`)),
      text);
  }

  async function trail() {
    const page = await get("/api/v1/audit?limit=100").catch(failed);
    if (!page) return;
    audit.replaceChildren(table("Audit trail", [["time"], ["who"], ["what"], ["outcome"]],
      page.entries.map((e) => [clock(e.time, view.time), `${e.actor.name} (${e.actor.role})`, words(e.word), capital(e.outcome)]), "No operator has said anything yet."));
  }

  function failed(problem) {
    toast(problem.message, "bad");
  }

  const update = (newer) => {
    view = newer;
    put(alerts, JSON.stringify(view.alerts), () => alertList(view));
  };
  update(view);
  turn(true);
  trail();
  return { update };
}

function words(word) {
  const { kind, ...rest } = word;
  const more = Object.entries(rest).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return capital(kind.replace("_", " ")) + (more.length ? ": " + more.join(", ") : "");
}

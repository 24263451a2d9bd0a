// An operator's words. Each is asked back in plain language before it is sent, and audited by the server.

import { capital, card, h, put, toast } from "./dom.js";
import { hasToken, of } from "./api.js";
import { carryOut, forgetToken } from "./dialogs.js";
import { bytes, clock, plural, seconds, span } from "./format.js";

const SPANS = [[300, "5 minutes"], [1800, "30 minutes"], [3600, "1 hour"], [14400, "4 hours"], [86400, "1 day"], [604800, "1 week"]];
const MODES = {
  observe: "Decide and record; order nothing and show nothing to approve.",
  recommend: "Decide and offer; a person approves or rejects each change.",
  act: "Decide and order. The target is scaled without asking.",
};

export function mount(root, context) {
  let view = context.view;
  const act = async (what) => { if (await carryOut(what)) await context.reload().catch(() => {}); };
  const path = (rest) => of(view.service, rest);

  const mode = h("div");
  const pause = h("div");
  const override = h("div");
  const kill = h("div");
  const facts = h("div");
  root.replaceChildren(h("div", { class: "grid" },
    card("Mode", mode), card("Pause", pause), card("Replicas by hand", override), card("Kill switch", kill), card("Announce an event", eventForm()), card("About", facts)));

  function modeForm() {
    const form = h("form", { onsubmit: (e) => {
      e.preventDefault();
      const wanted = new FormData(form).get("mode");
      if (wanted === view.mode) return toast(`The mode is ${wanted} already.`);
      act({ title: `Switch to ${wanted}?`, verb: "Switch to " + wanted, danger: wanted === "act", done: `Mode is ${wanted}.`, method: "PUT", path: path("/mode"), body: { mode: wanted },
        what: `${MODES[wanted]} The mode now is ${view.mode}.` + (wanted === "act" ? ` From the next tick, ${view.service} will be scaled between ${view.limits[0]} and ${view.limits[1]} replicas.` : "") });
    } },
    h("fieldset", {}, h("legend", { class: "unseen" }, "Mode"), Object.entries(MODES).map(([name, about]) => h("p", { class: "choice" },
      h("input", { type: "radio", name: "mode", id: "mode-" + name, value: name, checked: name === view.mode }),
      h("label", { for: "mode-" + name }, h("strong", {}, capital(name)), h("span", { class: "quiet-text" }, " " + about))))),
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Change mode…")));
    return form;
  }

  function pauseForm() {
    if (view.paused) {
      return [h("p", {}, `Orders (${view.paused[1]}) are paused until ${clock(view.paused[0], view.time)}.`),
        h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => act({ title: "Resume?", what: "Orders are given again from the next tick.", verb: "Resume", done: "Resumed.", method: "POST", path: path("/resume") }) }, "Resume…"))];
    }
    const length = spanPick("pause-span", 3600);
    const way = h("select", { id: "pause-way" }, h("option", { value: "both" }, "any order"), h("option", { value: "down" }, "removing replicas"), h("option", { value: "up" }, "adding replicas"));
    return [h("p", { class: "quiet-text" }, "Holds orders back. Decisions are still made and recorded."),
      h("p", { class: "row" }, h("label", { for: "pause-way" }, "Hold back"), way, h("span", { class: "row" }, h("label", { for: "pause-span" }, "for"), length)),
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => act({ title: "Pause orders?", verb: "Pause", danger: way.value !== "down", done: "Paused.", method: "POST", path: path("/pause"), body: { seconds: Number(length.value), direction: way.value },
        what: `For ${span(Number(length.value))} on the service's clock, ${{ both: "no order is given, whatever the load does", down: "no replica is removed", up: "no replica is added, whatever the load does" }[way.value]}. ${view.service} stays at ${plural(view.replicas.desired, "replica")}${way.value === "both" ? "" : " or moves the other way"}.` }) }, "Pause…"))];
  }

  function overrideForm() {
    const [min, max] = view.limits;
    if (view.overridden) {
      return [h("p", {}, `Set to ${plural(view.overridden[1], "replica")} until ${clock(view.overridden[0], view.time)}.`),
        h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => act({ title: "End the override?", what: `${view.policy} decides again from the next tick.`, verb: "End override", done: "Override ended.", method: "DELETE", path: path("/override") }) }, "End override…"))];
    }
    const count = h("input", { type: "number", id: "count", min, max, required: true, value: view.replicas.desired });
    const length = spanPick("override-span", 1800);
    const form = h("form", { onsubmit: (e) => {
      e.preventDefault();
      act({ title: `Set ${plural(Number(count.value), "replica")}?`, verb: "Set", danger: Number(count.value) < view.replicas.desired, done: "Set by hand.", method: "PUT", path: path("/override"), body: { replicas: Number(count.value), seconds: Number(length.value) },
        what: `For ${span(Number(length.value))} on the service's clock, ${view.service} has ${plural(Number(count.value), "replica")} whatever is measured or forecast; it was last asked for ${view.replicas.desired}.` });
    } },
    h("p", { class: "quiet-text" }, `So many replicas for a while, whatever is measured or forecast; ${min} to ${max}.`),
    h("p", { class: "row" }, h("label", { for: "count" }, "Replicas"), count, h("span", { class: "row" }, h("label", { for: "override-span" }, "for"), length)),
    h("div", { class: "buttons" }, h("button", { type: "submit" }, "Set…")));
    return [form];
  }

  function killForm() {
    return view.killed
      ? [h("p", {}, "On: no orders of any kind are given."), h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => act({ title: "Turn the kill switch off?", what: `Orders are given again as mode ${view.mode} has it, from the next tick.`, verb: "Turn off", done: "The kill switch is off.", method: "POST", path: path("/revive") }) }, "Turn off…"))]
      : [h("p", { class: "quiet-text" }, "Stops all orders at once, overrides included, until it is turned off. Replicas stay as they are."),
        h("div", { class: "buttons" }, h("button", { type: "button", class: "danger", onclick: () => act({ title: "Turn the kill switch on?", what: `No order of any kind is given to ${view.service} until someone turns it off. It stays at ${plural(view.replicas.desired, "replica")}, whatever the load does.`, verb: "Turn on", danger: true, done: "The kill switch is on.", method: "POST", path: path("/kill") }) }, "Turn on…"))];
  }

  function eventForm() {
    const field = (id, name, props) => [h("label", { for: id }, name), h("input", { id, name: id.slice(3), ...props })];
    const form = h("form", { class: "fields", onsubmit: (e) => {
      e.preventDefault();
      const data = new FormData(form);
      const body = { label: data.get("label"), from: data.get("from") + ":00Z", to: data.get("to") + ":00Z", factor: Number(data.get("factor")), floor: Number(data.get("floor")) };
      act({ title: `Announce ${body.label}?`, verb: "Announce", done: "Announced.", method: "POST", path: path("/events"), body,
        what: `From ${body.from} to ${body.to}, load is expected to be ${body.factor}× what it would be, and at least ${plural(body.floor, "replica")} are kept ready. Forecasts take it in from the next tick.` });
    } },
    field("ev-label", "Name", { required: true, maxlength: 100 }),
    field("ev-from", "From (UTC)", { type: "datetime-local", required: true, value: view.time.slice(0, 16) }),
    field("ev-to", "To (UTC)", { type: "datetime-local", required: true, value: new Date(Date.parse(view.time) + 3600000).toISOString().slice(0, 16) }),
    field("ev-factor", "Load, times", { type: "number", min: 0, max: 1000, step: "any", value: 1.5, required: true }),
    field("ev-floor", "Replicas, at least", { type: "number", min: 0, value: 0, required: true }),
    h("div", { class: "buttons" }, h("button", { type: "submit" }, "Announce…"), h("button", { type: "button", onclick: () => withdraw(form) }, "Withdraw…")));
    return form;
  }

  function withdraw(form) {
    const input = form.elements.namedItem("label");
    if (!input.reportValidity()) return;
    const label = input.value;
    act({ title: `Withdraw ${label}?`, verb: "Withdraw", done: "Withdrawn.", method: "DELETE", path: path("/events?label=" + encodeURIComponent(label)),
      what: `Announced events called ${label} are taken back. Forecasts go on without them from the next tick.` });
  }

  const update = (newer) => {
    view = newer;
    put(mode, view.mode, () => modeForm());
    put(pause, JSON.stringify(view.paused), () => pauseForm());
    put(override, JSON.stringify(view.overridden), () => overrideForm());
    put(kill, String(view.killed), () => killForm());
    put(facts, JSON.stringify([view.memory_bytes, view.orders, hasToken()]), () => [
      h("dl", { class: "facts" }, [
        ["Service", view.service], ["Policy", `${view.policy} against ${view.baseline}`], ["Limits", `${view.limits[0]} to ${view.limits[1]} replicas`],
        ["Tick", `every ${span(seconds(view.tick))} of its clock, which runs ${view.speed === 1 ? "true" : view.speed + "× fast"}`],
        ["Orders", `${view.orders} since start`], ["Learned state", bytes(view.memory_bytes)],
      ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      hasToken() && h("div", { class: "buttons" }, h("button", { type: "button", onclick: forgetToken }, "Forget the token of this tab")),
    ]);
  };
  update(view);
  return { update };
}

function spanPick(id, chosen) {
  return h("select", { id }, SPANS.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

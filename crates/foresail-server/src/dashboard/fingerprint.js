// What kind of work the service is doing: its mix, how it moves, past states alike and what followed them.

import { card, figure, h, put, say, table, tile } from "./dom.js";
import { draw } from "./charts.js";
import { clock, ms, number, percent, plural, seconds, span } from "./format.js";

export function mount(root, context) {
  const tiles = { regime: tile("Kind of work"), since: tile("Last changed"), rate: tile("Requests"), busy: tile("At work"), seen: tile("Told apart") };
  const none = h("p", { class: "quiet-text" });
  const mix = h("div");
  const own = h("div");
  const alike = h("div");
  const changes = h("div");
  const course = figure("Fingerprint over time", "its first two numbers, an interval a point; shaded by kind of work, UTC", () => courseTable());
  const told = h("p", { class: "quiet-text" });
  let view = context.view;
  let drawn = null;
  root.replaceChildren(h("dl", { class: "tiles" }, Object.values(tiles).map((t) => t.node)), none,
    card("Mix of requests", mix, own), h("section", { class: "card", "aria-label": "Fingerprint over time" }, course.node),
    card("Past states like this one", told, alike), card("Changes of the kind of work", changes));

  /** Stretches of one kind of work: [kind, from, to]. */
  function stretches(f) {
    const found = [];
    for (const [time, regime] of f.points) {
      const last = found[found.length - 1];
      if (last && last[0] === regime) last[2] = ms(time) + 1000 * seconds(f.interval);
      else found.push([regime, ms(time), ms(time) + 1000 * seconds(f.interval)]);
    }
    return found;
  }

  function paint(f) {
    const x = f.points.map(([time]) => ms(time));
    const kinds = [...new Set(f.points.map(([, regime]) => regime))].sort((a, b) => a - b);
    const colour = (regime) => "s" + (2 + regime % 6);
    draw(course.chart, (c) => ({
      data: [
        { x, y: f.points.map((p) => p[2]), name: `first number (${percent(f.explained[0])} of what varies)`, mode: "lines", line: { color: c.s0, width: 1.6 }, hovertemplate: "%{y:.2f}" },
        { x, y: f.points.map((p) => p[3]), name: `second (${percent(f.explained[1])})`, mode: "lines", line: { color: c.s1, width: 1.2, dash: "dot" }, hovertemplate: "%{y:.2f}" },
        ...kinds.map((k) => ({ x: [null], y: [null], name: `kind ${k}`, mode: "markers", marker: { symbol: "square", size: 11, color: c.faint(colour(k), 0.45) }, hoverinfo: "skip" })),
      ],
      layout: {
        height: 280, yaxis: { rangemode: "normal" },
        shapes: stretches(f).map(([regime, from, to]) => ({ type: "rect", xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, line: { width: 0 }, layer: "below", fillcolor: c.faint(colour(regime), 0.18) })),
      },
    }));
    course.describe(`Kind ${f.regime} since ${clock(f.since, view.time)}; ${plural(stretches(f).length - 1, "change")} shown.`);
    course.fill();
  }

  function courseTable() {
    const f = view.fingerprint;
    return table("Fingerprints, newest first", [["interval"], ["kind", "n"], ["first", "n"], ["second", "n"]],
      f ? [...f.points].reverse().slice(0, 60).map(([time, regime, a, b]) => [clock(time, view.time), String(regime), number(a, 2), number(b, 2)]) : []);
  }

  const update = (newer) => {
    view = newer;
    const f = view.fingerprint;
    course.node.hidden = !f;
    none.hidden = Boolean(f);
    if (!f) {
      say(none, "No interval has been seen yet. Fingerprints are taken by the proxy, where the service has one and they are on.");
      put(mix, "none", () => table("Kinds of requests", [["request"], ["share", "n"], ["usually", "n"]], [], "No request has been seen yet."));
      put(own, "none", () => h("div"));
      put(alike, "none", () => pastTable([]));
      put(changes, "none", () => h("p", { class: "quiet-text" }, "Nothing has changed yet."));
      return;
    }
    const lasted = (ms(view.time) - ms(f.since)) / 1000;
    tiles.regime.set(String(f.regime), `in intervals of ${span(seconds(f.interval))}`);
    tiles.since.set(f.changes.length ? clock(f.since, view.time) : "Never", f.changes.length ? `${span(lasted)} ago` : "while it was looked at");
    tiles.rate.set(number(f.rate_rps) + " rps", "that ended in the last interval");
    const ahead = span(seconds(f.ahead));
    tiles.busy.set(number(f.busy), f.busy_foretold === null ? "requests at a time" : `requests at a time; ${number(f.busy_foretold)} foretold in ${ahead}`);
    tiles.seen.set(plural(f.regimes, "kind"), `${plural(f.remembered, "interval")} remembered`);
    put(mix, JSON.stringify([f.kinds]), () => {
      const most = Math.max(...f.kinds.map((k) => k.share), 0.01);
      return table("Kinds of requests", [["request"], ["share", "n"], ["usually", "n"]],
        f.kinds.map((k) => [k.name, h("span", { class: "share" }, h("meter", { min: 0, max: most, value: k.share, "aria-label": "share" }), h("span", {}, percent(k.share))),
          percent(k.usual)]), "No request came in the last interval.");
    });
    put(own, JSON.stringify(f.own), () => f.own.length
      ? table("The application's own figures", [["figure"], ["is", "n"], ["usually", "n"]], f.own.map((m) => [m.name, number(m.value, 3), number(m.usual, 3)]))
      : h("div"));
    // Drawing takes its time, so it is done where an interval has come.
    if (drawn !== f.time) {
      drawn = f.time;
      paint(f);
    }
    say(told, `What the service did then, and ${ahead} later.`);
    put(alike, JSON.stringify(f.alike), () => pastTable(f.alike));
    put(changes, JSON.stringify(f.changes), () => f.changes.length
      ? h("ol", { class: "told" }, f.changes.map((t) => h("li", {}, h("time", { datetime: t.time }, clock(t.time, view.time)), h("span", {}, t.text))))
      : h("p", { class: "quiet-text" }, "Nothing has changed yet."));
  };

  function pastTable(rows) {
    return table("Past intervals like the last one, nearest first",
      [["interval"], ["kind", "n"], ["distance", "n"], ["requests", "n"], ["at work", "n"], ["then kind", "n"], ["then requests", "n"], ["then at work", "n"]],
      rows.map((a) => [clock(a.time, view.time), String(a.regime), number(a.distance, 2), number(a.rate_rps), number(a.busy),
        a.regime_after === null ? "–" : String(a.regime_after), number(a.rate_after_rps), number(a.busy_after)]),
      "None that lies far enough in the past.");
  }
  update(view);
  return { update };
}

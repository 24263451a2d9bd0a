// What goes on: numbers first, then load with its forecast, replicas, and what came late.

import { card, figure, h, put, say, table, tile } from "./dom.js";
import { get, of } from "./api.js";
import { draw, now as nowLine } from "./charts.js";
import { clock, milliseconds, ms, number, percent, plural, seconds, span } from "./format.js";

const RANGES = [["15 min", 900], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400]];
const DEFAULT = 21600;
const POINTS = 700;
/** Seconds of scoring below which a share says nothing. */
const LEAST_SCORED = 600;

export function mount(root, context) {
  let range = DEFAULT;
  // Until someone chooses, the span follows what there is.
  let follows = true;
  let begun = null;
  let points = [];
  let view = context.view;
  let fetching = false;

  const tiles = {
    load: tile("Load"), replicas: tile("Replicas"), late: tile("Late requests"), saved: tile("Saved"), latency: tile("Latency p99"),
  };
  const reason = h("p", { class: "reason" });
  const load = figure("Load and forecast", "requests a second, UTC", () => loadTable());
  const replicas = figure("Replicas", "ready, asked for, and what the baseline would have", () => historyTable());
  const late = figure("Late requests", "a tick", null);
  const buttons = RANGES.map(([name, length]) =>
    h("button", { type: "button", "aria-pressed": String(length === range), onclick: () => { follows = false; choose(length); } }, name));
  const score = h("div");
  const hours = h("div");
  root.replaceChildren(
    h("dl", { class: "tiles" }, Object.values(tiles).map((t) => t.node)),
    card("Why this many", reason),
    h("section", { class: "card", "aria-label": "Charts" },
      h("div", { class: "ranges", role: "group", "aria-label": "Span of the charts" }, buttons),
      load.node, replicas.node, late.node),
    card("Scorecard", score, h("details", {}, h("summary", {}, "By the hour"), hours)));

  function choose(length) {
    range = length;
    press();
    points = [];
    refresh();
  }

  function press() {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(RANGES[i][1] === range)));
  }

  /** Fetches what is not here yet, then draws. */
  async function refresh() {
    if (fetching) return;
    fetching = true;
    const wanted = range;
    try {
      const start = ms(view.time) - wanted * 1000;
      const from = points.length ? ms(points[points.length - 1].time) + 1 : start;
      const to = ms(view.time) + 1000 * seconds(view.tick);
      const fresh = await get(of(view.service, `/series?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}&max=${POINTS}`));
      if (wanted === range) {
        points = points.concat(fresh.points).filter((p) => ms(p.time) >= start);
        if (points.length > 2 * POINTS) points = points.filter((_, i) => i % 2 === 0);
        if (begun === null) {
          begun = points.length ? ms(points[0].time) : ms(view.time);
          range = RANGES.find(([, length]) => ms(view.time) - begun <= length * 1000)?.[1] ?? range;
          press();
        }
        if (root.isConnected) paint();
      }
    } catch (_) { /* the banner says that the connection is gone */ } finally {
      fetching = false;
    }
    if (wanted !== range && !points.length) refresh();
  }

  function paint() {
    const times = points.map((p) => ms(p.time));
    const present = ms(view.time);
    const fan = view.forecast;
    // Where there is less than was asked for, what there is fills the chart.
    const behind = Math.min(range * 1000, Math.max(present - (times[0] ?? present), range * 50));
    const ahead = Math.min(range * 1000 / 3, behind, fan ? 1000 * seconds(fan.step) * fan.mean.length : 0);
    const x = [present - behind, present + ahead];
    draw(load.chart, (c) => ({
      data: [...(fan ? fanTraces(fan, x[1], c) : []),
        { x: times, y: points.map((p) => p.load_rps), name: "observed", mode: "lines", line: { color: c.ink, width: 1.4 }, hovertemplate: "%{y:.0f}" }],
      layout: { xaxis: { range: x }, shapes: [nowLine(present, c)], height: 280 },
    }));
    draw(replicas.chart, (c) => ({
      data: [
        { x: times, y: points.map((p) => p.ready), name: "ready", mode: "lines", line: { color: c.s0, width: 1.6, shape: "hv" }, fill: "tozeroy", fillcolor: c.faint("s0", 0.14) },
        { x: times, y: points.map((p) => p.baseline), name: view.baseline, mode: "lines", line: { color: c.s1, width: 1.4, dash: "dash", shape: "hv" } },
        { x: times, y: points.map((p) => p.desired), name: "asked for", mode: "lines", line: { color: c.s2, width: 1.4, dash: "dot", shape: "hv" } },
      ],
      layout: { xaxis: { range: x }, shapes: [nowLine(present, c)], height: 240 },
    }));
    draw(late.chart, (c) => ({
      data: [{ x: times, y: points.map((p) => p.late), name: "late", mode: "lines", line: { color: c.bad, width: 1, shape: "vh" }, fill: "tozeroy", fillcolor: c.faint("bad", 0.3) }],
      layout: { xaxis: { range: x }, height: 120, showlegend: false },
    }));
    load.describe(`Now ${number(view.load_rps)} requests a second.`);
    replicas.describe(`${view.replicas.ready} ready, ${view.replicas.desired} asked for.`);
    [load, replicas].forEach((f) => f.fill());
  }

  function loadTable() {
    const fan = view.forecast;
    if (!fan) return h("p", {}, "No forecast yet.");
    const last = fan.levels.length - 1;
    const step = seconds(fan.step) * 1000;
    const rows = fan.mean.slice(0, 60).map((m, i) => [
      clock(ms(fan.start) + (i + 1) * step, view.time), number(m), number(fan.quantiles[0]?.[i]), number(fan.quantiles[last]?.[i])]);
    return table("Forecast", [["time"], ["mean", "n"], [`${percent(fan.levels[0])} quantile`, "n"], [`${percent(fan.levels[last])} quantile`, "n"]], rows);
  }

  function historyTable() {
    const rows = points.slice(-60).reverse().map((p) => [
      clock(p.time, view.time), number(p.load_rps, 0) + (p.saturated ? " (at least)" : ""), String(p.ready), String(p.desired), String(p.baseline), number(p.late)]);
    return table("Newest ticks", [["time"], ["load", "n"], ["ready", "n"], ["asked for", "n"], [view.baseline, "n"], ["late", "n"]], rows);
  }

  function numbers() {
    const { served, scorecard: s, replicas: r, forecast } = view;
    const soon = forecast && forecast.mean[Math.min(forecast.mean.length, Math.ceil(600 / seconds(forecast.step))) - 1];
    tiles.load.set(number(view.load_rps, 0) + " rps", soon === undefined || soon === null ? "no forecast yet" : `${number(soon, 0)} expected in 10 min`);
    const base = view.last ? `; ${view.baseline} wants ${view.last.baseline}` : "";
    tiles.replicas.set(`${r.ready} ready`, `${r.desired} asked for${r.starting ? `, ${r.starting} starting` : ""}${base}`);
    const share = served.arrivals ? served.late / served.arrivals : 0;
    tiles.late.set(percent(share), `${number(served.late)} of ${number(served.arrivals)} since start`, share > 0.01 ? "bad" : "");
    const saved = s.seconds >= LEAST_SCORED && s.baseline_hours > 0 ? 1 - s.champion_hours / s.baseline_hours : null;
    tiles.saved.set(percent(saved), `${number(s.champion_hours, 1)} replica-hours against ${number(s.baseline_hours, 1)} of ${view.baseline}`, saved > 0 ? "good" : "");
    tiles.latency.set(milliseconds(served.p99_ms), `median ${milliseconds(served.p50_ms)}; ${plural(served.in_flight, "request")} in flight`);
    const wanted = view.last ? view.last.decision.desired : r.desired;
    say(reason, `${plural(wanted, "replica")}: ${view.reason || "nothing decided yet"}.` + (wanted === r.desired ? "" : ` The target was last asked for ${r.desired}.`));
    put(score, JSON.stringify([s.seconds]), () => scoreTable());
    put(hours, JSON.stringify([view.hours.length, s.seconds]), () => hourTable());
  }

  function scoreTable() {
    const s = view.scorecard;
    const rows = [
      [view.policy, percent(s.champion_late), number(s.champion_hours, 2), span(s.learner_cpu_s) + " of CPU"],
      [view.baseline, percent(s.baseline_late), number(s.baseline_hours, 2), "–"],
    ];
    return h("div", {},
      h("p", { class: "quiet-text" }, `Both on virtual replicas fed the same observed load, over ${span(s.seconds)}. What was really served stands in the figures above.`),
      table("Champion against baseline since start", [["policy"], ["late", "n"], ["replica-hours", "n"], ["cost of learning", "n"]], rows));
  }

  function hourTable() {
    const rows = [...view.hours].reverse().slice(0, 48).map((s) => [
      clock(s.from, view.time), number(s.requests, 0), percent(s.champion_late), percent(s.baseline_late),
      number(s.champion_hours, 2), number(s.baseline_hours, 2)]);
    return table("By the hour", [["from"], ["requests", "n"], ["late", "n"], [`late, ${view.baseline}`, "n"], ["hours", "n"], [`hours, ${view.baseline}`, "n"]], rows);
  }

  const update = (newer) => {
    view = newer;
    numbers();
    const longer = RANGES.find(([, length]) => length > range && length <= DEFAULT);
    if (follows && begun !== null && longer && ms(view.time) - begun > range * 1000) choose(longer[1]);
    else refresh();
  };
  update(view);
  return { update };
}

/** The fan: pairs of quantiles from the widest in, and the mean. */
function fanTraces(fan, until, c) {
  const step = seconds(fan.step) * 1000;
  const start = ms(fan.start);
  const count = Math.max(2, Math.min(fan.mean.length, Math.ceil((until - start) / step)));
  const x = fan.mean.slice(0, count).map((_, i) => start + (i + 1) * step);
  const traces = [];
  for (let low = 0, high = fan.levels.length - 1; low < high; low++, high--) {
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    const name = `${Math.round((fan.levels[high] - fan.levels[low]) * 100)} % interval`;
    traces.push({ ...edge, y: fan.quantiles[low].slice(0, count), showlegend: false });
    traces.push({ ...edge, y: fan.quantiles[high].slice(0, count), fill: "tonexty", fillcolor: c.faint("s0", low === 0 ? 0.16 : 0.24), name });
  }
  traces.push({ x, y: fan.mean.slice(0, count), name: `forecast (${fan.model})`, mode: "lines", line: { color: c.s0, width: 2 }, hovertemplate: "%{y:.0f}" });
  return traces;
}

// Endpoints and what they serve.

import { capital, card, chip, fact, figure, h, put, table, tile } from "./dom.js";
import { draw } from "./charts.js";
import { routing } from "./routing.js";
import { milliseconds, number, percent, plural, span } from "./format.js";

const TONES = { ready: "good", "slow start": "note", starting: "note", ejected: "bad", unhealthy: "bad", "backing off": "bad", draining: "plain", stopping: "plain" };

const ACTING = { learner: ["Learner chooses", "good"], contest: ["In turn with least-request", "note"], baseline: ["Least-request chooses", "bad"] };

/** Whether another proxy of these endpoints tells what it learns. */
const hears = (peer) => peer.trouble ? ["Not heard", "bad"] : peer.heard ? ["Tells what it learns", "good"] : ["Not asked yet", "plain"];

export function mount(root, context) {
  const tiles = { rate: tile("Arriving"), good: tile("Completed"), failed: tile("Failed"), late: tile("Late"), queue: tile("In flight"), paid: tile("Paid for") };
  const endpoints = h("div");
  const capacity = h("div");
  const balancer = h("div");
  const balancing = card("Balancing", balancer);
  const router = routing();
  const curves = figure("What one more request costs", "ms, by requests in flight, as the balancer reckons: the time of the request and of those it holds up", () => curveTable());
  const curving = h("section", { class: "card", "aria-label": "What one more request costs" }, curves.node);
  let view = context.view;
  let drawn = "";
  root.replaceChildren(h("dl", { class: "tiles" }, Object.values(tiles).map((t) => t.node)), card("Endpoints", endpoints), router.node, balancing, curving, card("Capacity and start-up", capacity));

  /** Endpoints whose cost is reckoned, cheapest first. */
  const reckoned = () => view.endpoints.filter((e) => e.curve).sort((a, b) => a.curve[1][0] - b.curve[1][0]);

  function curveTable() {
    return table("Cost of one more request, by requests in flight", [["endpoint"], ["serves at a time", "n"], ["idle", "n"], ["half full", "n"], ["full", "n"], ["as many waiting", "n"], ["now in flight", "n"]],
      reckoned().map((e) => [e.id, number(e.curve[0], 1), ...[0, 2, 4, 8].map((i) => milliseconds(e.curve[1][i])), number(e.in_flight)]));
  }

  function paintCurves() {
    const all = reckoned();
    // Of many, eight from the cheapest to the dearest.
    const shown = all.length <= 8 ? all : Array.from({ length: 8 }, (_, i) => all[Math.round(i * (all.length - 1) / 7)]);
    const key = JSON.stringify(shown.map((e) => [e.id, e.curve]));
    curving.hidden = shown.length === 0;
    if (shown.length === 0 || key === drawn) return;
    drawn = key;
    draw(curves.chart, (c) => ({
      data: shown.map((e, i) => ({ x: e.curve[1].map((_, q) => e.curve[0] * q / 4), y: e.curve[1], name: e.id, mode: "lines", line: { color: c["s" + i % 8], width: 1.6 }, hovertemplate: "%{y:.0f} ms at %{x:.1f}" })),
      layout: { height: 260, xaxis: { type: "linear" }, yaxis: { rangemode: "tozero" } },
    }));
    const last = shown[shown.length - 1];
    curves.describe(`${plural(shown.length, "endpoint")}, cheapest first: idle, ${shown[0].id} costs ${milliseconds(shown[0].curve[1][0])} and ${last.id} ${milliseconds(last.curve[1][0])}.`);
    curves.fill();
  }

  function update(newer) {
    view = newer;
    const s = view.served;
    const of = (count) => percent(s.arrivals ? count / s.arrivals : 0);
    tiles.rate.set(number(view.load_rps, 0) + " rps", `${number(s.arrivals)} since start`);
    tiles.good.set(of(s.completed), number(s.completed));
    tiles.failed.set(of(s.failed + s.rejected), `${number(s.failed)} upstream, ${number(s.rejected)} refused, ${plural(s.retries, "retry", "retries")}`, s.failed + s.rejected > s.arrivals * 0.01 ? "bad" : "");
    tiles.late.set(of(s.late), `p50 ${milliseconds(s.p50_ms)}, p99 ${milliseconds(s.p99_ms)}`, s.late > s.arrivals * 0.01 ? "bad" : "");
    tiles.queue.set(number(s.in_flight), `${number(s.queued)} waiting`);
    tiles.paid.set(number(s.replica_seconds / 3600, 1) + " h", "replica-hours since start");
    const most = Math.max(...view.endpoints.map((e) => e.share), 0.01);
    put(endpoints, JSON.stringify(view.endpoints), () => table("Endpoints",
      [["endpoint"], ["state"], ["share", "n"], ["in flight", "n"], ["latency", "n"], ["p99", "n"], ...(view.balancer ? [["expected", "n"]] : []), ...(hasPosterior() ? [["reward", "n"]] : []), ["completed", "n"], ["failed", "n"], ["ejected", "n"]],
      view.endpoints.map((e) => [
        h("span", {}, e.id, h("span", { class: "quiet-text small" }, " " + e.address)), chip(capital(e.state), TONES[e.state]), bar(e.share, most), number(e.in_flight),
        milliseconds(e.latency_ms || null), milliseconds(e.p99_ms), ...(view.balancer ? [expected(e.learned_ms)] : []), ...(hasPosterior() ? [posterior(e.posterior)] : []),
        number(e.completed), number(e.failed), number(e.ejections)]),
      "No endpoint yet."));
    paintCurves();
    router.update(view.router);
    balancing.hidden = !view.balancer && view.peers.length === 0;
    put(balancer, JSON.stringify([view.balancer, view.peers.map((p) => [p.address, !p.heard, p.trouble])]), () => h("dl", { class: "facts" },
      view.balancer ? [fact("Policy", `${view.balancer.policy}, held against least-request`),
        view.balancer.workers.map((w, i) => fact(`Worker ${i + 1}`, h("span", {}, chip(ACTING[w.acting][0], ACTING[w.acting][1]), " " + verdict(w.cost_ratio))))] : [],
      view.peers.map((p) => fact(`Proxy at ${p.address}`, h("span", {}, chip(...hears(p)), " " + (p.trouble || ""))))));
    const c = view.capacity;
    const [median, p90, measured] = view.startup;
    put(capacity, JSON.stringify([c, view.startup]), () => h("dl", { class: "facts" },
      fact("One replica serves", `${number(c.learned_rps)} requests a second (90 % sure of ${number(c.interval_rps[0])} to ${number(c.interval_rps[1])}), learned`),
      fact("Configured", `${number(c.prior_rps)} requests a second, ${c.in_use ? "no longer in use" : "still in use"}`),
      fact("Starting takes", measured ? `${span(median)} (median), ${span(p90)} for one in ten, measured ${plural(measured, "time")}` : "not measured yet"),
      fact("Limits", `${view.limits[0]} to ${view.limits[1]} replicas`)));
  }
  const hasPosterior = () => view.endpoints.some((e) => e.posterior);
  update(context.view);
  return { update };
}

/** The expected reward and the interval it may lie in. */
function posterior(range) {
  return range ? `${percent(range[0])} (${percent(range[1])} to ${percent(range[2])})` : "–";
}

/** What an answer costs with the learner, beside the baseline. */
function verdict(ratio) {
  if (!ratio) return "nothing compared yet";
  const [mean, low, high] = ratio.map((r) => (r - 1) * 100);
  const word = mean < 0 ? "less" : "more";
  return `an answer costs ${number(Math.abs(mean), 0)} % ${word} (95 % sure of ${number(low, 0)} to ${number(high, 0)} %)`;
}

/** A latency with the interval it may lie in. */
function expected(range) {
  return range ? `${milliseconds(range[0])} (${milliseconds(range[1])} to ${milliseconds(range[2])})` : "–";
}

/** A share, drawn beside the largest there is. */
function bar(share, most) {
  return h("span", { class: "share" }, h("meter", { min: 0, max: most, value: share, "aria-label": "share" }), h("span", {}, percent(share)));
}

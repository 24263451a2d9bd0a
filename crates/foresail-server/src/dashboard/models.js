// The league of models: who leads, how well each does, and how that changed.

import { card, chip, figure, h, put, table } from "./dom.js";
import { draw } from "./charts.js";
import { clock, ms, number, percent, span } from "./format.js";

export function mount(root, context) {
  let view = context.view;
  const board = h("div");
  const error = figure("Error over time", "mean absolute error at the horizon, requests a second", null);
  const coverage = figure("Coverage over time", "share of what came within the 90 % interval", null);
  const trials = h("div");
  const capacity = h("div");
  root.replaceChildren(card("Leaderboard", board), h("section", { class: "card", "aria-label": "Error and coverage" }, error.node, coverage.node),
    h("div", { class: "split" }, card("Champion and challengers", trials), card("What was learned", capacity)));

  function paint() {
    const lines = (c, pick) => view.models.slice(0, 8).map((m, i) => ({
      x: m[pick].map(([t]) => ms(t)), y: m[pick].map(([, v]) => v), name: m.name, mode: "lines", hovertemplate: pick === "errors" ? "%{y:.1f}" : "%{y:.0%}",
      line: { color: c["s" + i], width: m.is_champion ? 2.4 : 1.2 },
    }));
    draw(error.chart, (c) => ({ data: lines(c, "errors"), layout: { height: 260 } }));
    draw(coverage.chart, (c) => ({
      data: lines(c, "coverages"),
      layout: {
        height: 240, yaxis: { tickformat: ".0%", rangemode: "normal" },
        shapes: [{ type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: 0.9, y1: 0.9, line: { color: c.quiet, dash: "dash", width: 1 } }],
      },
    }));
    const best = view.models[0];
    if (best) {
      error.describe(`${best.name} leads with ${number(best.mae)}.`);
      coverage.describe(`${best.name} covers ${percent(best.coverage)}; 90 % is meant.`);
    }
  }

  const update = (newer) => {
    view = newer;
    put(board, JSON.stringify(view.models.map((m) => [m.name, m.scored, m.fitted, m.mae])), () => {
      paint();
      return table("Models, best first",
        [["model"], ["role"], ["weight", "n"], ["error", "n"], ["against naive", "n"], ["coverage", "n"], ["scored", "n"], ["fit took", "n"], ["fitted", "n"]],
        view.models.map((m) => {
          const row = [m.name, m.is_champion ? chip("Champion", "good") : "", m.weight === null ? "–" : percent(m.weight), number(m.mae),
            m.skill === null ? "–" : percent(m.skill), percent(m.coverage), number(m.scored), m.fit_s === null ? "–" : span(m.fit_s), clock(m.fitted, view.time)];
          row.kind = m.is_champion ? "chosen" : undefined;
          return row;
        }), "No model has been fitted yet.");
    });
    put(trials, JSON.stringify(view.trials), () => view.trials.length
      ? h("ol", { class: "told" }, view.trials.map((t) => h("li", {}, h("time", { datetime: t.time }, clock(t.time, view.time)), h("span", {}, t.text))))
      : h("p", { class: "quiet-text" }, "No challenger has been tried yet."));
    const c = view.capacity;
    put(capacity, JSON.stringify([c, view.memory_bytes, view.scorecard.learner_cpu_s]), () => h("dl", { class: "facts" },
      [["Decides", view.champion_decides ? view.policy : `${view.baseline}, until ${view.policy} has earned its place again`],
        ["Capacity of a replica", `${number(c.learned_rps)} rps learned (${number(c.interval_rps[0])} to ${number(c.interval_rps[1])}), ${number(c.prior_rps)} configured`],
        ["Cost of learning", `${span(view.scorecard.learner_cpu_s)} of CPU since start`],
        ["Tick", `${number(view.tick_ms[0], 1)} ms, p99 ${number(view.tick_ms[1], 1)} ms`],
      ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
  };
  update(view);
  return { update };
}

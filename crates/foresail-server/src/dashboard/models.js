// The league of models: who leads, how well each does, and how that changed; whether the load still is what they learned from;
// and whether what was done turned out as predicted.

import { card, chip, figure, h, put, say, table } from "./dom.js";
import { draw } from "./charts.js";
import { clock, ms, number, percent, plural, points, seconds, span } from "./format.js";

export function mount(root, context) {
  let view = context.view;
  const board = h("div");
  const error = figure("Error over time", "mean absolute error at the horizon, requests a second", null);
  const coverage = figure("Coverage over time", "share of what came within the 90 % interval", null);
  const after = figure("Predicted against actual", "when the replicas of an action were due, UTC", () => outcomeTable());
  const verdict = h("p");
  const trials = h("div");
  const leads = h("div");
  const inputs = h("div");
  const found = h("div");
  const capacity = h("div");
  root.replaceChildren(card("Leaderboard", board), h("section", { class: "card", "aria-label": "Error and coverage" }, error.node, coverage.node),
    card("Drift",
      h("p", { class: "quiet-text" }, "Whether the load still comes as the ensemble forecast it, and still is spread as it was. After a change for good all models are fitted anew, with what went before at the new level; after a spike, without it."),
      leads, inputs, found),
    card("Utilisation after actions",
      h("p", { class: "quiet-text" }, "Load at arrival over what the ready replicas can do, as it was predicted when replicas were ordered and as it came."),
      verdict, after.node),
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

  function utilisation() {
    const u = view.utilisation;
    after.node.hidden = u.outcomes.length === 0;
    if (!u.outcomes.length) return say(verdict, "No action has been compared yet: the first is once the replicas it ordered are due.");
    const lean = Math.abs(u.mean_error) < 0.005 ? "as predicted" : u.mean_error > 0 ? "higher than predicted" : "lower than predicted";
    const told = `${plural(u.compared, "action")} compared. Over the last ${u.outcomes.length} the mean error is ${points(u.mean_error)} points (${lean}), its mean size ${number(100 * u.mean_absolute_error, 1)} points.`;
    say(verdict, told);
    after.describe(told);
    const x = u.outcomes.map(([, due]) => ms(due));
    const mark = (name, pick, more) => ({ x, y: u.outcomes.map((o) => o[pick]), name, mode: "lines+markers", hovertemplate: "%{y:.0%}", ...more });
    draw(after.chart, (c) => ({
      data: [
        mark("predicted", 2, { line: { color: c.s1, width: 1, dash: "dash" }, marker: { color: c.s1, size: 8, symbol: "circle-open" } }),
        mark("actual", 3, { line: { color: c.s0, width: 1.4 }, marker: { color: c.s0, size: 6 } }),
      ],
      layout: { height: 220, yaxis: { tickformat: ".0%" } },
    }));
    after.fill();
  }

  function outcomeTable() {
    const rows = [...view.utilisation.outcomes].reverse().map(([id, due, predicted, actual]) =>
      [`#${id}`, clock(due, view.time), percent(predicted), percent(actual), points(actual - predicted)]);
    return table("Utilisation after actions, newest first", [["decision"], ["due"], ["predicted", "n"], ["actual", "n"], ["error, points", "n"]], rows);
  }

  const list = (told, none) => told.length
    ? h("ol", { class: "told" }, told.map((t) => h("li", {}, h("time", { datetime: t.time }, clock(t.time, view.time)), h("span", {}, t.text))))
    : h("p", { class: "quiet-text" }, none);

  function drift() {
    const d = view.drift;
    const phases = { warm_up: ["Warming up", undefined], calm: ["Calm", "good"], suspect: ["Suspect", "warn"] };
    put(leads, JSON.stringify([d.leads, d.score_weight]), () => h("div", {},
      table("Residuals of the ensemble’s forecasts",
        [["ahead"], ["state"], ["usual spread, rps", "n"], ["suspicions", "n"], ["changes", "n"], ["spikes", "n"]],
        d.leads.map((l) => [span(l.steps * seconds(d.step)), chip(...phases[l.phase]), l.spread_rps === null ? "–" : number(l.spread_rps, 1),
          number(l.suspicions), number(l.changes), number(l.spikes)]), "No forecast has come due yet."),
      h("p", {}, `A new score counts for ${percent(d.score_weight, 1)} of a model’s error.`)));
    put(inputs, JSON.stringify([d.inputs, d.compared]), () => table(
      d.compared ? `Inputs, each less what it was a season before, until ${clock(d.compared, view.time)} against the reference` : "Inputs",
      [["input"], ["stability index", "n"], ["largest distance", "n"], ["by chance", "n"], ["verdict"]],
      d.inputs.map((i) => [i.name, number(i.index, 2), number(i.distance, 2), i.p_value < 0.001 ? "< 0.001" : number(i.p_value, 3),
        i.has_drifted ? chip("Drifted", "warn") : chip("As before", "good")]), "Inputs are compared with those of a season before, once there are enough."));
    put(found, JSON.stringify(d.told), () => list(d.told, "Nothing has been found."));
  }

  const update = (newer) => {
    // Drawing takes its time, so it is done where something has come.
    const fresh = view === newer || view.utilisation.compared !== newer.utilisation.compared;
    view = newer;
    if (fresh) utilisation();
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
    drift();
    put(trials, JSON.stringify(view.trials), () => list(view.trials, "No challenger has been tried yet."));
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

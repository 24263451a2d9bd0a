// What was decided and why: a timeline, the changes, and everything about one of them.

import { card, figure, h, put, table } from "./dom.js";
import { get, of } from "./api.js";
import { answerButtons } from "./pending.js";
import { draw } from "./charts.js";
import { DRIVERS, clock, ms, plural } from "./format.js";

const COLOURS = { reactive: "s1", predicted: "s0", event: "s2", minimum: "s7", held: "s3", stale: "s6", manual: "s4", foresight: "s5" };
const PAGE = 500;

export function mount(root, context) {
  let view = context.view;
  let records = [];
  let all = false;
  let chosen = null;
  let fetching = false;

  const pending = h("div");
  const timeline = figure("Wanted replicas", "coloured by what set them, UTC", null);
  const list = h("div");
  const older = h("button", { type: "button", onclick: () => more() }, "Show older");
  const detail = h("div", { "aria-live": "polite" });
  const toggle = h("input", { type: "checkbox", id: "all", onchange: (e) => { all = e.target.checked; paintList(); } });
  root.replaceChildren(pending,
    card("Timeline", timeline.node),
    h("div", { class: "split beside" },
      card("Decisions", h("p", {}, toggle, " ", h("label", { for: "all" }, "Also those that changed nothing")), list, h("div", { class: "buttons" }, older)),
      card("One decision", detail)));

  async function more(newest) {
    if (fetching) return;
    fetching = true;
    try {
      const before = newest || !records.length ? "" : `&before=${records[records.length - 1].id}`;
      const page = await get(of(view.service, `/decisions?limit=${PAGE}${before}`));
      const known = new Set(records.map((r) => r.id));
      records = records.concat(page.decisions.filter((r) => !known.has(r.id))).sort((a, b) => b.id - a.id);
      older.hidden = !page.next_before && !newest;
      paint();
      if (chosen === null && changes().length) choose(changes()[0].id);
    } catch (problem) {
      detail.replaceChildren(h("p", { class: "quiet-text" }, problem.message));
    } finally {
      fetching = false;
    }
  }

  // What differs from what was asked for, once: a recommendation is made anew every tick until it is answered.
  const changes = () => records.filter((r, i) => r.decision.desired !== r.observation.replicas.desired && r.decision.desired !== records[i + 1]?.decision.desired);

  function paint() {
    paintTimeline();
    paintList();
  }

  function paintTimeline() {
    const shown = [...records].reverse();
    const x = shown.map((r) => ms(r.time));
    draw(timeline.chart, (c) => ({
      data: [
        { x, y: shown.map((r) => r.decision.desired), name: "wanted", mode: "lines", line: { color: c.ink, width: 1.2, shape: "hv" }, hovertemplate: "%{y}" },
        { x, y: shown.map((r) => r.baseline), name: view.baseline, mode: "lines", line: { color: c.quiet, width: 1, dash: "dash", shape: "hv" }, hovertemplate: "%{y}" },
        ...Object.entries(COLOURS).map(([driver, colour]) => {
          const name = DRIVERS[driver];
          const some = changes().filter((r) => r.decision.reason.driver === driver).reverse();
          return { x: some.map((r) => ms(r.time)), y: some.map((r) => r.decision.desired), name, mode: "markers", marker: { color: c[colour], size: 9 }, hovertemplate: `%{y}, ${name}` };
        }).filter((trace) => trace.x.length),
      ],
      layout: { height: 260 },
    }));
    timeline.describe(`${changes().length} changes in ${plural(records.length, "decision")}.`);
  }

  function paintList() {
    const shown = (all ? records : changes()).slice(0, 150);
    put(list, JSON.stringify([all, chosen, shown.map((r) => r.id)]), () => {
      const rows = shown.map((r) => {
        const before = r.observation.replicas.desired;
        const row = [
          h("button", { type: "button", class: "link", "aria-pressed": String(r.id === chosen), onclick: () => choose(r.id, true) }, clock(r.time, view.time)),
          r.decision.desired === before ? String(before) : `${before} → ${r.decision.desired}`,
          DRIVERS[r.decision.reason.driver] || r.decision.reason.driver,
          String(r.baseline),
        ];
        row.kind = r.id === chosen ? "chosen" : undefined;
        return row;
      });
      return table("Decisions", [["time"], ["replicas", "n"], ["set by"], [view.baseline, "n"]], rows, "No change among the decisions loaded.");
    });
  }

  async function choose(id, byHand) {
    chosen = id;
    paintList();
    // On a narrow page it stands above the list.
    if (byHand) detail.parentElement.scrollIntoView({ block: "nearest" });
    const [told, record] = await Promise.all([
      get(of(view.service, `/decisions/${id}/explain`)), get(of(view.service, `/decisions/${id}`))]).catch(() => []);
    if (chosen !== id || !told) return;
    const doubt = { saturated: "saturated: at least this", attack: "attack: not learned from", suspect: "suspect: not learned from" };
    detail.replaceChildren(
      h("p", {}, h("strong", {}, `Decision ${id}`), h("span", { class: "quiet-text" }, ` at ${clock(told.time)} UTC, mode ${record.mode}`)),
      h("p", { class: "reason" }, told.sentence),
      h("h3", {}, "What was known"),
      h("dl", { class: "facts" }, told.inputs.map((f) => h("div", {}, h("dt", {}, f.name), h("dd", {}, f.value, doubt[f.quality] && h("span", { class: "quiet-text" }, ` (${doubt[f.quality]})`))))),
      h("h3", {}, "How the number came about"),
      h("ol", {}, told.steps.map((s) => h("li", {}, s))),
      h("p", { class: "quiet-text" }, `Policy ${record.policy}, version ${record.version}.`));
  }

  const update = (newer) => {
    view = newer;
    const p = view.pending;
    put(pending, JSON.stringify(p && [p.id, view.mode]), () => p && card("Waiting for an answer",
      h("p", { class: "reason" }, `${plural(p.desired, "replica")}: ${p.reason}.`),
      h("p", { class: "quiet-text" }, `Made at ${clock(p.time, view.time)}, lapses at ${clock(p.expires, view.time)}.`),
      answerButtons(view)));
    if (view.last && records.length && view.last.id > records[0].id) {
      records.unshift(view.last);
      if (records.length > 3000) records.pop();
      paint();
    }
  };
  update(view);
  more(true);
  return { update };
}

// The request router: who chooses the service and why, what it goes by, and what each class of requests costs where.

import { card, chip, fact, h, put, table } from "./dom.js";
import { milliseconds, number, percent, plural } from "./format.js";

const ACTING = {
  learner: ["Router chooses", "good", ""],
  contest: ["In turn with least-request", "note", "The router has to prove itself: both choose for some seconds each."],
  baseline: ["Least-request chooses", "bad", "The router lost its contest and is tried again later."],
  cold_start: ["Least-request chooses", "note", "Too little is known yet."],
};

const FEATURES = {
  size: "size of the request", complexity: "number of its parameters", hour_sin: "time of day", hour_cos: "time of day (other axis)", class_latency: "latency of the class anywhere",
  latency_of_class_here: "latency of the class there", success_of_class_here: "success of the class there", resource_of_class_here: "resource the class uses there",
  service_latency: "latency of the service", service_success: "success of the service", latency_of_context_here: "latency of the user's context there", service_load: "requests in flight there",
};

const called = (name) => name || "in no service";

/** The card; hidden where there is no router. */
export function routing() {
  const standing = h("div");
  const importance = h("div");
  const services = h("div");
  const classes = h("div");
  const node = card("Routing", h("div", { class: "grid" }, standing, importance), services, classes);

  function update(r) {
    node.hidden = !r;
    if (!r) return;
    put(standing, JSON.stringify([r.phase, r.acting, r.cost_ratio, r.contest_ratio, r.outcomes, r.lost, r.changes]), () => stands(r));
    put(importance, JSON.stringify(r.importance), () => [h("h3", {}, "What it goes by"), goesBy(r.importance)]);
    put(services, JSON.stringify(r.services), () => [h("h3", {}, "Services"), table("Services",
      [["service"], ["latency", "n"], ["success", "n"], ["one more adds", "n"]],
      r.services.map((s) => [called(s.name), milliseconds(s.latency_ms), percent(s.success), percent(s.steepness)]))]);
    put(classes, JSON.stringify([r.classes, r.services.map((s) => s.name)]), () => [
      h("h3", {}, "Classes of requests"),
      h("p", { class: "quiet-text small" }, "Median latency at the usual load, and under it success, resource used, and the answers that this rests on, those long ago counting less. The cheapest service of each class stands out."),
      table("Classes of requests at each service", [["class"], ...r.services.map((s) => [called(s.name), "n"])],
        r.classes.map((c) => [c.name ?? "not named yet", ...c.services.map((pair) => cell(pair, c.services))]), "No class yet.")]);
  }
  return { node, update };
}

function stands(r) {
  const [word, tone, why] = ACTING[r.phase === "cold_start" ? "cold_start" : r.acting];
  const lasted = r.acting === "contest" ? "in this contest" : "by the requests held out for comparison";
  return [h("h3", {}, "Standing"), h("dl", { class: "facts" },
    fact("Who chooses", h("span", {}, chip(word, tone), why && " " + why)),
    fact("What it brings", r.cost_ratio ? `router ${cheaper(r.cost_ratio)}, ${lasted}` : "nothing compared yet"),
    r.acting !== "contest" && r.contest_ratio && fact("Last contest", `router ${cheaper(r.contest_ratio)}`),
    fact("Learned from", plural(r.outcomes, "answer") + (r.lost ? `; ${number(r.lost)} more came too fast` : "")),
    fact("Changes found", r.changes ? `${plural(r.changes, "change")} of what services are good at; the journal has them` : "none, of what services are good at"))];
}

/** What a request costs by the router, beside least-request. */
function cheaper(ratio) {
  const [mean, low, high] = ratio.map((x) => (x - 1) * 100);
  const sides = mean < 0 ? [-high, -low] : [low, high];
  return `${number(Math.abs(mean), 0)} % ${mean < 0 ? "cheaper" : "dearer"} than least-request (95 % sure of ${number(sides[0], 0)} to ${number(sides[1], 0)} %)`;
}

function goesBy(importance) {
  if (importance.length === 0) return h("p", { class: "quiet-text" }, "Nothing yet: the forest is grown from the first answers.");
  const most = Math.max(...importance.map(([, share]) => share), 0.01);
  return table("What the forest goes by", [["feature"], ["share", "n"]], importance.filter(([, share]) => share >= 0.005).map(([name, share]) => [
    FEATURES[name] || name,
    h("span", { class: "share" }, h("meter", { min: 0, max: most, value: share, "aria-label": "share" }), h("span", {}, percent(share)))]));
}

function cell(pair, all) {
  if (pair.tries < 0.5) return h("span", { class: "quiet-text" }, `${milliseconds(pair.latency_ms)}, a guess`);
  const best = all.length > 1 && pair.cost === Math.min(...all.map((other) => other.cost));
  return h("span", {}, best ? h("strong", { class: "best" }, milliseconds(pair.latency_ms), h("span", { class: "unseen" }, " (cheapest)")) : milliseconds(pair.latency_ms),
    h("br"), h("span", { class: "quiet-text small" }, `${percent(pair.success)} · ${number(pair.resource)} · ${number(pair.tries, 0)}`));
}

// The frame: navigation, connection, banner, and which page is shown.

import { capital, card, chip, h, put, say, toast } from "./dom.js";
import { follow, get, hooks, of } from "./api.js";
import { askToken } from "./dialogs.js";
import { answerButtons } from "./pending.js";
import { SEVERITIES, alertText } from "./alerts.js";
import { clear, repaint } from "./charts.js";
import { clock, number, plural, span } from "./format.js";

const PAGES = { overview: "Overview", decisions: "Decisions", traffic: "Traffic", models: "Models", guard: "Guard", fingerprint: "Fingerprint", journal: "Journal", settings: "Settings" };
const views = new Map();
const state = { service: null, page: null, shown: null, heard: 0, live: false };
const $ = (id) => document.getElementById(id);

hooks.askToken = askToken;

/** What pages are handed: the view as of now, and ways to act. */
function context() {
  return { view: views.get(state.service), reload };
}

async function reload() {
  onView(await get(of(state.service)));
}

async function route(moved) {
  const name = location.hash.replace(/^#\/?/, "").split("?")[0] || "overview";
  const page = Object.hasOwn(PAGES, name) ? name : "overview";
  if (!views.has(state.service)) return;
  const module = await import(`/assets/${page}.js`);
  state.page = page;
  clear();
  for (const link of $("nav").children) {
    if (link.getAttribute("href") === "#/" + page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  banner(views.get(state.service));
  say($("title"), PAGES[page]);
  document.title = `${PAGES[page]} · ${state.service} · Foresail`;
  const root = h("div");
  $("page").replaceChildren(root);
  state.shown = module.mount(root, context());
  if (!moved) return;
  // From its top: what stands in the banner would else be under the header.
  scrollTo(0, 0);
  $("main").focus({ preventScroll: true });
}

function onView(view) {
  const first = views.size === 0;
  views.set(view.service, view);
  state.heard = Date.now();
  if (state.service === null) state.service = view.service;
  if (view.service !== state.service) return;
  banner(view);
  foot(view);
  say($("said"), `${plural(view.replicas.desired, "replica")} asked for.`);
  if (first || !state.shown) route(false).catch(lost);
  else state.shown.update(view);
}

function banner(view) {
  // The page of decisions shows what is pending itself.
  const pending = view.mode === "recommend" && state.page !== "decisions" ? view.pending : null;
  const holding = view.alerts.filter((a) => !a.ended);
  const key = JSON.stringify([view.mode, view.paused, view.killed, view.overridden, pending && pending.id, holding.map((a) => a.kind + a.severity + a.time), view.champion_decides, view.speed]);
  put($("banner"), key, () => {
    const tones = { act: "good", recommend: "note", observe: "plain" };
    const means = { act: "orders are carried out", recommend: "orders wait for approval", observe: "nothing is ordered" };
    const line = h("div", { class: "strip" },
      h("span", {}, chip(capital(view.mode), tones[view.mode]), " ", means[view.mode]),
      view.speed > 1 && h("span", {}, chip("Demonstration", "note"), ` this clock runs ${number(view.speed)}× fast`),
      !view.champion_decides && h("span", {}, chip("Baseline decides", "warn"), ` ${view.policy} has to earn its place again`));
    const notices = [
      view.killed && notice("bad", "The kill switch is on. No orders of any kind are given.", h("a", { href: "#/settings" }, "Settings")),
      view.paused && notice("warn", `Orders ${{ both: "", up: "that add replicas ", down: "that remove replicas " }[view.paused[1]]}are paused until ${clock(view.paused[0], view.time)}.`, h("a", { href: "#/settings" }, "Settings")),
      view.overridden && notice("warn", `Set by hand to ${plural(view.overridden[1], "replica")} until ${clock(view.overridden[0], view.time)}.`, h("a", { href: "#/settings" }, "Settings")),
      pending && notice("note", `Recommended: ${plural(pending.desired, "replica")} (${pending.reason}).`, answerButtons(view)),
      ...holding.map((a) => notice(SEVERITIES[a.severity] || "warn", [chip(capital(a.severity), SEVERITIES[a.severity]), ` ${alertText(a)}`],
        h("span", {}, h("span", { class: "quiet-text" }, `since ${clock(a.time, view.time)} `), a.context.length > 0 && h("a", { href: "#/journal" }, "Figures")))),
    ];
    return [line, ...notices];
  });
}

function notice(tone, text, more) {
  return h("div", { class: "notice", "data-tone": tone, role: tone === "bad" ? "alert" : undefined }, h("span", {}, text), more);
}

function foot(view) {
  say($("foot"), `${view.service}: ${view.policy} against ${view.baseline}; tick took ${number(view.tick_ms[0], 1)} ms; ${clock(view.time)} UTC.`);
}

function connection() {
  const view = views.get(state.service);
  const quiet = (Date.now() - state.heard) / 1000;
  const tick = view ? (view.tick.secs + view.tick.nanos / 1e9) / Math.max(view.speed, 1e-6) : 15;
  const stale = view && quiet > Math.max(3 * tick, 10);
  const word = !state.live ? "lost" : stale ? "stale" : "live";
  $("live").dataset.state = word;
  document.body.dataset.state = word;
  const said = { live: "Live", stale: "No news for " + span(Math.floor(quiet / 5) * 5), lost: view ? "Disconnected, trying again" : "Connecting…" };
  say($("live-text"), said[word]);
}

function lost(problem) {
  toast(problem.message, "bad");
  if (problem.status === 401 && !state.shown) {
    $("page").replaceChildren(card("A token is needed", h("p", {}, "This server answers only to those who hold a token."),
      h("div", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => location.reload() }, "Enter a token"))));
  }
}

function pickService(services) {
  $("service").replaceChildren(...services.map((s) => h("option", { value: s, selected: s === state.service }, s)));
  $("service-pick").hidden = services.length < 2;
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  $("theme").addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("foresail.theme", chosen); } catch (_) { /* holds for this visit */ }
    repaint();
  });
  dark.addEventListener("change", () => repaint());
}

async function start() {
  startTheme();
  addEventListener("hashchange", () => route(true).catch(lost));
  $("service").addEventListener("change", (event) => {
    state.service = event.target.value;
    state.shown = null;
    reload().catch(lost);
  });
  setInterval(connection, 1000);
  follow(onView, (word) => {
    state.live = word === "live";
    connection();
  });
  const { services } = await get("/api/v1/services");
  state.service = services.includes(state.service) ? state.service : services[0] ?? null;
  pickService(services);
  if (state.service !== null && !views.has(state.service)) await reload();
}

start().catch(lost);

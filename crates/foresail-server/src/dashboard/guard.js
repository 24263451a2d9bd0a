// The guard: pressure, who asks most, what there is too much of, and every verdict with its reason and a way to undo it.

import { capital, card, chip, h, put, say, table, tile } from "./dom.js";
import { of } from "./api.js";
import { carryOut } from "./dialogs.js";
import { clock, number, percent, plural, span } from "./format.js";

const HOUR = 3600;
const MODES = { observe: ["Observes", "plain"], enforce: ["Enforces", "good"], seed: ["As published", "note"] };

const DIMENSIONS = {
  fingerprint: "Requests written in one way (headers and their order)", place: "Requests from one country or region", network: "Requests from one network",
  path: "Requests for one path", conduct: "Clients that behave in one way", oddness: "Clients about as odd as one another",
};

export function mount(root, context) {
  const tiles = { state: tile("Guard"), pressure: tile("Pressure"), arriving: tile("Arriving"), attack: tile("Taken for an attack"), held: tile("Held"), limit: tile("Each client may make") };
  const none = h("p", { class: "quiet-text" });
  const buttons = h("div", { class: "buttons" });
  const groups = h("div");
  const clients = h("div");
  const verdicts = h("div");
  const pardons = h("div");
  const pardoned = card("Let in by operators", pardons);
  const parts = [card("What there is too much of", groups), card("Clients that ask most", clients), card("Verdicts", verdicts), pardoned];
  let view = context.view;
  const act = async (what) => { if (await carryOut(what)) await context.reload().catch(() => {}); };
  root.replaceChildren(h("dl", { class: "tiles" }, Object.values(tiles).map((t) => t.node)), none, buttons, ...parts);

  function letIn(client) {
    const address = client.replace("/64", "");
    return h("button", { type: "button", "aria-label": `Let ${client} in`, onclick: () => act({
      title: "Let this client in?", what: `For an hour ${client} goes through whatever it does, and what it did is forgiven. The journal keeps a line of it.`,
      verb: "Let in", method: "POST", path: of(view.service, "/guard/pardon"), body: { client: address, seconds: HOUR }, done: `${client} is let in for an hour.`,
    }) }, "Let in");
  }

  function standing(g) {
    const down = h("button", { type: "button", onclick: () => act({
      title: "Stand the guard down?", what: "For an hour everything goes through, an attack too. The guard goes on judging, so that this page shows what it would do.",
      verb: "Stand down", danger: true, method: "POST", path: of(view.service, "/guard/stand_down"), body: { seconds: HOUR }, done: "The guard stands down for an hour.",
    }) }, "Stand down for an hour");
    const up = h("button", { type: "button", class: "primary", onclick: () => act({
      title: "Let the guard act again?", what: "It acts as it is configured, from now on.",
      verb: "Act again", method: "POST", path: of(view.service, "/guard/stand_up"), body: {}, done: "The guard acts as configured.",
    }) }, "Let it act again");
    if (g.stands_down_until) return [up, h("span", { class: "quiet-text" }, `Stands down until ${clock(g.stands_down_until, view.time)}, by an operator.`)];
    return g.mode === "observe" ? [h("span", { class: "quiet-text" }, "It lets everything through and tells what it would do; mode = \"enforce\" in the service's proxy.guard lets it act.")] : [down];
  }

  const update = (newer) => {
    view = newer;
    const g = view.guard;
    none.hidden = Boolean(g);
    for (const part of [buttons, ...parts]) part.hidden = !g;
    for (const t of Object.values(tiles)) t.node.hidden = !g;
    if (!g) {
      say(none, "This service has no guard, or it has seen nothing yet. It is part of the proxy: [service.NAME.proxy.guard].");
      return;
    }
    pardoned.hidden = g.pardons.length === 0;
    const [word, tone] = MODES[g.mode] || [capital(g.mode), "plain"];
    tiles.state.set(g.stands_down_until ? "Stands down" : word, g.is_engaged ? "under pressure" : "no pressure, so nothing is done", tone === "bad" ? "bad" : "");
    tiles.pressure.set(percent(g.pressure, 0), "on the endpoints; acts from 10 %", g.pressure >= 0.5 ? "bad" : "");
    tiles.arriving.set(number(g.arrival_rps, 0) + " rps", `${number(g.totals.arrivals)} so far`);
    tiles.attack.set(number(g.attack_rps, 0) + " rps", `${number(g.totals.attack)} so far`, g.attack_rps >= 1 ? "bad" : "");
    const t = g.totals;
    tiles.held.set(number(t.challenged + t.throttled + t.blocked), `${number(t.challenged)} challenged, ${number(t.throttled)} told to wait, ${number(t.blocked)} blocked`);
    tiles.limit.set(number(g.limit_rps) + " rps", "under pressure; learned from seven days");
    put(buttons, JSON.stringify([g.mode, g.stands_down_until]), () => standing(g));
    put(groups, JSON.stringify(g.groups), () => table("Groups of requests beyond their usual share, most telling first",
      [["group"], ["share now", "n"], ["most in 7 days", "n"], ["evidence", "n"]],
      g.groups.map((group) => [group.origin ? `Requests from ${group.origin}` : DIMENSIONS[group.dimension] || capital(group.dimension), percent(group.share), percent(group.usual, 2), "×" + number(Math.exp(group.evidence), 1)]),
      "The mix of requests is as usual."));
    put(clients, JSON.stringify(g.clients), () => table("Clients that ask most, over the last seconds",
      [["client"], ["requests", "n"], ["of allowed", "n"], ["endpoints' time", "n"], ["refusals", "n"], ["blocked for", "n"]],
      g.clients.map((c) => [h("span", {}, c.client, h("span", { class: "quiet-text small" }, c.origin ? " " + c.origin : "")), number(c.rps, 1) + " rps", number(c.limit_rps, 1) + " rps", number(c.ms_per_s, 0) + " ms/s", number(c.strikes), c.blocked_s > 0 ? span(c.blocked_s) : "–"]),
      "Nobody who comes often has come in the last seconds."));
    put(verdicts, JSON.stringify([g.verdicts, g.pardons]), () => {
      const inNow = new Set(g.pardons.map(([client]) => client));
      return table("Verdicts against requests, newest first", [["when"], ["client"], ["asked for"], ["verdict"], ["why"], ["times", "n"], [""]],
        g.verdicts.slice(0, 50).map((v) => [clock(v.time, view.time), h("span", {}, v.client, h("span", { class: "quiet-text small" }, v.agent ? " " + v.agent : "")), v.path,
          h("span", {}, chip(capital(v.action), v.is_observed ? "plain" : "warn"), v.is_observed ? " observed only" : ""), v.reason, number(v.count),
          inNow.has(v.client) ? "let in" : letIn(v.client)]),
        "Nothing has been held against anybody.");
    });
    put(pardons, JSON.stringify(g.pardons), () => table("Clients let in", [["client"], ["until"]], g.pardons.map(([client, until]) => [client, clock(until, view.time)]), `${plural(0, "client")}.`));
  };
  update(view);
  return { update };
}

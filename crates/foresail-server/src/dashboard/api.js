// Asking, saying and following. The token, if one is needed, stays in this tab.

const KEY = "foresail.token";
let token = read();
let asking = null;
let declined = false;
/** Set by the page: shows a dialog and answers the token that was entered, or nothing. */
export const hooks = { askToken: async () => null };

function read() {
  try { return sessionStorage.getItem(KEY) || ""; } catch (_) { return ""; }
}

export function setToken(value) {
  token = value || "";
  try { if (token) sessionStorage.setItem(KEY, token); else sessionStorage.removeItem(KEY); } catch (_) { /* kept in memory */ }
}

export const hasToken = () => token !== "";

function headers(more) {
  return token ? { Authorization: "Bearer " + token, ...more } : { ...more };
}

/** One dialog, however many requests were refused at a time. */
function askOnce(why) {
  asking = asking || hooks.askToken(why).finally(() => { asking = null; });
  return asking;
}

async function send(path, options) {
  for (;;) {
    const sent = token;
    const response = await fetch(path, { ...options, headers: headers(options.headers), cache: "no-store" });
    if (response.status !== 401) return response;
    if (token === sent) {
      const given = declined ? null : await askOnce(sent ? "This token is not known." : "");
      declined = !given;
      if (!given) throw new Problem(401, { error: "a token is needed" });
      setToken(given);
    }
  }
}

export class Problem extends Error {
  constructor(status, body) {
    super(body.error + (body.accepted ? ` (accepted: ${body.accepted})` : ""));
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response.json();
  throw new Problem(response.status, await response.json().catch(() => ({ error: response.statusText })));
}

/** GET of JSON. */
export const get = async (path) => answer(await send(path, {}));

/** A write; every one carries JSON, which is what keeps other sites from sending it. */
export const write = async (method, path, body) =>
  answer(await send(path, { method, headers: { "Content-Type": "application/json" }, body: method === "DELETE" ? undefined : JSON.stringify(body || {}) }));

/** Path of something of a service. */
export const of = (service, rest) => `/api/v1/services/${encodeURIComponent(service)}${rest || ""}`;

/** Waits until someone looks: a browser opens few connections to one server, and hidden pages need none. */
function seen() {
  return new Promise((done) => {
    const look = () => { if (!document.hidden) { document.removeEventListener("visibilitychange", look); done(); } };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

/** Follows the event stream for ever: `onView` with each view, `onState` with `live` or `lost`. */
export async function follow(onView, onState) {
  let wait = 500;
  for (;;) {
    const leave = new AbortController();
    const away = () => { clearTimeout(timer); if (document.hidden) timer = setTimeout(() => leave.abort(), 30000); };
    let timer;
    document.addEventListener("visibilitychange", away);
    try {
      const response = await send("/api/v1/events", { signal: leave.signal });
      if (!response.ok) throw new Error(response.statusText);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        onState("live");
        wait = 500;
        rest += value;
        const events = rest.split("\n\n");
        rest = events.pop();
        // Of several views that came at once only the newest of each service is worth drawing.
        const newest = new Map();
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event);
          if (data && event.startsWith("event: view")) {
            const view = JSON.parse(data[1]);
            newest.set(view.service, view);
          }
        }
        newest.forEach(onView);
      }
    } catch (_) { /* said by the state */ }
    document.removeEventListener("visibilitychange", away);
    clearTimeout(timer);
    onState("lost");
    await seen();
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 8000);
  }
}

// Elements without markup: everything from outside goes in as text.

/** An element; `props` are attributes, `on…` functions, and `class`. Children may be text, nodes, arrays or nothing. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(node, child);
    else if (child !== undefined && child !== null && child !== false) node.append(child);
  }
}

/** Replaces what is in `node`, but only if `key` differs from the last time. Focus and sideways scrolling stay where they were. */
export function put(node, key, make) {
  if (node.dataset.key === key && key !== undefined) return;
  node.dataset.key = key;
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = [...node.querySelectorAll(".table")].map((t) => t.scrollLeft);
  const made = make();
  node.replaceChildren(...(Array.isArray(made) ? made.filter(Boolean) : made ? [made] : []));
  node.querySelectorAll(".table").forEach((t, i) => { t.scrollLeft = scrolled[i] ?? 0; });
  if (focused) (successor(node, focused) || node.querySelector("button, a, input, select") || document.getElementById("main")).focus({ preventScroll: true });
}

/** What in `node` stands for `old`, which was replaced: known by its id and label, and a button by its words. */
function successor(node, old) {
  const words = (e) => (e.matches("button, a, summary") ? e.textContent : "");
  return [...node.querySelectorAll(old.tagName)].find((e) =>
    e.id === old.id && e.getAttribute("aria-label") === old.getAttribute("aria-label") && words(e) === words(old));
}

/** Sets text where it differs, so that nothing is announced twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A tile: a number with its name and a line under it. */
export function tile(name) {
  const value = h("dd", { class: "value" }, "–");
  const note = h("dd", { class: "note" });
  const node = h("div", { class: "tile" }, h("dt", {}, name), value, note);
  return {
    node,
    set(text, more, tone) {
      say(value, text);
      say(note, more || "");
      node.dataset.tone = tone || "";
    },
  };
}

/** A table that scrolls within itself. `columns`: [name, class]; rows: arrays of text or nodes. */
export function table(caption, columns, rows, empty) {
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
      h("tbody", {}, rows.length
        ? rows.map((row) => h("tr", { class: row.kind }, row.map((cell, i) =>
          h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : undefined, class: columns[i][1] }, cell))))
        : h("tr", {}, h("td", { colspan: columns.length, class: "quiet-text" }, empty || "Nothing yet.")))));
}

/** A card with a heading. */
export function card(heading, ...children) {
  return h("section", { class: "card" }, h("h2", {}, heading), ...children);
}

/** A chart's frame: a title, the drawing, and the same as a table on demand. */
export function figure(title, note, rows) {
  const chart = h("div", { class: "chart", role: "img", "aria-label": title });
  const body = h("div");
  const details = h("details", {}, h("summary", {}, "As a table"), body);
  const fill = () => { if (details.open && rows) body.replaceChildren(rows()); };
  details.addEventListener("toggle", fill);
  const node = h("figure", {}, h("figcaption", {}, h("strong", {}, title), " ", h("span", { class: "quiet-text" }, note)), chart, rows && details);
  return { node, chart, fill, describe: (text) => chart.setAttribute("aria-label", title + ". " + text) };
}

/** A word in a coloured frame. */
export function chip(text, tone) {
  return h("span", { class: "chip", "data-tone": tone }, text);
}

/** A word of someone else's (`act`, `slow start`) at the start of a sentence. */
export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

let toastTimer;
/** Says something for a while. */
export function toast(text, tone) {
  const node = document.getElementById("toast");
  node.textContent = text;
  node.dataset.tone = tone || "";
  node.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => node.classList.remove("shown"), 6000);
}

/** A name and its value, in a list of facts. */
export function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

// The OpenAPI document, to read and to try.

import { card, h, table } from "./dom.js";
import { get, hooks, write } from "./api.js";
import { askToken } from "./dialogs.js";

hooks.askToken = askToken;
const root = document.getElementById("page");

/** Text in which backticks mark names. */
const marked = (text) => (text || "").split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

const nameOf = (ref) => ref.split("/").pop();

/** A schema in the words people use for types. */
function kind(schema) {
  if (schema.$ref) return h("a", { href: "#schema-" + nameOf(schema.$ref) }, nameOf(schema.$ref));
  if (schema.anyOf) return [schema.anyOf.filter((s) => s.type !== "null").map(kind), " or null"];
  if (schema.prefixItems) return ["(", schema.prefixItems.flatMap((s, i) => [i ? ", " : "", kind(s)]), ")"];
  if (schema.type === "array") return ["list of ", kind(schema.items)];
  if (schema.enum) return schema.enum.join(" | ");
  const range = schema.minimum !== undefined || schema.maximum !== undefined ? ` ${schema.minimum ?? ""} to ${schema.maximum ?? ""}` : "";
  return (schema.format === "date-time" ? "time" : schema.type) + (schema.maximum !== undefined ? range : "");
}

function fields(title, schema) {
  const rows = Object.entries(schema.properties || {}).map(([name, s]) =>
    [h("code", {}, name), h("span", {}, kind(s)), (schema.required || []).includes(name) ? "always" : "may be left out", h("span", {}, marked(s.description))]);
  return rows.length ? table(title, [["name"], ["type"], [""], ["meaning"]], rows) : h("p", { class: "quiet-text" }, "An object without fields.");
}

function operation(path, verb, op) {
  const body = op.requestBody?.content["application/json"].schema;
  const content = op.responses["200"].content;
  const answer = content["application/json"]?.schema;
  const rows = op.parameters.map((p) => [h("code", {}, p.name), p.in, h("span", {}, kind(p.schema)), p.required ? "always" : "may be left out", h("span", {}, marked(p.description))]);
  return h("details", { class: "op", id: op.operationId },
    h("summary", {}, h("span", { class: "verb", "data-tone": op["x-role"] === "operate" ? "write" : "read" }, verb.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "quiet-text" }, marked(op.summary))),
    h("div", {},
      h("p", { class: "quiet-text" }, op["x-role"] ? `Needs the role ${op["x-role"]}.` : "Needs no token."),
      rows.length > 0 && [h("h3", {}, "Parameters"), table("Parameters", [["name"], ["in"], ["type"], [""], ["meaning"]], rows)],
      body && [h("h3", {}, "Body"), fields("Body", body)],
      h("h3", {}, "Answer"), h("p", {}, answer ? h("span", {}, kind(answer)) : Object.keys(content).join(", ")),
      verb !== "delete" && answer && (op["x-role"] !== "operate") && trial(path, verb, op)));
}

/** Sends a request that changes nothing and shows the answer. */
function trial(path, verb, op) {
  const inputs = op.parameters.map((p) => {
    const id = `${op.operationId}-${p.name}`;
    return [p, h("input", { id, name: p.name, required: p.required }), h("label", { for: id }, p.name)];
  });
  const body = op.requestBody && h("input", { id: op.operationId + "-body", value: "{}" });
  const out = h("pre", { tabindex: "0", hidden: true, "aria-label": "Answer" });
  const send = async (event) => {
    event.preventDefault();
    let target = path;
    const query = new URLSearchParams();
    for (const [p, input] of inputs) {
      if (p.in === "path") target = target.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.set(p.name, input.value);
    }
    if ([...query].length) target += "?" + query;
    out.hidden = false;
    try {
      const answer = verb === "get" ? await get(target) : await write("POST", target, JSON.parse(body.value));
      out.textContent = JSON.stringify(answer, null, 2);
    } catch (problem) {
      out.textContent = problem.message;
    }
  };
  return [h("h3", {}, "Try"), h("form", { class: "fields", onsubmit: send },
    inputs.map(([, input, label]) => [label, input]), body && [h("label", { for: op.operationId + "-body" }, "body"), body],
    h("div", { class: "buttons" }, h("button", { type: "submit" }, "Send"))), out];
}

async function start() {
  const doc = await get("/api/v1/openapi.json");
  const groups = new Map();
  for (const [path, verbs] of Object.entries(doc.paths)) {
    for (const [verb, op] of Object.entries(verbs)) {
      const tag = op.tags[0];
      groups.set(tag, [...(groups.get(tag) || []), operation(path, verb, op)]);
    }
  }
  root.replaceChildren(h("p", {}, marked(doc.info.description)),
    ...["Read", "Operate", "One service", "Health"].filter((t) => groups.has(t)).map((tag) => card(tag, groups.get(tag))),
    card("Shapes", Object.entries(doc.components.schemas).map(([name, schema]) =>
      h("details", { class: "op", id: "schema-" + name }, h("summary", {}, h("strong", {}, name), h("span", { class: "quiet-text" }, marked(schema.description))),
        h("div", {}, schema.enum ? h("p", {}, schema.enum.join(" | ")) : fields(name, schema))))));
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
}

start().catch((problem) => root.replaceChildren(h("p", {}, problem.message)));

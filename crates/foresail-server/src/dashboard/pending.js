// The answer to a recommendation.

import { capital, h } from "./dom.js";
import { of } from "./api.js";
import { carryOut } from "./dialogs.js";
import { plural } from "./format.js";

/** Approve and reject for the pending recommendation. */
export function answerButtons(view) {
  const { id, desired } = view.pending;
  const act = (verb, what, done, danger) => carryOut({
    title: `${capital(verb)} recommendation ${id}?`, what, verb: capital(verb), danger, done,
    method: "POST", path: of(view.service, `/recommendations/${id}/${verb}`),
  });
  return h("span", { class: "buttons" },
    h("button", { type: "button", class: "primary", onclick: () => act("approve", `The target is asked for ${plural(desired, "replica")} now; it has ${view.replicas.ready} ready and was last asked for ${view.replicas.desired}.`, "Approved.") }, "Approve"),
    h("button", { type: "button", onclick: () => act("reject", "This recommendation is dropped and nothing is ordered. The next tick may make another.", "Rejected.", true) }, "Reject"));
}

// Questions before something is done, and the question for a token.

import { h, toast } from "./dom.js";
import { setToken, write } from "./api.js";

/** Shows a dialog; answers the value of the button that closed it, or "" if it was dismissed. */
function open(title, body, verb, danger) {
  return new Promise((done) => {
    const form = h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title), body,
      h("div", { class: "buttons" },
        // No submit button: Enter in a field presses the first of those.
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
        h("button", { value: "yes", class: danger ? "danger" : "primary", type: "submit" }, verb)));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The button that opened it may be gone by now.
      if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
      done(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks, does, and tells. `what` says in plain words what will happen. */
export async function carryOut({ title, what, verb, danger, method, path, body, done }) {
  if ((await open(title, h("p", {}, what), verb, danger)) !== "yes") return false;
  try {
    await write(method, path, body);
    toast(done || "Done.", "good");
    return true;
  } catch (problem) {
    toast("Refused: " + problem.message, "bad");
    return false;
  }
}

/** Asks for a token; answers it, or nothing. */
export async function askToken(why) {
  const input = h("input", { type: "password", id: "token-input", autocomplete: "off", required: true, spellcheck: "false" });
  const body = h("div", {},
    h("p", {}, (why ? why + " " : "") + "This server answers only to those who hold a token. It is kept in this tab and nowhere else."),
    h("label", { for: "token-input" }, "Token"), input);
  const answer = await open("Token needed", body, "Continue");
  return answer === "yes" ? input.value.trim() : null;
}

/** Forgets the token of this tab. */
export function forgetToken() {
  setToken("");
  location.reload();
}

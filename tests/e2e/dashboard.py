"""Drives the dashboard in a headless browser, as a person with a mouse, one with a keyboard alone, and one with a phone.

Called by dashboard.sh: dashboard.py DEMO_URL RUN_URL PROXY_URL READ_TOKEN OPERATE_TOKEN FOLDER. DEMO_URL plays the live
demonstration; RUN_URL belongs to a `foresail run` in the mode `recommend` behind PROXY_URL, with those tokens. Screenshots go
to FOLDER.
"""

import http.client
import json
import re
import shutil
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import expect, sync_playwright

PAGES = {  # what stands on a page once it is complete
    "overview": (".js-plotly-plot .main-svg", 3),
    "decisions": (".js-plotly-plot .main-svg", 1),
    "traffic": ("tbody tr td + td", 1),
    "models": (".js-plotly-plot .main-svg", 2),
    "fingerprint": ("#page .tile", 5),
    "journal": (".records details", 1),
    "settings": ("#page form", 3),
}
HEADINGS = {"models": "Utilisation after actions", "fingerprint": "Past states like this one", "journal": "Alerts"}  # beside them
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# When the first figure stood on the page, on the clock that starts with the navigation.
FIRST_FIGURE = """
new MutationObserver(() => {
  const value = document.querySelector(".tile .value");
  if (value && value.textContent !== "–" && !window.firstFigure) window.firstFigure = performance.now();
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
FIRST_VIEW_LIMIT_MS = 3000  # the goal is 1000; a busy machine may be slower

BEGAN = time.monotonic()
failures = []


def check(holds, text):
    if not holds:
        failures.append(text)
        print(f"FAILED: {text}")


def ask(url, path, token=None):
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_for(what, found, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.1)
    raise SystemExit(f"FAILED: no {what} within {seconds} s")


def watched(context, url, where, allowed=None):
    """A page on which every word on the console and every request to another origin is a failure."""
    page = context.new_page()

    def said(kind, text):
        if not (allowed and re.search(allowed, text)):
            check(False, f"{where}: {kind}: {text}")

    page.on("console", lambda m: m.type in ("error", "warning") and said("console", m.text))
    page.on("pageerror", lambda e: said("error", str(e)))
    page.on("request", lambda r: r.url.startswith((url, "data:", "blob:")) or said("foreign request", r.url))
    return page


def done(text):
    print(f"{text} ({time.monotonic() - BEGAN:.0f} s)", flush=True)


def show(page, name):
    """Goes to a page by its link and waits until it is complete."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name.capitalize()).click()
    expect(page.locator("#title")).to_have_text(name.capitalize())
    selector, count = PAGES[name]
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    wait_for(f"{count} of {selector} on {name}", lambda: page.locator(selector).count() >= count)
    if name in HEADINGS:
        expect(page.get_by_role("heading", name=HEADINGS[name], exact=True)).to_be_visible()


def judge(page, where):
    """Axe-core finds nothing serious; what is less than that is printed."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    for found in page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]:
        text = f"{where}: axe: {found['impact']}: {found['id']}: {found['help']}: {found['nodes'][0]['html'][:160]}"
        check(found["impact"] not in ("serious", "critical"), text)
        if found["impact"] not in ("serious", "critical"):
            print(text)


def first_view(browser, url):
    """Median of five cold visits: navigation to the first paint, and to the first figure."""
    paints, figures = [], []
    for _ in range(5):
        context = browser.new_context(viewport=WIDE)
        context.add_init_script(FIRST_FIGURE)
        page = watched(context, url, "first view")
        page.goto(url)
        read = "[performance.getEntriesByName('first-contentful-paint')[0]?.startTime, window.firstFigure]"
        paint, figure = wait_for("first view", lambda: (found := page.evaluate(read)) and all(found) and found)
        paints.append(paint)
        figures.append(figure)
        context.close()
    paint, figure = sorted(paints)[2], sorted(figures)[2]
    done(f"first view: painted after {paint:.0f} ms, first figure after {figure:.0f} ms (median of 5, the slowest {max(figures):.0f} ms)")
    check(max(paint, figure) < FIRST_VIEW_LIMIT_MS, f"first view took {paint:.0f} and {figure:.0f} ms")


def all_pages(browser, url, shots):
    """Every page and the API's, light and dark, wide and narrow."""
    for scheme, size in [("light", WIDE), ("dark", WIDE), ("light", NARROW)]:
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        look = f"{scheme}-{size['width']}"
        page = watched(context, url, look)
        page.goto(url)
        for name in PAGES:
            show(page, name)
            page.screenshot(path=shots / f"{name}-{look}.png", full_page=True)
            judge(page, f"{name} {look}")
            width = page.evaluate("document.documentElement.scrollWidth")
            check(width <= size["width"], f"{name} {look}: {width} pixels wide")
        page.get_by_role("link", name="API").click()
        expect(page.locator("details.op").first).to_be_visible()
        page.screenshot(path=shots / f"api-{look}.png", full_page=True)
        judge(page, f"api {look}")
        width = page.evaluate("document.documentElement.scrollWidth")
        check(width <= size["width"], f"api {look}: {width} pixels wide")
        context.close()
    done("seven pages and the API's: rendered light, dark and 390 pixels wide; axe-core has judged them")


def live(page):
    """Figures move by themselves: the document stays, and nothing is loaded again."""
    page.evaluate("window.sameDocument = true")
    show(page, "overview")
    read = "[...document.querySelectorAll('.tile .value, #foot')].map((e) => e.textContent).join('|')"
    seen = {page.evaluate(read)}
    wait_for("moving figures", lambda: seen.add(page.evaluate(read)) or len(seen) >= 5)
    check(page.evaluate("window.sameDocument === true"), "the page was loaded again")
    done("figures moved five times in one document")


class Mouse:
    def __init__(self, page):
        self.page = page

    def press(self, target):
        target.click()

    def enter(self, target, text):
        target.fill(text)

    def choose(self, radio):
        radio.check()


class Keyboard(Mouse):
    """Tab, Enter and letters alone."""

    def reach(self, target):
        for _ in range(120):
            if target.evaluate("e => e === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise SystemExit(f"FAILED: no way by keyboard to {target}")

    def press(self, target):
        self.reach(target)
        self.page.keyboard.press("Enter")

    def enter(self, target, text):
        self.reach(target)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def choose(self, radio):
        """Tab leads to the chosen one of a group, arrows to the others."""
        self.reach(self.page.locator(f"input[name={radio.get_attribute('name')}]:checked"))
        for _ in range(10):
            if radio.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise SystemExit(f"FAILED: no way by keyboard to {radio}")


def answer(hand, verb, holds=None):
    """Presses a button of the dialog, which says what it is about."""
    dialog = hand.page.get_by_role("dialog")
    expect(dialog).to_contain_text(holds or verb)
    hand.press(dialog.get_by_role("button", name=verb, exact=True))
    expect(dialog).to_be_hidden()


def operate(hand, url):
    """Every word of the settings through its dialog; Escape leaves everything as it is."""
    page = hand.page
    button = lambda name: page.get_by_role("button", name=name, exact=True)
    banner = page.locator("#banner")
    before = len(ask(url, "/api/v1/audit?limit=500")["entries"])
    hand.press(page.get_by_role("link", name="Settings"))
    expect(page.locator("#title")).to_have_text("Settings")

    hand.press(button("Pause…"))
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    check(button("Pause…").evaluate("e => e === document.activeElement"), "Escape does not lead back to the button")
    check(len(ask(url, "/api/v1/audit?limit=500")["entries"]) == before, "a dismissed dialog was carried out")

    hand.press(button("Pause…"))
    judge(page, "dialog")
    answer(hand, "Pause", "no order is given")
    expect(banner).to_contain_text("paused until")
    expect(button("Resume…")).to_be_focused()
    hand.press(button("Resume…"))
    answer(hand, "Resume")
    expect(banner).not_to_contain_text("paused until")

    view = ask(url, "/api/v1/services/" + ask(url, "/api/v1/services")["services"][0])
    count = min(view["limits"][1], view["replicas"]["desired"] + 1)
    hand.enter(page.get_by_label("Replicas", exact=True), str(count))
    hand.press(button("Set…"))
    answer(hand, "Set", f"{count} replicas")
    expect(banner).to_contain_text(f"Set by hand to {count} replicas")
    hand.press(button("End override…"))
    answer(hand, "End override")
    expect(banner).not_to_contain_text("Set by hand")
    audited(page, url, ["pause", "resume", "override", "clear_override"])

    show(page, "settings")
    hand.press(button("Turn on…"))
    answer(hand, "Turn on", "No order of any kind")
    expect(banner).to_contain_text("The kill switch is on")
    hand.press(button("Turn off…"))
    answer(hand, "Turn off")
    expect(banner).not_to_contain_text("The kill switch is on")
    for mode in ("Recommend", "Act"):
        hand.choose(page.get_by_role("radio", name=mode))
        hand.press(button("Change mode…"))
        answer(hand, f"Switch to {mode.lower()}")
        wait_for(f"mode {mode}", lambda: ask(url, f"/api/v1/services/{view['service']}")["mode"] == mode.lower())
    hand.enter(page.get_by_label("Name", exact=True), "Sale")
    hand.press(button("Announce…"))
    answer(hand, "Announce", "expected to be 1.5×")
    hand.press(button("Withdraw…"))
    answer(hand, "Withdraw", "called Sale")
    audited(page, url, ["kill", "revive", "mode", "mode", "announce", "withdraw"])


def audited(page, url, kinds, token=None, actor="loopback (operate)"):
    """The newest words in the audit trail are these, in the API and on the page of the journal."""
    trail = lambda: ask(url, f"/api/v1/audit?limit={len(kinds)}", token)["entries"][::-1]
    said = [(kind, "accepted") for kind in kinds]
    wait_for(f"audit trail of {said}", lambda: [(e["word"]["kind"], e["outcome"]) for e in trail()] == said)
    show(page, "journal")
    rows = page.get_by_role("table", name="Audit trail").locator("tbody tr")
    for row, kind in enumerate(reversed(kinds)):
        expect(rows.nth(row)).to_contain_text(kind.replace("_", " ").capitalize())
        expect(rows.nth(row)).to_contain_text(actor)
        expect(rows.nth(row)).to_contain_text("Accepted")


class Load:
    """So many requests a second at the proxy, until it is stopped."""

    def __init__(self, url, rate):
        self.host = urllib.parse.urlsplit(url).netloc
        self.rate = rate
        self.on = True
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        connection = http.client.HTTPConnection(self.host, timeout=5)
        due = time.monotonic()
        while self.on:
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the proxy has nowhere to send it yet

    def stop(self):
        self.on = False
        self.thread.join(10)


def recommendations(browser, url, proxy, reader, operator):
    """With tokens: a reader is refused; an operator approves by mouse, approves by keyboard, and rejects."""
    load = Load(proxy, 60)
    state = lambda: ask(url, "/api/v1/services/web", operator)
    wait_for("recommendation", lambda: state()["pending"])
    # The browser itself writes refused requests to its console.
    context = browser.new_context(viewport=WIDE)
    page = watched(context, url, "tokens", allowed=r"status of 40[139]")
    page.goto(url)
    token = page.get_by_role("textbox", name="Token")
    token.fill(reader)
    page.get_by_role("button", name="Continue").click()
    approve = page.get_by_role("button", name="Approve").first
    dialog = page.get_by_role("dialog")
    approve.click()
    dialog.get_by_role("button", name="Approve").click()
    expect(page.locator("#toast")).to_contain_text("may read and not operate")
    check(state()["replicas"]["desired"] == 1, "a reader has ordered")
    show(page, "settings")
    page.get_by_role("button", name="Forget the token").click()

    expect(token).to_be_focused()
    page.keyboard.type(operator)
    page.keyboard.press("Enter")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    keys = Keyboard(page)
    kinds = []
    for verb, hand in [("Approve", Mouse(page)), ("Approve", keys), ("Reject", keys)]:
        wanted = wait_for("recommendation", lambda: state()["pending"])["desired"]
        hand.press(page.get_by_role("button", name=verb).first)
        answer(hand, verb)
        expect(page.locator("#toast")).to_contain_text(verb)
        kinds.append(verb.lower())
        audited(page, url, kinds, operator, "ops (operate)")
        if verb == "Approve":
            wait_for(f"order of {wanted}", lambda: state()["replicas"]["desired"] == wanted)
        load.rate *= 1.6
        show(page, "decisions")
    kinds = lambda: (ask(url, "/api/v1/services/web/fingerprint", operator)["fingerprint"] or {"kinds": []})["kinds"]
    wait_for("fingerprint of requests for /", lambda: [k["name"] for k in kinds()] == ["GET /"])
    show(page, "fingerprint")
    expect(page.get_by_role("table", name="Kinds of requests").locator("tbody tr")).to_contain_text("GET /")
    show(page, "traffic")
    expect(page.get_by_role("table", name="Classes of requests at each service").locator("tbody tr")).to_contain_text("GET /")
    expect(page.get_by_role("table", name="Services", exact=True)).to_contain_text("first")
    context.close()
    load.stop()
    done("a reader was refused; recommendations approved by mouse and by keyboard, one rejected, all audited; their mix and routing shown")


def main():
    demo, run, proxy, reader, operator, folder = sys.argv[1:]
    shots = Path(folder)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-quic", "--disable-gpu"])
        name = ask(demo, "/api/v1/services")["services"][0]
        wait_for("load", lambda: ask(demo, f"/api/v1/services/{name}")["load_rps"])
        first_view(browser, demo)
        context = browser.new_context(viewport=WIDE)
        page = watched(context, demo, "operating")
        page.goto(demo)
        live(page)
        for hand in (Mouse(page), Keyboard(page)):
            operate(hand, demo)
        done("paused, set by hand, killed, revived, switched, announced and withdrawn by mouse and by keyboard, all audited")
        context.close()
        all_pages(browser, demo, shots)
        recommendations(browser, run, proxy, reader, operator)
        browser.close()
    if failures:
        raise SystemExit(f"{len(failures)} failures")


main()

"""Two runs in front of the same endpoints: one that has hardly been asked anything knows the slow endpoint from the other's
answers, says whom it hears and whom it does not once that one is gone. A file of picks tells what other policies would cost."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FORESAIL, WORK = sys.argv[1:]
FAST, SLOW = 0.005, 0.06
PATIENCE = 30.0


def upstream(delay):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "127.0.0.1:%d" % server.server_port


def run(name, endpoints, peers, more=""):
    """Starts a run and gives its process, the address of its API and that of its proxy."""
    config, log = f"{WORK}/{name}.toml", f"{WORK}/{name}.log"
    with open(config, "w") as file:
        file.write(f"""data = "{name}-data"
[server]
listen = "127.0.0.1:0"
[service.web]
tick = "500ms"
capacity_rps = 50.0
max = 4
endpoints = {json.dumps(endpoints)}
[service.web.exchange]
peers = {json.dumps(peers)}
[service.web.proxy]
listen = [{{ address = "127.0.0.1:0" }}]
workers = 1
{more}
""")
    with open(log, "w") as errors:
        process = subprocess.Popen([FORESAIL, "run", "--config", config], stderr=errors, cwd=WORK)
    processes.append(process)

    def said(pattern):
        found = re.search(pattern, open(log).read())
        assert process.poll() is None, open(log).read()
        return found and found.group(1)

    api = until(f"{name} has started", lambda: said(r"dashboard and API: http://(\S+?)/?\s"))
    return process, api, until(f"{name} listens", lambda: said(r"web: listening on (\S+)"))


def until(what, done):
    end = time.monotonic() + PATIENCE
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.1)


def ask(address, path):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (path, answer.status, body[:300])
    return body


def view(api):
    return json.loads(ask(api, "/api/v1/services/web"))


def main():
    endpoints = [upstream(FAST), upstream(SLOW)]
    slow = endpoints[1]
    first, first_api, first_proxy = run(
        "first", endpoints, [], 'explore = 0.1\n[service.web.proxy.picks]\npath = "picks.jsonl"\nshare = 1.0')
    for _ in range(150):
        ask(first_proxy, "/")
    statistics = until("the first lays out what it learned", lambda: json.loads(
        ask(first_api, "/api/v1/services/web/statistics"))["statistics"])
    assert len(statistics["arms"]) == 2, statistics

    # Its own address and one where nobody is do no harm.
    second, second_api, second_proxy = run("second", endpoints, [f"http://{first_api}", "http://127.0.0.1:9"])
    heard = lambda: {peer["address"]: peer for peer in view(second_api)["peers"]}
    until("the second hears the first", lambda: heard()[f"http://{first_api}"]["heard"])
    assert heard()["http://127.0.0.1:9"]["trouble"], heard()

    def learned():
        # A request now and then, while the first has enough of them.
        ask(first_proxy, "/")
        ask(second_proxy, "/")
        found = next(e for e in view(second_api)["endpoints"] if e["address"] == slow)
        return found["learned_ms"] and found

    found = until("the second knows the slow endpoint", learned)
    own = found["completed"]
    assert own <= 2, f"it asked the slow endpoint {own} times itself"
    mean = found["learned_ms"][0]
    assert mean > 2000 * FAST, f"the slow endpoint is expected to take {mean} ms"

    first.terminate()
    assert first.wait(PATIENCE) == 0
    until("the first is missed", lambda: heard()[f"http://{first_api}"]["trouble"])
    ask(second_proxy, "/")
    second.terminate()
    assert second.wait(PATIENCE) == 0

    compared = subprocess.run([FORESAIL, "picks", f"{WORK}/picks.jsonl", "--json"], capture_output=True, text=True)
    assert compared.returncode == 0, compared.stderr
    compared = json.loads(compared.stdout)
    cost = {row["policy"]: -row["doubly_robust"]["value"] for row in compared["policies"]}
    assert compared["picks"] >= 140 and compared["endpoints"] == 2, compared
    assert cost["peak_ewma:2"] < 0.8 * cost["random"], cost
    print(f"the second run expected {mean:.0f} ms of the slow endpoint after {own} answers of its own; told from "
          f"{compared['picks']} picks: random {cost['random']:.1f} ms, Peak-EWMA {cost['peak_ewma:2']:.1f} ms")


processes = []
try:
    main()
finally:
    for process in processes:
        process.kill()
        process.wait()

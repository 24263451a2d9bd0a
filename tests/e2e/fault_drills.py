"""Fault drills: `foresail run` in act mode over real copies of the sample service, with a constant load of real clients, and
one thing after the other going wrong. Each drill is judged, and what it cost the clients is printed.

fault_drills.py FORESAIL WORK DATA: the program, a folder for what need not be on the small disk, and the folder of its
data, which is filled to the brim in one drill if DATA is a file system of its own. Copies are looked at from outside, by
their processes and their own answers, not by what Foresail says of them. E2E_FULL=1 kills Foresail 50 times instead of 5,
E2E_SEED repeats the points at which it is killed, E2E_DRILLS=crash,kill picks drills.
"""

import asyncio
import errno
import glob
import hashlib
import http.client
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

RATE = 60
SERVICE_MS = 50
CAPACITY = 40  # requests a second: two workers, 50 ms each
LATE_S = 0.25
TIMEOUT_S = 5.0
LEAST, MOST = 1, 8  # so that what is needed is never what there is anyway
TICK_S = 1.0
HEADER = '{"format":"foresail-journal","version":1}'

CONFIG = """
data = "{data}"
[server]
listen = "127.0.0.1:{api}"
[service.web]
mode = "act"
tick = "1s"
capacity_rps = {capacity}.0
workers = 2
late_after = "200ms"
startup = "1s"
min = {least}
max = {most}
[service.web.guardrails]
down_hold = "8s"
down_share = 0.5
down_period = "4s"
[service.web.proxy]
listen = [{{ address = "127.0.0.1:{front}" }}]
workers = 1
deadlines = {{ connect = "500ms", first_byte = "2s" }}
health = {{ outlier = {{ base_ejection = "1s", longest_ejection = "4s" }} }}
[service.web.process]
command = ["{foresail}", "sample-service", "--port={{port}}", "--id={{id}}", "--workers=2", "--service-time={service_ms}ms", "--distribution=fixed", "--seed={mark}"]
folder = "{data}/copies"
initial = 3
inherit_env = false
readiness = {{ probe = {{ kind = "http", path = "/healthz" }}, interval = "200ms", ready_interval = "500ms", timeout = "500ms", unready_after = 2, hang_timeout = "2s" }}
backoff = {{ initial = "200ms", stable_after = "5s" }}
"""


class Failed(Exception):
    """A drill that was not passed."""


def must(holds, what):
    if not holds:
        raise Failed(what)


def await_that(seconds, what, holds, pause=0.05):
    """Waits until `holds` answers something true; returns it and how long that took."""
    begin = time.monotonic()
    while True:
        seen = holds()
        if seen:
            return seen, time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            raise Failed(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


def free_port():
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def ask(port, method, path, timeout):
    """Status and body, or nothing if there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Load:
    """An open loop: each request is sent when it is due, whatever became of those before."""

    def __init__(self, port):
        self.port = port
        self.rate = RATE
        self.done = []  # (due, seconds, status; 0 without an answer)
        self.stopping = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.turn()), daemon=True)

    async def turn(self):
        under_way, due = set(), time.monotonic()
        while not self.stopping:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self.one(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += 1 / self.rate
        await asyncio.gather(*under_way)

    async def one(self, due):
        status = 0
        try:
            status = await asyncio.wait_for(self.fetch(), TIMEOUT_S)
        except (OSError, asyncio.TimeoutError, ValueError, IndexError):
            pass
        self.done.append((due, time.monotonic() - due, status))

    async def fetch(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: drill\r\nConnection: close\r\n\r\n")
            return int((await reader.read()).split(b" ", 2)[1])
        finally:
            writer.close()

    def since(self, begin, end=float("inf")):
        return [one for one in list(self.done) if begin <= one[0] < end]

    def is_well(self, seconds=1.0, late=0.1, after=0.0):
        """Whether, of the requests due until a moment ago (none before `after`), all were answered well, few of them late."""
        end = time.monotonic() - LATE_S
        if end - seconds < after:
            return False
        recent = self.since(end - seconds, end)
        slow = sum(1 for _, took, _ in recent if took > LATE_S)
        return len(recent) >= 0.8 * RATE * seconds and all(s == 200 for *_, s in recent) and slow <= late * len(recent)


class Drills:
    def __init__(self, foresail, work, data):
        self.foresail, self.work, self.data = foresail, work, data
        self.front, self.api = free_port(), free_port()
        self.mark = random.SystemRandom().randrange(10**9, 10**10)
        self.config, self.log = f"{work}/foresail.toml", f"{work}/run.log"
        self.journal = f"{data}/web.journal.jsonl"
        self.clock = f"{work}/clock"
        self.run = None
        self.load = Load(self.front)
        self.seed = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(10**6))
        self.draws = random.Random(self.seed)
        with open(self.config, "w") as file:
            file.write(CONFIG.format(
                data=data, api=self.api, front=self.front, foresail=foresail, mark=self.mark,
                least=LEAST, most=MOST, capacity=CAPACITY, service_ms=SERVICE_MS,
            ))

    # What there is.

    def copies(self):
        """Copies by process id: (id, port); those that have ended and were not waited for yet are none."""
        found = {}
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if f"--seed={self.mark}" in words:
                value = {w.split("=")[0]: w.split("=")[1] for w in words if w.startswith("--") and "=" in w}
                found[int(path.split("/")[2])] = (int(value["--id"]), int(value["--port"]))
        return found

    def serving(self):
        """Process ids of copies that answer their probe."""
        return {pid for pid, (_, port) in self.copies().items() if (ask(port, "GET", "/healthz", 0.3) or [0])[0] == 200}

    def view(self):
        answer = ask(self.api, "GET", "/api/v1/services/web", 2.0)
        return json.loads(answer[1]) if answer and answer[0] == 200 else None

    def entries(self):
        """The journal, its chain followed from the first line; a last line that is not whole yet is left out."""
        with open(self.journal, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        must(lines and lines[0].decode() == HEADER, "the journal begins otherwise than it should")
        chain, entries, last = hashlib.sha256(lines[0]).hexdigest(), [], 0
        for number, line in enumerate(lines[1:], 2):
            body = re.fullmatch(rb'\{"chain":"([0-9a-f]{64})","record":(.*)\}', line)
            must(body, f"line {number} of the journal is no entry")
            chain = hashlib.sha256(chain.encode() + body[2]).hexdigest()
            must(chain == body[1].decode(), f"the journal's chain breaks at line {number}")
            entry = json.loads(body[2])
            if "record" in entry:
                must(entry["record"]["id"] == last + 1, f"line {number} of the journal: not decision {last + 1}")
                last += 1
            entries.append(entry)
        return entries

    def decisions(self):
        return [entry["record"] for entry in self.entries() if "record" in entry]

    def said(self, what, since=0):
        with open(self.log, errors="replace") as file:
            return what in file.read()[since:]

    # Starting and ending.

    def begin(self, faked=False):
        env = dict(os.environ)
        if faked:
            self.set_clock("+0")
            env.update(LD_PRELOAD=faketime(), FAKETIME_TIMESTAMP_FILE=self.clock, FAKETIME_NO_CACHE="1")
            env.update(FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
        with open(self.log, "ab") as log:
            command = [self.foresail, "run", "--config", self.config]
            self.run = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def set_clock(self, offset):
        with open(f"{self.clock}.next", "w") as file:
            file.write(offset)
        os.replace(f"{self.clock}.next", self.clock)

    def kill(self):
        self.run.send_signal(signal.SIGKILL)
        self.run.wait()

    def await_well(self, seconds=15):
        """Waits until a second of requests has gone well; how long it took until that second began."""
        must(self.run.poll() is None, f"foresail has ended with {self.run.poll()}")
        begin = time.monotonic()
        _, took = await_that(seconds, "clients are served well again", lambda: self.load.is_well(after=begin))
        return max(0.0, took - 1 - LATE_S)

    def close(self):
        """Nothing of ours outlives us, whatever happened."""
        self.load.stopping = True
        if self.run and self.run.poll() is None:
            self.kill()
        for pid in self.copies():
            os.kill(pid, signal.SIGKILL)

    # Drills. Each answers what is to be said of its recovery.

    def replaced(self, number):
        """Sends a signal that a copy does not survive, or not on its own; how long until as many as before serve."""
        before = self.serving()
        pid = min(before)
        os.kill(pid, number)

        def whole():
            now = self.serving()
            return pid not in now and len(now) >= len(before) and pid not in self.copies()

        return await_that(15, f"{len(before)} serving copies again, without {pid}", whole)[1]

    def crash(self):
        return f"replaced after {self.replaced(signal.SIGKILL):.1f} s"

    def hang(self):
        return f"replaced after {self.replaced(signal.SIGSTOP):.1f} s"

    def slow(self):
        pid = min(self.serving())
        port, begin = self.copies()[pid][1], time.monotonic()
        must(ask(port, "POST", "/fault?slow=5", 1.0), "the fault is taken")
        time.sleep(1.5)
        _, took = await_that(12, "few requests late beside a slow copy", lambda: self.load.is_well(1.5, 0.05))
        time.sleep(2)
        shown = self.load.since(begin + 1.5 + took)
        late = sum(1 for _, seconds, _ in shown if seconds > LATE_S)
        must(late <= 0.1 * len(shown), f"{late} of {len(shown)} late beside a slow copy")
        ask(port, "POST", "/fault?slow=1", 1.0)
        return f"worked around within {1.5 + took:.1f} s"

    def flapping(self):
        pid = min(self.serving())
        port, begin = self.copies()[pid][1], time.monotonic()
        for turn in range(15):
            must(ask(port, "POST", f"/fault?failing={1 - turn % 2}", 1.0), "the fault is taken")
            time.sleep(1)
        ask(port, "POST", "/fault?failing=0", 1.0)
        end = time.monotonic()
        shown = self.load.since(begin, end)
        bad = sum(1 for *_, status in shown if status != 200)
        even = len(shown) / len(self.copies()) * 8 / 15  # what it would get of the load while it fails
        must(bad <= even / 2, f"{bad} of {len(shown)} failed; {even:.0f} would without ejection")
        took = self.await_well()
        return f"well {took:.1f} s after its end, {bad} errors where an even share would bring {even:.0f}"

    def disk(self):
        if os.stat(self.data).st_dev == os.stat(self.work).st_dev:
            return "skipped: disk needs a file system of its own for the data, which root can mount"
        before, said = self.settled(), os.path.getsize(self.log)
        filler = f"{self.data}/filler"
        with open(filler, "wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError as error:
                    must(error.errno == errno.ENOSPC, f"the disk is not full: {error}")
        try:
            await_that(10, "the full disk is told of the state", lambda: self.said("state cannot be saved", said))
            await_that(10, "the full disk is told of the journal", lambda: self.said("journal cannot be written", said))
            first = self.view()["time"]
            replaced = self.replaced(signal.SIGKILL)
            await_that(5, "decisions go on while the disk is full", lambda: self.view()["time"] != first)
            # What it wants now it cannot write down: begun anew, it must not fall back on what it wanted when it could.
            self.load.rate = 2 * RATE
            await_that(8, "more copies for twice the load", lambda: len(self.serving()) > len(before))
            same = self.settled()
            self.kill()
            self.begin()
            self.await_well()
            time.sleep(2 * TICK_S)
            missing = sorted(same.keys() - self.copies().keys())
            must(not missing, f"begun anew on a full disk, it has stopped {missing} of {sorted(same)}")
            at_freed = len(self.decisions())
        finally:
            self.load.rate = RATE
            os.remove(filler)
        _, took = await_that(8, "decisions are journalled again", lambda: len(self.decisions()) > at_freed)
        return f"a crash meanwhile replaced after {replaced:.1f} s, more copies kept over a kill, journal goes on {took:.1f} s after"

    def clock_jumps(self):
        if not faketime():
            return "skipped: clock needs libfaketime; scripts/test-deps installs it"
        same = self.copies()
        self.kill()
        self.begin(faked=True)
        self.await_well()
        for jump, offset in (("forward", "+3600"), ("back", "+0")):
            before, begin = len(self.decisions()), time.monotonic()
            self.set_clock(offset)
            time.sleep(4 * TICK_S)
            ticks, made = (time.monotonic() - begin) / TICK_S, self.decisions()[before:]
            must(abs(len(made) - ticks) <= 2, f"{len(made)} decisions in {ticks:.0f} ticks after a jump {jump}")
            must(all(d["observation"]["samples"] for d in made), f"no load is seen after a jump {jump}")
        must(self.said("the clock was set forward by 3"), "a clock set forward is not told of")
        # What it remembers is an hour ahead now. Begun anew with the clock set right, it must still follow the load.
        self.kill()
        self.begin()
        self.await_well()
        must(self.copies() == same, f"copies came or went with the clock: {sorted(same)}, then {sorted(self.copies())}")
        before, need = len(self.decisions()), self.decisions()[-1]["decision"]["reason"]["reactive"]
        self.load.rate = 2 * RATE

        def follows():
            made = [entry["record"] for entry in self.entries() if entry["entry"] == "decided"][-2:]
            made = [d for d in made if d["id"] > before]
            return len(made) == 2 and all(d["decision"]["reason"]["reactive"] > need for d in made) and made

        try:
            made, took = await_that(8, "twice the load is seen after a restart an hour in the past", follows)
            must(made[0]["time"] < made[1]["time"], "its clock stands still after a restart an hour in the past")
        finally:
            self.load.rate = RATE
        return f"decided at every tick; restarted an hour in the past, it follows a doubled load after {took:.1f} s"

    def kills(self):
        same, killed, before = self.settled(), [], len(self.decisions())
        count = 50 if os.environ.get("E2E_FULL") == "1" else 5
        for _ in range(count):
            # Some while it still starts, most at any point of a tick.
            time.sleep(2.5 * self.draws.random() ** 2)
            self.kill()
            killed.append(time.monotonic())
            must(self.copies() == same, f"copies came or went: {sorted(same)}, then {sorted(self.copies())}")
            self.begin()
        self.await_well(30)
        time.sleep(2 * TICK_S)
        must(self.copies() == same, f"copies were not adopted: {sorted(same)}, then {sorted(self.copies())}")
        must(len(self.decisions()) > before, "nothing was decided")
        served = sorted(due + took for due, took, status in self.load.since(killed[0]) if status == 200)
        gaps = sorted(next((at for at in served if at > begin), float("inf")) - begin for begin in killed)
        went = f"requests go through again after {gaps[len(gaps) // 2]:.1f} s (worst {gaps[-1]:.1f} s)"
        return f"{count} times (E2E_SEED={self.seed}), the same {len(same)} copies; {went}"

    def settled(self):
        """The copies, once there are as many as are wanted and it is not only a hold that keeps them."""

        def holds():
            now, last = self.copies(), self.view()["last"]["decision"]
            is_held = last["reason"]["driver"] == "held" or "down_hold" in last["reason"]["limits"]
            time.sleep(1.5 * TICK_S)
            return not is_held and len(now) == last["desired"] and self.copies() == now and now

        return await_that(30, "as many copies as decided", holds)[0]

    # All of it.

    def drill(self, name, what):
        begin = time.monotonic()
        line = what()
        if line.startswith("skipped: "):
            print(line, flush=True)
            return
        well = self.await_well()
        shown = self.load.since(begin)
        bad = [due for due, _, status in shown if status != 200]
        late = sum(1 for _, took, status in shown if status == 200 and took > LATE_S)
        must(well < 5, f"clients were served well only {well:.1f} s after {name}")
        print(f"{name}: {line}; of {len(shown)} requests {len(bad)} failed, {late} late", flush=True)

    def judge(self):
        """What holds over the whole journal, restarts and all."""
        decisions = self.decisions()
        measured = False
        for record in decisions:
            desired, reason = record["decision"]["desired"], record["decision"]["reason"]
            must(desired >= min(reason["reactive"], MOST), f"decision {record['id']} is below the need: {record}")
            # Nor what it cannot see while the load does not change: one replica less could not serve it at all.
            measured |= reason["reactive"] > LEAST
            must(not measured or desired >= RATE / CAPACITY, f"decision {record['id']} is below the load: {record}")
            must(LEAST <= desired <= MOST, f"decision {record['id']} is out of limits: {record}")
        must(measured, "the load never needed more than the minimum, so nothing was tried")
        last = decisions[-1]["id"]
        told = subprocess.run([self.foresail, "explain", self.journal, str(last)], capture_output=True, text=True)
        must(told.returncode == 0 and "replicas" in told.stdout, f"explain: {told.stderr}")
        with sqlite3.connect(f"file:{self.data}/state.sqlite?mode=ro", uri=True) as state:
            said = state.execute("PRAGMA integrity_check").fetchone()[0]
        must(said == "ok", f"the state is damaged: {said}")
        return last

    def go(self):
        self.begin()
        await_that(30, "foresail listens", lambda: self.said("listening on"))
        self.load.thread.start()
        self.await_well(30)
        drills = {
            "crash": self.crash, "disk": self.disk, "slow": self.slow, "flapping": self.flapping,
            "hang": self.hang, "kill": self.kills, "clock": self.clock_jumps,
        }
        for name in (os.environ.get("E2E_DRILLS") or ",".join(drills)).split(","):
            self.drill(name, drills[name])
        self.load.stopping = True
        self.load.thread.join(TIMEOUT_S + 1)
        self.run.terminate()
        must(self.run.wait(20) == 0, f"foresail ended with {self.run.returncode}")
        must(not self.copies(), f"copies are left: {self.copies()}")
        print(f"{self.judge()} decisions in one chain, none below the need, nothing left running")


def faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    drills = Drills(*sys.argv[1:4])
    try:
        drills.go()
    except Failed as failed:
        with open(drills.log, errors="replace") as file:
            print("".join(file.readlines()[-30:]), end="")
        print(f"FAILED: {failed}")
        sys.exit(1)
    finally:
        drills.close()


if __name__ == "__main__":
    main()

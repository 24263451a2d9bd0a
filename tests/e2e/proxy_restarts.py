"""Restarts `foresail run` under load and counts every request at the endpoint.

proxy_restarts.py FORESAIL FOLDER RESTARTS. Each new run takes over from the one before on the same data folder: the same
addresses, the same copies of a service. Half of the clients keep their connections for as long as the proxy does not say that
it closes them, half make one for each request. Requests are POSTs, which nobody may repeat. Last, a run that wants to take
over is killed amid it: the one before takes everything back.
"""

import asyncio
import collections
import pathlib
import signal
import socket
import sys
import time

CLIENTS = 8
PATIENCE = 30


class Broken(Exception):
    """What should not have happened."""


CONFIG = """
data = "data"
[server]
listen = "127.0.0.1:0"
[service.web]
mode = "observe"
tick = "1s"
capacity_rps = 100.0
max = 1
endpoints = ["127.0.0.1:{endpoint}"]
[service.web.proxy]
listen = [{{ address = "127.0.0.1:{front}" }}]
workers = 2
[service.shop]
mode = "act"
tick = "1s"
capacity_rps = 100.0
min = 2
max = 2
[service.shop.proxy]
listen = [{{ address = "127.0.0.1:{shop}" }}]
workers = 1
[service.shop.process]
command = ["{foresail}", "sample-service", "--port={{port}}", "--id={{id}}", "--workers=2", "--service-time=3ms"]
folder = "{folder}/copies"
initial = 2
"""


async def read_message(reader):
    """A head and its body; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    await reader.readexactly(length)
    return head.decode("latin-1")


async def serve(asked, reader, writer):
    while (head := await read_message(reader)) is not None:
        asked[head.split(" ")[1]] += 1
        await asyncio.sleep(0.002)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    writer.close()


async def client(name, front, stop, waits):
    """How many requests were answered; the first that is not ends the test."""
    keeps, connection, number = name % 2 == 1, None, 0
    while not stop.is_set():
        begin = time.monotonic()
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", front)
        reader, writer = connection
        said = "keep-alive" if keeps else "close"
        writer.write(f"POST /{name}/{number} HTTP/1.1\r\nHost: a\r\nConnection: {said}\r\nContent-Length: 2\r\n\r\nhi".encode())
        head = await asyncio.wait_for(read_message(reader), PATIENCE)
        if head is None or not head.startswith("HTTP/1.1 200"):
            raise Broken(f"request {number} of client {name} (keeps connections: {keeps}) got {head!r}")
        waits.append(time.monotonic() - begin)
        number += 1
        if not keeps or "connection: close" in head.lower():
            writer.close()
            connection = None
        await asyncio.sleep(0.003)
    return number


def copies(folder):
    """Process ids of the copies that run, by the folder they were started in."""
    found = set()
    for cwd in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if "sample-service" in (cwd.parent / "cmdline").read_text() and str(folder) in cwd.read_text():
                found.add(int(cwd.parent.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
    return found


async def answers(front):
    reader, writer = await asyncio.open_connection("127.0.0.1", front)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head = await read_message(reader)
    writer.close()
    return head is not None and head.startswith("HTTP/1.1 200")


async def begin(foresail, folder, run):
    log = folder / f"{run}.log"
    with log.open("w") as errors:
        command = [foresail, "run", "--take-over", "--config", str(folder / "foresail.toml")]
        process = await asyncio.create_subprocess_exec(*command, stderr=errors)
    return process, log


async def say(process, log, word):
    """Waits until the process has said it."""
    until = time.monotonic() + PATIENCE
    while word not in log.read_text():
        if process.returncode is not None or time.monotonic() > until:
            raise Broken(f"does not say {word!r}: {log.read_text()}")
        await asyncio.sleep(0.02)


async def ended(process, log):
    try:
        status = await asyncio.wait_for(process.wait(), PATIENCE)
    except asyncio.TimeoutError:
        process.kill()
        raise Broken(f"did not end: {log.read_text()}")
    if status != 0:
        raise Broken(f"ended with {status}: {log.read_text()}")


async def main(foresail, folder, restarts):
    asked, waits, stop = collections.Counter(), [], asyncio.Event()
    endpoint = await asyncio.start_server(lambda r, w: serve(asked, r, w), "127.0.0.1", 0)
    fronts = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    front, shop = (front.getsockname()[1] for front in fronts)
    for taken in fronts:
        taken.close()
    ports = {"front": front, "shop": shop, "endpoint": endpoint.sockets[0].getsockname()[1]}
    (folder / "foresail.toml").write_text(CONFIG.format(foresail=foresail, folder=folder, **ports))
    process, log = await begin(foresail, folder, 0)
    try:
        await say(process, log, "shop: listening on")
        await say(process, log, "web: listening on")
        until = time.monotonic() + PATIENCE
        while len(before := copies(folder)) < 2 or not await answers(shop):
            if time.monotonic() > until:
                raise Broken("the copies do not serve")
            await asyncio.sleep(0.1)
        clients = [asyncio.create_task(client(name, front, stop, waits)) for name in range(CLIENTS)]
        clients += [asyncio.create_task(client(CLIENTS + name, shop, stop, waits)) for name in range(2)]
        for restart in range(1, restarts + 1):
            old, old_log = process, log
            process, log = await begin(foresail, folder, restart)
            await say(process, log, "shop: listening on")
            await ended(old, old_log)
            # Those who were turned away are back by then.
            await asyncio.sleep(1.2)
            for task in clients:
                if task.done():
                    await task
        dying, dying_log = await begin(foresail, folder, restarts + 1)
        await say(process, log, "giving up to another run")
        dying.kill()
        await dying.wait()
        await say(process, log, "nobody took over, going on")
        await say(process, log, "dashboard and API")
        await asyncio.sleep(1.2)
        stop.set()
        answered = [await task for task in clients][:CLIENTS]
        if copies(folder) != before:
            raise Broken(f"copies were {sorted(before)}, are {sorted(copies(folder))}")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    if copies(folder):
        raise Broken(f"copies are left: {sorted(copies(folder))}")
    expected = {f"/{name}/{number}" for name, count in enumerate(answered) for number in range(count)}
    lost, twice = expected - asked.keys(), [target for target, times in asked.items() if times > 1]
    if lost or twice or asked.keys() - expected:
        raise Broken(f"lost: {sorted(lost)[:9]}, twice: {twice[:9]}, unasked: {sorted(asked.keys() - expected)[:9]}")
    waits.sort()
    late = sum(wait > 0.25 for wait in waits)
    print(
        f"{restarts} restarts, the same copies: {len(waits)} requests, each answered and each at the endpoint once; "
        f"p50 {1000 * waits[len(waits) // 2]:.1f} ms, slowest {1000 * waits[-1]:.0f} ms, {late} above 250 ms"
    )


try:
    asyncio.run(main(sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])))
except Broken as broken:
    sys.exit(str(broken))

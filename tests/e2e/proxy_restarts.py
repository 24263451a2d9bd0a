"""Restarts `foresail run` under load and counts every request at the endpoint.

proxy_restarts.py FORESAIL FOLDER RESTARTS. Two configurations take turns, each with a state of its own, for one state belongs
to one process; the address of the proxy they share. Half of the clients keep their connections for as long as the proxy
does not say that it closes them, half make one for each request. Requests are POSTs, which nobody may repeat.
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
# Both serve together for so long.
PAUSE = 0.3


class Broken(Exception):
    """What should not have happened."""


CONFIG = """
data = "data-{name}"
[server]
listen = "127.0.0.1:0"
[service.web]
mode = "observe"
tick = "1s"
capacity_rps = 100.0
max = 1
endpoints = ["127.0.0.1:{endpoint}"]
[service.web.proxy]
listen = [{{ address = "127.0.0.1:{front}", share = true }}]
workers = 2
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


async def begin(foresail, folder, name, ports):
    config = folder / f"{name}.toml"
    config.write_text(CONFIG.format(name=name, **ports))
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        process = await asyncio.create_subprocess_exec(foresail, "run", "--config", str(config), stderr=errors)
    until = time.monotonic() + PATIENCE
    while "web: listening on" not in log.read_text():
        if process.returncode is not None or time.monotonic() > until:
            raise Broken(f"does not listen: {log.read_text()}")
        await asyncio.sleep(0.02)
    return process, log


async def main(foresail, folder, restarts):
    asked, waits, stop = collections.Counter(), [], asyncio.Event()
    endpoint = await asyncio.start_server(lambda r, w: serve(asked, r, w), "127.0.0.1", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ports = {"front": free.getsockname()[1], "endpoint": endpoint.sockets[0].getsockname()[1]}
    process, log = await begin(foresail, folder, "a", ports)
    try:
        clients = [asyncio.create_task(client(name, ports["front"], stop, waits)) for name in range(CLIENTS)]
        for restart in range(restarts):
            old, old_log = process, log
            process, log = await begin(foresail, folder, "ba"[restart % 2], ports)
            await asyncio.sleep(PAUSE)
            old.send_signal(signal.SIGTERM)
            try:
                status = await asyncio.wait_for(old.wait(), PATIENCE)
            except asyncio.TimeoutError:
                old.kill()
                raise Broken(f"did not end: {old_log.read_text()}")
            if status != 0:
                raise Broken(f"ended with {status}: {old_log.read_text()}")
            # Those who were turned away are back by then.
            await asyncio.sleep(1.2)
            for task in clients:
                if task.done():
                    await task
        stop.set()
        answered = [await task for task in clients]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    expected = {f"/{name}/{number}" for name, count in enumerate(answered) for number in range(count)}
    lost, twice = expected - asked.keys(), [target for target, times in asked.items() if times > 1]
    if lost or twice or asked.keys() - expected:
        raise Broken(f"lost: {sorted(lost)[:9]}, twice: {twice[:9]}, unasked: {sorted(asked.keys() - expected)[:9]}")
    waits.sort()
    late = sum(wait > 0.25 for wait in waits)
    print(
        f"{restarts} restarts: {len(waits)} requests, each answered and each at the endpoint once; "
        f"p50 {1000 * waits[len(waits) // 2]:.1f} ms, slowest {1000 * waits[-1]:.0f} ms, {late} above 250 ms"
    )


try:
    asyncio.run(main(sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])))
except Broken as broken:
    sys.exit(str(broken))

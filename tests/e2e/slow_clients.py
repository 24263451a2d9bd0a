"""A normal client beside slow ones: slow_clients.py HOST:PORT SECONDS NAME ATTACKER_LOG.

Forty requests a second, whatever became of those before, every other one over a connection of its own. Ends badly unless
99.9 % of them are answered 200, to the last byte, within a second of the moment they were meant to be sent.
"""

import asyncio
import pathlib
import re
import sys
import time

RATE = 40
IN_TIME = 1.0
KEPT = []


async def ask(host, port, keeps):
    reader, writer = KEPT.pop() if keeps and KEPT else await asyncio.open_connection(host, port)
    said = "keep-alive" if keeps else "close"
    writer.write(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: {said}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    await reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))
    if keeps and "connection: close" not in head:
        KEPT.append((reader, writer))
    else:
        writer.close()
    return head.split(" ")[1]


async def timed(host, port, keeps, due):
    """How it ended, and after how long."""
    try:
        status = await asyncio.wait_for(ask(host, port, keeps), 10)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
        status = type(error).__name__
    return status, time.monotonic() - due


async def main(address, seconds, name, log):
    host, port = address.rsplit(":", 1)
    start, tasks = time.monotonic(), []
    for number in range(seconds * RATE):
        due = start + number / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(timed(host, port, number % 2 == 0, due)))
    results = await asyncio.gather(*tasks)
    waits = sorted(wait for _, wait in results)
    good = sum(status == "200" and wait <= IN_TIME for status, wait in results)
    bad = sorted({status for status, _ in results if status != "200"})
    # What the attacker had open at most, by its own account.
    text = re.sub(r"\x1b\[[0-9;]*m", "", pathlib.Path(log).read_text(errors="replace"))
    held = max((int(count) for count in re.findall(r"connected:\s+(\d+)", text)), default=0)
    print(
        f"{name}, {held} sockets at once: {good} of {len(results)} in time ({100 * good / len(results):.2f} %), "
        f"p50 {1000 * waits[len(waits) // 2]:.1f} ms, p99 {1000 * waits[len(waits) * 99 // 100]:.1f} ms, "
        f"slowest {1000 * waits[-1]:.0f} ms" + (f", {', '.join(bad)}" if bad else "")
    )
    sys.exit(0 if good >= 0.999 * len(results) and held > 0 else 1)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))

"""Sends POST /decide at a constant rate, whatever became of the requests before, and prints how long answers took.

decide_latency.py API PROXY RATE SECONDS LOAD_RPS: addresses as HOST:PORT. Each latency counts from the moment the request was
meant to be sent, so a client or a server that is held up shows in it. The same is then asked of /healthz: what that
takes is the price of the client, of HTTP and of the machine. Sockets are used bare, as a library for HTTP would cost
more than what is measured. Meanwhile LOAD_RPS requests a second go through the proxy.
"""

import gc
import select
import socket
import sys
import threading
import time
from collections import deque

CONNECTIONS = 32


def connect(address):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def request(address, method, path, body=""):
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def is_whole(answer):
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return len(body) >= int(length.split(b":")[1])


def measure(address, rate, seconds, requests):
    """Latencies from the intended time, lateness of sending, and answers other than 200, of `rate` requests a second."""
    idle = deque(connect(address) for _ in range(CONNECTIONS))
    busy, total = {}, int(rate * seconds)
    latencies, lateness, bad, sent = [], [], 0, 0
    begin = time.perf_counter() + 0.05
    deadline = begin + seconds + 10
    while len(latencies) < total and time.perf_counter() < deadline:
        due = begin + sent / rate
        now = time.perf_counter()
        if sent < total and due <= now and idle:
            connection = idle.popleft()
            connection.sendall(requests[sent % len(requests)])
            lateness.append(time.perf_counter() - due)
            busy[connection] = (due, b"")
            sent += 1
            continue
        wait = max(0, due - now) if sent < total and idle else 0.1
        for connection in select.select(list(busy), [], [], wait)[0]:
            due, answer = busy[connection]
            more = connection.recv(65536)
            answer += more
            busy[connection] = (due, answer)
            if is_whole(answer) or not more:
                latencies.append(time.perf_counter() - due)
                bad += not (more and answer.startswith(b"HTTP/1.1 200 "))
                del busy[connection]
                idle.append(connection if more else connect(address))
    return latencies, lateness, bad + total - len(latencies)


def at(values, share):
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]


def traffic(address, rate, stop):
    connection, ask = connect(address), request(address, "GET", "/")
    due = time.perf_counter()
    while not stop.is_set():
        due += 1 / rate
        stop.wait(max(0, due - time.perf_counter()))
        connection.sendall(ask)
        answer = connection.recv(65536)
        while not is_whole(answer):
            answer += connection.recv(65536)


def main():
    api, proxy, rate, seconds, load = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
    stop = threading.Event()
    beside = threading.Thread(target=traffic, args=(proxy, load, stop), daemon=True)
    beside.start()
    questions = [request(api, "POST", "/decide", f'{{"load_rps": {n}}}') for n in range(0, 400, 3)]
    # Warm: connections, caches of the first ticks.
    measure(api, rate, 1, questions)
    gc.disable()
    failed = 0
    for name, requests in (("decide", questions), ("healthz", [request(api, "GET", "/healthz")])):
        latencies, lateness, bad = measure(api, rate, seconds, requests)
        print(f"{name} at {rate:.0f} a second for {seconds:.0f} s: p50 {at(latencies, 0.5):.2f} ms, p99 {at(latencies, 0.99):.2f} ms, "
              f"p99.9 {at(latencies, 0.999):.2f} ms, most {at(latencies, 1):.2f} ms; sent late p99 {at(lateness, 0.99):.2f} ms; {bad} not answered 200")
        failed += bad
    stop.set()
    beside.join(10)
    if failed:
        raise SystemExit(1)


main()

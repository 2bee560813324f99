"""Latency at a fixed rate below saturation.

Requests are due at fixed moments, whatever became of those before them, and their latency counts
from that moment: a stall delays every request that was due in it, and all of them are counted.
"""

import ctypes
import select
import socket
import time

CONNECTIONS = 16
PATIENCE = 10.0  # seconds after the last request was due
PR_SET_TIMERSLACK = 29
PERCENTILES = (50, 90, 99, 99.9)


class Connection:
    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due, self.answer = 0.0, b""

    def send(self, due: float, request: bytes):
        self.due, self.answer = due, b""
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Whether the answer is complete; one that is not 200 is an error."""
        part = self.socket.recv(65536)
        self.answer += part
        if not part or not self.answer.startswith(b"HTTP/1.1 200 "[: len(self.answer)]):
            raise OSError(f"answered with {self.answer[:60]!r}")
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            return False
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return len(body) >= int(length or 0)


def latencies(port: int, tokens: list[str], rate: int, seconds: float) -> list[float]:
    """The latency of each of `rate * seconds` requests in microseconds."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
    idle = {made.socket: made for made in (Connection(port) for _ in range(CONNECTIONS))}
    busy: dict[socket.socket, Connection] = {}
    found, sent, total = [], 0, int(rate * seconds)
    start = time.perf_counter() + 0.01
    while len(found) < total:
        now = time.perf_counter()
        if now > start + seconds + PATIENCE:
            raise OSError(f"{total - len(found)} of {total} requests were not answered in time")
        while idle and sent < total and start + sent / rate <= now:
            handle, connection = idle.popitem()
            connection.send(start + sent / rate, request(tokens[sent % len(tokens)]))
            busy[handle] = connection
            sent += 1
        wait = start + sent / rate - time.perf_counter() if idle and sent < total else PATIENCE
        for handle in select.select(list(busy), [], [], max(wait, 0))[0]:
            if busy[handle].receive():
                idle[handle] = connection = busy.pop(handle)
                found.append((time.perf_counter() - connection.due) * 1e6)
    for handle in idle:
        handle.close()
    return found


def request(token: str) -> bytes:
    return (
        "GET /v1/orders/4711?limit=20 HTTP/1.1\r\nHost: api.example\r\nUser-Agent: orders-client/1.0\r\n"
        f"Accept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]

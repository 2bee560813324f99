"""Very many different requests, and what reached whom: two programs, each a process of its own.

`python -m lab.swarm record DIRECTORY NAME...` is an upstream on a port for each name, which answers
200 and writes a line of what it saw. `python -m lab.swarm send FILE` sends what it draws from the
words of a table, over HTTP/1.1 and HTTP/2, written by hand: no library would send it.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import ROOT
from .processes import Process

PACKAGE = {"PYTHONPATH": str(ROOT / "tests" / "e2e")}
DULL = re.compile(rb"(?i)(x-envoy-[a-z-]+|x-forwarded-(for|proto)|content-length|transfer-encoding|user-agent)$")
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Recorder:
    """The running upstreams: `ports` by name; `stop` gives all that they saw."""

    def __init__(self, directory: Path, names: list[str]):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        arguments = [sys.executable, "-m", "lab.swarm", "record", str(directory), *names]
        out, err = directory / "recorder.out", directory / "recorder.err"
        self._process = Process(arguments, out=out, err=err, env=PACKAGE)
        ports, deadline = directory / "ports.json", time.monotonic() + 20
        while not ports.exists():
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the recorder did not start: {err.read_text()}")
            time.sleep(0.02)
        self.ports = json.loads(ports.read_text())

    def stop(self) -> list[dict]:
        """Ends them. Of each request: upstream, id, method, target, fields and trailers."""
        self._process.stop()
        with open(self._directory / "seen.jsonl") as lines:
            return [json.loads(line) for line in lines]


def send(port: int, directory: Path, *, words: dict, tokens: list, strange: list, seed: int, count: int) -> int:
    """Sends `count` requests from two processes, and gives how many got an answer of any kind.

    The id of each is `r-PROCESS-NUMBER-MASK`: of `tokens`, which are good, those in the mask were sent.
    """
    begun = []
    for index in range(2):
        plan = {"port": port, "words": words, "tokens": tokens, "strange": strange, "seed": seed * 2 + index}
        plan |= {"process": index, "count": count // 2}
        path = directory / f"plan-{index}.json"
        path.write_text(json.dumps(plan))
        command = [sys.executable, "-m", "lab.swarm", "send", str(path)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **PACKAGE}))
    try:
        return sum(json.loads(one.communicate(timeout=600)[0]) for one in begun)
    finally:
        for one in begun:
            one.kill()
            one.wait()


# What reached whom


class _Arrivals(asyncio.Protocol):
    def __init__(self, name: str, record):
        self.name, self.record, self.waiting = name, record, b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while self._message():
            self.transport.write(OK)

    def _message(self) -> bool:
        head, found, rest = self.waiting.partition(b"\r\n\r\n")
        if not found:
            return False
        line, *lines = head.split(b"\r\n")
        fields, length, chunked = _pairs(lines), 0, False
        for name, value in fields:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        trailers: list = []
        if chunked:
            # A body without trailers ends with an empty line at once.
            body, found, after = rest.partition(b"0\r\n")
            if not found or not (after.startswith(b"\r\n") or b"\r\n\r\n" in after):
                return False
            if after.startswith(b"\r\n"):
                rest = after[2:]
            else:
                tail, _, rest = after.partition(b"\r\n\r\n")
                trailers = _pairs(tail.split(b"\r\n"))
        elif len(rest) < length:
            return False
        else:
            rest = rest[length:]
        self.waiting = rest
        method, target, _ = line.split(b" ", 2)
        wanted = next((value for name, value in fields if name == b"x-request-id"), b"")
        seen = {
            "upstream": self.name,
            "id": wanted.decode("latin-1"),
            "method": method.decode("latin-1"),
            "target": target.decode("latin-1"),
            "headers": _texts(fields),
            "trailers": _texts(trailers),
        }
        self.record.write(json.dumps(seen) + "\n")
        return True


def _pairs(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


def _texts(pairs) -> list[list[str]]:
    kept = (pair for pair in pairs if not DULL.match(pair[0]) and pair[0] != b"x-request-id")
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in kept]


async def _record(directory: Path, names: list[str]) -> None:
    loop, ports = asyncio.get_running_loop(), {}
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    with open(directory / "seen.jsonl", "w", buffering=1 << 20) as record:
        for name in names:
            server = await loop.create_server(lambda name=name: _Arrivals(name, record), "127.0.0.1", 0, backlog=512)
            ports[name] = server.sockets[0].getsockname()[1]
        draft = directory / "ports.draft"
        draft.write_text(json.dumps(ports))
        os.replace(draft, directory / "ports.json")
        await ended.wait()


# What is sent


FORMS = ("Bearer\t{}", "Bearer: {}", "{}", "JWT {}", "Basic x; Bearer {}", "bearer {}", "Bearer  {}", "Bearer {},")
VALUES = ("FORGED", "FORGED/ceo", "DELETE", "corp/robot-0")
CONNECTIONS = ("upgrade, {}", "{}, upgrade", "{}", "keep-alive, {}")
NAMED = ("x-postern-identity", "X-Postern-Scopes", "x-tenant", "x-own")


class _Drawn:
    """One request after the other, from the words of a plan."""

    def __init__(self, plan: dict):
        self.chance = random.Random(plan["seed"])
        self.words, self.tokens, self.strange = plan["words"], plan["tokens"], plan["strange"]
        self.process, self.number = plan["process"], 0

    def credential(self) -> tuple[list[tuple[str, str]], int]:
        """Fields, and which of the good tokens are in them."""
        chance, kind = self.chance, self.chance.random()
        index = chance.randrange(len(self.tokens))
        token, mask = self.tokens[index], 1 << index
        if kind < 0.45:
            return [("authorization", f"Bearer {token}")], mask
        if kind < 0.70:
            return [], 0
        if kind < 0.78:
            return [("authorization", f"Bearer {chance.choice(self.strange)}")], 0
        form = chance.choice(FORMS)
        if kind < 0.90:
            return [("authorization", form.format(token))], mask
        if kind < 0.93:
            return [("authorization", form.format(chance.choice(self.strange)))], 0
        second = form.format(chance.choice([token, *self.strange]))
        both = [("authorization", f"Bearer {token}"), (chance.choice(["authorization", "Authorization"]), second)]
        chance.shuffle(both)
        return both, mask

    def request(self) -> tuple[str, str, str, list, list]:
        """Method, path, host, fields and trailers."""
        chance, words = self.chance, self.words
        fields, mask = self.credential()
        for _ in range(chance.choice([0, 0, 1, 1, 2, 6])):
            fields.append((chance.choice(words["names"]), chance.choice(VALUES)))
        trailers = []
        if chance.random() < 0.1:
            trailers = [(chance.choice(words["names"]), "FORGED")]
            trailers.append(("authorization", f"Bearer {chance.choice(self.tokens)}"))
        if chance.random() < 0.08:
            fields.append(("connection", chance.choice(CONNECTIONS).format(chance.choice(NAMED))))
            fields.append(("upgrade", "websocket"))
        self.number += 1
        fields.append(("x-request-id", f"r-{self.process}-{self.number}-{mask}"))
        method, path, host = (chance.choice(words[kind]) for kind in ("methods", "paths", "hosts"))
        return method, path, host, fields, trailers


async def _http1(port: int, drawn: _Drawn, numbers, answered: list[int]) -> None:
    reader = writer = None
    for _ in numbers:
        method, path, host, fields, trailers = drawn.request()
        if drawn.chance.random() < 0.05:
            # RFC 9112 section 3.2.2: an absolute target replaces Host.
            path, host = f"http://{host}{path}", drawn.chance.choice(drawn.words["hosts"])
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in fields)]
        if trailers:
            tail = "".join(f"{name}: {value}\r\n" for name, value in trailers)
            lines += ["transfer-encoding: chunked", "", f"4\r\nbody\r\n0\r\n{tail}\r\n"]
        else:
            lines += ["", ""]
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join(lines).encode("latin-1"))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            if length and method != "HEAD":
                await reader.readexactly(int(length[1]))
            answered[0] += 1
            # What follows an upgrade is no request, whether it was taken or not.
            upgraded = any(name == "upgrade" for name, _ in fields)
            if b"\r\nconnection: close" not in head and not upgraded:
                continue
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        writer = None
    if writer:
        writer.close()


def _integer(number: int) -> bytes:
    """RFC 7541 section 5.1, with a prefix of seven bits."""
    if number < 127:
        return bytes([number])
    made, number = [127], number - 127
    while number >= 128:
        made.append(number % 128 + 128)
        number //= 128
    return bytes([*made, number])


def _block(pairs) -> bytes:
    """Literals without indexing and with new names (RFC 7541 section 6.2.2): what comes is what is written."""
    made = bytearray()
    for name, value in pairs:
        key, text = name.encode("latin-1"), value.encode("latin-1")
        made += b"\0" + _integer(len(key)) + key + _integer(len(text)) + text
    return bytes(made)


DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
"""RFC 9113 section 6."""
TOGETHER = 20
"""Streams at once on a connection."""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, b"")
PREFACE += _frame(WINDOW, 0, 0, (1 << 30).to_bytes(4))


def _stream(drawn: _Drawn, stream: int) -> bytes:
    method, path, host, fields, trailers = drawn.request()
    pairs = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path)]
    # RFC 9113 section 8.2: names are in lower case, and nothing is of the connection.
    pairs += [(name.lower(), value) for name, value in fields if name not in ("connection", "upgrade")]
    if not trailers:
        return _frame(HEADERS, 5, stream, _block(pairs))
    tail = _block([(name.lower(), value) for name, value in trailers])
    begin = _frame(HEADERS, 4, stream, _block(pairs)) + _frame(DATA, 0, stream, b"body")
    return begin + _frame(HEADERS, 5, stream, tail)


async def _http2(port: int, drawn: _Drawn, numbers, answered: list[int]) -> None:
    left, writer, stream = len(numbers), None, 1
    while left:
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PREFACE)
            stream = 1
        batch = min(left, TOGETHER)
        writer.write(b"".join(_stream(drawn, stream + 2 * index) for index in range(batch)))
        stream, left, open_streams = stream + 2 * batch, left - batch, batch
        try:
            while open_streams:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3]))
                kind, flags = head[3], head[4]
                if kind in (DATA, HEADERS) and flags & 1:
                    open_streams, answered[0] = open_streams - 1, answered[0] + 1
                elif kind == RESET:
                    open_streams -= 1
                elif kind in (SETTINGS, PING) and not flags & 1:
                    writer.write(_frame(kind, 1, 0, payload if kind == PING else b""))
                elif kind == GOAWAY:
                    break
            if not open_streams:
                continue
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        writer = None


async def _send(plan: dict) -> int:
    drawn, answered = _Drawn(plan), [0]
    share = plan["count"] // 16
    tasks = [_http1(plan["port"], drawn, range(share), answered) for _ in range(8)]
    tasks += [_http2(plan["port"], drawn, range(share), answered) for _ in range(8)]
    await asyncio.gather(*tasks)
    return answered[0]


if __name__ == "__main__":
    if sys.argv[1] == "record":
        asyncio.run(_record(Path(sys.argv[2]), sys.argv[3:]))
    else:
        print(asyncio.run(_send(json.loads(Path(sys.argv[2]).read_text()))))

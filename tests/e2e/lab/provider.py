"""Providers of keys: one that does as it is told and counts, and a real one in a process of its own."""

import base64
import contextlib
import http.client
import json
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from . import ROOT
from .issuer import minted
from .processes import Process

PROGRAM = ROOT / "tests" / "e2e" / "provider"
METADATA = "/.well-known/openid-configuration"
JWKS = "/jwks"


@dataclass(frozen=True)
class Asked:
    """A request to the provider: when it came, when its answer was out, and for what."""

    at: float
    answered: float
    target: str
    """Host and path."""
    answer: object


class Provider:
    """Answers a host and path with whatever a test puts in `answers`; any other with 404.

    An answer is a function that is given the connection. The port stays this provider's own while
    it is down.
    """

    def __init__(self):
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port: int = self._holder.getsockname()[1]
        self.answers: dict = {}
        self.asked: list[Asked] = []
        self._server = None
        self.up()

    def up(self) -> None:
        """Listens."""
        self._server = _Server(("127.0.0.1", self.port), self._handle)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def stop(self) -> None:
        self.down()
        self._holder.close()

    def count(self, target: str = "") -> int:
        """How many requests were answered, of one target or all."""
        return sum(asked.target == target or not target for asked in self.asked)

    def _handle(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (part := connection.recv(65536)):
                    return
                head += part
            at = time.monotonic()
            line, *fields = head.decode("latin-1").split("\r\n")
            host = next(field.split(":", 1)[1].strip() for field in fields if field.lower().startswith("host:"))
            target = host + line.split()[1]
            answer = self.answers.get(target, status(404))
            try:
                answer(connection)
            finally:
                self.asked.append(Asked(at, time.monotonic(), target, answer))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, handle):
        self._handle = handle
        super().__init__(address, None)

    def finish_request(self, request, _client_address):
        self._handle(request)


def raw(data: bytes):
    """An answer that is exactly these bytes."""
    return lambda connection: connection.sendall(data)


def answer(body: bytes, *fields: str, code: int = 200, kind: str = "application/json"):
    head = [f"HTTP/1.1 {code} Whatever", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close"]
    return raw("\r\n".join([*head, *fields, "", ""]).encode() + body)


def status(code: int, *fields: str):
    return answer(b"", *fields, code=code)


def document(value, *fields: str):
    """A JSON document, as it should be."""
    return answer(json.dumps(value).encode(), *fields)


def chunked(value, size: int = 7):
    """A JSON document in chunks."""
    body = json.dumps(value).encode()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n" + chunks)


def late(seconds: float, then):
    """An answer that comes late."""

    def wait(connection):
        time.sleep(seconds)
        then(connection)

    return wait


def reset(connection: socket.socket) -> None:
    """Not an answer but a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Shutter:
    """Holds answers back until it is opened."""

    def __init__(self):
        self._open = threading.Event()

    def before(self, then):
        def wait(connection):
            self._open.wait(30)
            then(connection)

        return wait

    def open(self) -> None:
        self._open.set()


class OpenIdProvider:
    """npm's oidc-provider, where `scripts/node-packages` has put it."""

    CLIENT = ("billing-batch", "a%20secret%20of%20the%20laboratory")

    def __init__(self, directory: Path):
        subprocess.run([ROOT / "scripts" / "node-packages", "tests/e2e/provider"], check=True)
        port_file = directory / "provider.port"
        self._process = Process(
            [shutil.which("node"), str(PROGRAM / "provider.mjs"), str(port_file)],
            out=directory / "provider.out",
            err=directory / "provider.err",
        )
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the provider did not start: {(directory / 'provider.err').read_text()}")
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self.issuer = f"http://127.0.0.1:{self.port}"

    def token(self, scope: str = "orders.read") -> str:
        """An access token by the client credentials grant (RFC 6749 section 4.4)."""
        basic = base64.b64encode(":".join(self.CLIENT).encode()).decode()
        fields = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        body = f"grant_type=client_credentials&scope={scope}"
        return minted.token(json.loads(self._call("POST", "/token", body, fields))["access_token"])

    def publish(self, *published: str, signing: str) -> None:
        """Has these keys, and signs with one of them, from now on."""
        self._call("POST", f"/lab/keys?published={','.join(published)}&signing={signing}")

    def counts(self) -> dict[str, int]:
        """How often each path was asked for."""
        return json.loads(self._call("GET", "/lab/counts"))

    def stop(self) -> None:
        self._process.stop()

    def _call(self, method: str, path: str, body: str | None = None, fields: dict | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, fields or {})
            reply = connection.getresponse()
            text = reply.read()
            assert reply.status == 200, (reply.status, text)
            return text
        finally:
            connection.close()

"""Upstreams that read one request as different programs do, and remember what reached them.

`Readers` is a process with one port for each name: every answer says which upstream it was and what
came in, byte for byte, and every arrival is remembered, answered or not. `php` is among the names
where a test asks for it: what comes in is handed to the real php-cgi, by the rules of CGI (RFC 3875
section 4.1.18) and a server that makes `_` of all that is no letter or digit, as lighttpd does.
`Apache` is the real one, as a proxy before one of the names.

The others are rules, taken from their documentation and sources, over what came in: `wsgi` (PEP
3333, Werkzeug, Django), `express` (Node's http and qs), `servlet` (Jakarta Servlet 6 section 3.5)
and `go` (net/http).
"""

import asyncio
import json
import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from . import ROOT
from .processes import Process

PHP = '<?php echo json_encode(["server" => $_SERVER, "get" => $_GET], JSON_INVALID_UTF8_SUBSTITUTE);'
PATIENCE = 20.0


class Readers:
    """The running upstreams: `ports` by name, and what has reached them."""

    def __init__(self, directory: Path, *names: str):
        directory.mkdir(parents=True, exist_ok=True)
        ports, self._seen = directory / "readers.json", directory / "seen.jsonl"
        (directory / "index.php").write_text(PHP)
        self._process = Process(
            [sys.executable, "-m", "lab.readers", str(directory), *names],
            out=directory / "readers.out",
            err=directory / "readers.err",
            env={"PYTHONPATH": str(ROOT / "tests" / "e2e")},
        )
        deadline = time.monotonic() + PATIENCE
        while not ports.exists():
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the readers did not start: {(directory / 'readers.err').read_text()}")
            time.sleep(0.02)
        self.ports = json.loads(ports.read_text())
        self.http = self.grpc = next(iter(self.ports.values()))

    def seen(self, request_id: str) -> list[dict]:
        """What reached any upstream under an id, in order."""
        if not self._seen.exists():
            return []
        with open(self._seen) as lines:
            found = [json.loads(line) for line in lines if request_id in line]
        return [one for one in found if request_id in values(one, "x-request-id")]

    def by(self, request_id: str, upstream: str, timeout: float = 5.0) -> list[dict]:
        """What reached one upstream under an id; waits for the first."""
        deadline = time.monotonic() + timeout
        while True:
            found = [one for one in self.seen(request_id) if one["upstream"] == upstream]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.stop()


class Apache:
    """Apache as a proxy before one port: it honours Connection (RFC 9110 section 7.6.1)."""

    MODULES = "/usr/lib/apache2/modules"

    def __init__(self, directory: Path, behind: int):
        directory.mkdir(parents=True, exist_ok=True)
        program = shutil.which("apache2") or "/usr/sbin/apache2"
        # Apache does not tell which port it got of 0; one that was just free is tried, and tried anew.
        for _ in range(5):
            self.port = _free_port()
            config = directory / "apache.conf"
            config.write_text(self._config(directory, behind))
            out, err = directory / "apache.out", directory / "apache.err"
            self._process = Process([program, "-f", str(config), "-D", "FOREGROUND"], out=out, err=err)
            if self._listens():
                return
            self._process.stop()
        raise RuntimeError(f"Apache did not start: {err.read_text()}")

    def _config(self, directory: Path, behind: int) -> str:
        modules = ("mpm_event", "authz_core", "proxy", "proxy_http")
        loads = "\n".join(f"LoadModule {name}_module {self.MODULES}/mod_{name}.so" for name in modules)
        return f"""{loads}
ServerName apache.example
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
Listen 127.0.0.1:{self.port}
ErrorLog {directory}/error.log
# Whom root becomes; anybody else stays who it is.
User nobody
Group nogroup
ServerLimit 1
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
ThreadLimit 8
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:{behind}/
"""

    def _listens(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.exit_code() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        self._process.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# What came in


def folded(name: str) -> str:
    """A field's name as the most forgiving reader has it: no case, and `-` for what is no letter or digit."""
    return re.sub(r"[^a-z0-9]", "-", name.lower())


def fields(seen: dict) -> list[list[str]]:
    """Header fields and trailers."""
    return [*seen["headers"], *seen["trailers"]]


def values(seen: dict, name: str) -> list[str]:
    """What is there under exactly this name, case aside."""
    return [value for key, value in seen["headers"] if key.lower() == name]


def kin(seen: dict, name: str) -> list[list[str]]:
    """Every field, trailers too, that some reader takes for this one."""
    return [[key, value] for key, value in fields(seen) if folded(key) == folded(name)]


# How it is read


def cgi_name(name: str) -> str:
    """RFC 3875 section 4.1.18, and of other bytes what lighttpd makes of them."""
    return "HTTP_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def wsgi(seen: dict) -> dict:
    """PEP 3333 on CGI's names; Werkzeug, Django (and Symfony) turn the method to upper case."""
    environ: dict[str, str] = {}
    for name, value in seen["headers"]:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    target = urlsplit(seen["target"])
    return {
        "method": seen["method"].upper(),
        "path": unquote(target.path, "latin-1"),
        "fields": environ,
        "query": {name: found[0] for name, found in parse_qs(target.query, keep_blank_values=True).items()},
    }


def express(seen: dict) -> dict:
    """Node's http joins duplicates; qs takes brackets for members of what stands before them."""
    joined: dict[str, str] = {}
    for name, value in seen["headers"]:
        joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    target, query = urlsplit(seen["target"]), {}
    for name, value in parse_qsl(target.query, keep_blank_values=True):
        query.setdefault(re.sub(r"^\[?([^\[\]]*).*$", r"\1", name, flags=re.DOTALL), []).append(value)
    # Routes of Express match without case, decode each parameter, and take a closing slash or not.
    return {"method": seen["method"], "path": target.path.lower().rstrip("/"), "fields": joined, "query": query}


def servlet(seen: dict) -> dict:
    """Path parameters are dropped, then the path is decoded; `getParameter` and `getHeader` give the first."""
    target, first, query = urlsplit(seen["target"]), {}, {}
    for name, value in seen["headers"]:
        first.setdefault(name.lower(), value)
    for name, value in parse_qsl(target.query, keep_blank_values=True):
        query.setdefault(name, value)
    path = unquote("/".join(part.split(";")[0] for part in seen["target"].split("?")[0].split("/")))
    return {"method": seen["method"], "path": path, "fields": first, "query": query}


def go(seen: dict) -> dict:
    """Names are canonical, `Get` gives the first, and a pair with `;` in it is refused (Go 1.17)."""
    first, query = {}, {}
    for name, value in seen["headers"]:
        first.setdefault("-".join(part.capitalize() for part in name.split("-")), value)
    path, _, text = seen["target"].partition("?")
    for pair in text.split("&"):
        if ";" not in pair:
            for name, value in parse_qsl(pair, keep_blank_values=True):
                query.setdefault(name, value)
    return {"method": seen["method"], "path": unquote(path), "fields": first, "query": query}


# The process


class _Server:
    def __init__(self, directory: Path):
        self.directory = directory
        self.record = open(directory / "seen.jsonl", "a", buffering=1)

    async def serve(self, names: list[str]) -> None:
        ports, servers = {}, []
        for name in names:
            server = await asyncio.start_server(self._reader(name), "127.0.0.1", 0, limit=1 << 24, backlog=512)
            ports[name] = server.sockets[0].getsockname()[1]
            servers.append(server.serve_forever())
        draft = self.directory / "readers.draft"
        draft.write_text(json.dumps(ports))
        os.replace(draft, self.directory / "readers.json")
        await asyncio.gather(*servers)

    def _reader(self, name: str):
        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while line := (await reader.readuntil(b"\r\n")).decode("latin-1"):
                    seen = await _message(line, reader)
                    seen["upstream"] = name
                    # Kept before it is answered, so that who has the answer can look.
                    self.record.write(json.dumps(seen) + "\n")
                    body = await self._php(seen) if name == "php" else seen
                    writer.write(_answer(seen, json.dumps(body).encode()))
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        return connection

    async def _php(self, seen: dict) -> dict:
        """What PHP itself says of the request."""
        path, _, query = seen["target"].partition("?")
        environ = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": seen["method"],
            "REQUEST_URI": seen["target"],
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SCRIPT_FILENAME": str(self.directory / "index.php"),
            "REDIRECT_STATUS": "200",
        }
        for name, value in seen["headers"]:
            key = cgi_name(name)
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
        php = await asyncio.create_subprocess_exec(
            "php-cgi", "-n", env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await php.communicate()
        return {**seen, "php": json.loads(out.split(b"\r\n\r\n", 1)[1])}


async def _message(line: str, reader: asyncio.StreamReader) -> dict:
    method, target, *_ = line.split(" ")
    headers, trailers, length = await _fields(reader), [], 0
    named = {name.lower(): value for name, value in headers}
    if "chunked" in named.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
            length += size
        trailers = await _fields(reader)
    else:
        length = int(named.get("content-length", "0"))
        await reader.readexactly(length)
    return {"method": method, "target": target, "headers": headers, "trailers": trailers, "body_bytes": length}


async def _fields(reader: asyncio.StreamReader) -> list[list[str]]:
    found = []
    while (line := await reader.readuntil(b"\n")).strip(b"\r\n"):
        name, _, value = line.rstrip(b"\r\n").partition(b":")
        found.append([name.decode("latin-1"), value.strip().decode("latin-1")])
    return found


def _answer(seen: dict, body: bytes) -> bytes:
    """`?status=` and `?location=` say what to answer, for retries and redirects."""
    query = parse_qs(urlsplit(seen["target"]).query)
    lines = [f"HTTP/1.1 {query.get('status', ['200'])[0]} Read", "content-type: application/json"]
    lines += [f"location: {where}" for where in query.get("location", [])]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if seen["method"] == "HEAD" else body)


if __name__ == "__main__":
    asyncio.run(_Server(Path(sys.argv[1])).serve(sys.argv[2:]))

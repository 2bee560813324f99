"""The service behind the gate, in a process of its own: an HTTP echo and a gRPC server.

`python -m lab.upstream PORTS_FILE` binds free ports on loopback, writes them as JSON to that file,
and serves until it is ended. Every answer holds what was received, so a test sees what the
upstream saw. `?delay=SECONDS` answers late, `?bytes=N` pads the answer, `?status=CODE` is its status,
`?cache=DIRECTIVES` its Cache-Control.
"""

import asyncio
import json
import os
import sys
import time
from concurrent import futures
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc

from . import ROOT
from .processes import Process

GRPC_METHOD = "/postern.demo.Orders/Get"
LIMIT = 32 * 1024 * 1024


class Upstream:
    """The running upstream: `http` and `grpc` are its ports."""

    def __init__(self, directory: Path):
        ports = directory / "upstream.json"
        self._process = Process(
            [sys.executable, "-m", "lab.upstream", str(ports)],
            out=directory / "upstream.out",
            err=directory / "upstream.err",
            env={"PYTHONPATH": str(ROOT / "tests" / "e2e")},
        )
        deadline = time.monotonic() + 20
        while not ports.exists():
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the upstream did not start: {(directory / 'upstream.err').read_text()}")
            time.sleep(0.02)
        bound = json.loads(ports.read_text())
        self.http, self.grpc = bound["http"], bound["grpc"]

    def stop(self) -> None:
        self._process.stop()


async def _fields(reader: asyncio.StreamReader) -> list[list[str]]:
    fields = []
    while (line := await reader.readuntil(b"\n")).strip(b"\r\n"):
        name, _, value = line.rstrip(b"\r\n").partition(b":")
        # Latin-1 keeps every byte, and turns each into one character.
        fields.append([name.decode("latin-1"), value.strip().decode("latin-1")])
    return fields


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> tuple[int, list[list[str]]]:
    if "chunked" in headers.get("transfer-encoding", ""):
        total = 0
        while size := int((await reader.readuntil(b"\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
            total += size
        return total, await _fields(reader)
    length = int(headers.get("content-length", "0"))
    await reader.readexactly(length)
    return length, []


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := (await reader.readuntil(b"\n")).decode("latin-1").split():
            method, target = line[0], line[1]
            fields = await _fields(reader)
            headers = {name.lower(): value for name, value in fields}
            query = parse_qs(urlsplit(target).query)
            length, trailers = await _body(reader, headers)
            await asyncio.sleep(float(query.get("delay", ["0"])[0]))
            body = json.dumps(
                {"method": method, "target": target, "headers": fields, "body_bytes": length, "trailers": trailers}
            ).encode() + b" " * int(query.get("bytes", ["0"])[0])
            status = query.get("status", ["200"])[0]
            head = f"HTTP/1.1 {status} Echo\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            if cache := query.get("cache"):
                head += f"cache-control: {cache[0]}\r\ndate: {formatdate(usegmt=True)}\r\n"
            head += "\r\n"
            writer.write(head.encode() + (b"" if method == "HEAD" else body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
    seen = [[name, value if isinstance(value, str) else value.hex()] for name, value in context.invocation_metadata()]
    return json.dumps({"headers": seen}).encode()


def _grpc_server() -> tuple[grpc.Server, int]:
    service, method = GRPC_METHOD.strip("/").split("/")
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(_answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


async def _serve(ports: Path) -> None:
    _server, grpc_port = _grpc_server()
    http = await asyncio.start_server(_echo, "127.0.0.1", 0, limit=LIMIT, backlog=512)
    bound = {"http": http.sockets[0].getsockname()[1], "grpc": grpc_port}
    # Renamed into place, so that a reader never sees half of it.
    draft = ports.with_suffix(".draft")
    draft.write_text(json.dumps(bound))
    os.replace(draft, ports)
    async with http:
        await http.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))

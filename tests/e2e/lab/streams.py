"""Thousands of HTTP/2 streams at once: many on each of many connections, all sent before any is awaited."""

import asyncio
import itertools
from dataclasses import dataclass

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4


@dataclass(frozen=True)
class Sent:
    """A request: its id, and its token."""

    request_id: str
    token: str
    path: str = "/any/x"
    method: str = "GET"


def together(port: int, requests: list[Sent], *, connections: int, source: str = "127.0.0.1", timeout: float = 60.0):
    """Sends all the requests at once, spread over connections; the status of each, by its id.

    0 stands for a stream that was reset, or whose connection ended.
    """
    return asyncio.run(_together(port, requests, connections, source, timeout))


async def _together(port, requests, connections, source, timeout) -> dict[str, int]:
    shares = [requests[index::connections] for index in range(connections)]
    answered = await asyncio.gather(*(_connection(port, share, source, timeout) for share in shares if share))
    return dict(itertools.chain.from_iterable(one.items() for one in answered))


async def _connection(port: int, requests: list[Sent], source: str, timeout: float) -> dict[str, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    ids = {1 + 2 * index: sent.request_id for index, sent in enumerate(requests)}
    statuses = dict.fromkeys(ids.values(), 0)
    writer.write(PREFACE + _frame(SETTINGS, 0, 0) + _frame(WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big")))
    for stream, sent in zip(ids, requests, strict=True):
        writer.write(_frame(HEADERS, END_STREAM | END_HEADERS, stream, _block(sent)))
    decoder, left = hpack.Decoder(), set(ids)
    try:
        async with asyncio.timeout(timeout):
            while left:
                size, kind, flags, stream = _head(await reader.readexactly(9))
                payload = await reader.readexactly(size)
                if kind == HEADERS:
                    fields = dict(decoder.decode(payload))
                    statuses[ids[stream]] = int(fields.get(":status", statuses[ids[stream]]))
                elif kind == SETTINGS and not flags & ACK:
                    writer.write(_frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    writer.write(_frame(PING, ACK, 0, payload))
                if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    left.discard(stream)
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return statuses


def _head(head: bytes) -> tuple[int, int, int, int]:
    return int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _block(sent: Sent) -> bytes:
    """Fields without Huffman coding or the dynamic table (RFC 7541 section 6.2.2), which costs no time."""
    fields = [
        (":method", sent.method),
        (":scheme", "http"),
        (":authority", "api.example"),
        (":path", sent.path),
        ("authorization", f"Bearer {sent.token}"),
        ("x-request-id", sent.request_id),
    ]
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: str) -> bytes:
    return _integer(len(text)) + text.encode()


def _integer(value: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541 section 5.1)."""
    if value < 127:
        return bytes([value])
    value, out = value - 127, b"\x7f"
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])

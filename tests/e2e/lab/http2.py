"""HTTP/2 without a library's opinions: one connection, one request, any headers and trailers."""

import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

from .client import Reply


@dataclass
class _Answer:
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    reset: int | None = None
    ended: bool = False


def request(port: int, headers, *, data: bytes | None = None, trailers=None, request_id="", timeout=10.0) -> Reply:
    """Sends exactly these headers (pseudo-headers included), data and trailers.

    Status 0 stands for a stream that was reset.
    """
    config = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="latin-1"
    )
    connection = h2.connection.H2Connection(config)
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as wire:
        connection.initiate_connection()
        last = "data" if data is not None else "headers"
        last = "trailers" if trailers else last
        connection.send_headers(1, headers, end_stream=last == "headers")
        if data is not None:
            connection.send_data(1, data, end_stream=last == "data")
        if trailers:
            connection.send_headers(1, trailers, end_stream=True)
        wire.sendall(connection.data_to_send())
        answer = _receive(connection, wire)
    status = int(next((value for name, value in answer.fields if name == ":status"), 0))
    return Reply(status, [pair for pair in answer.fields if pair[0] != ":status"], answer.body, request_id)


def _receive(connection, wire) -> _Answer:
    answer = _Answer()
    while not answer.ended:
        received = wire.recv(65536)
        if not received:
            break
        for event in connection.receive_data(received):
            match event:
                case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                    answer.fields += [(_text(name), _text(value)) for name, value in event.headers]
                case h2.events.DataReceived():
                    answer.body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                case h2.events.StreamEnded():
                    answer.ended = True
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    answer.reset, answer.ended = event.error_code, True
        wire.sendall(connection.data_to_send())
    return answer


def _text(value) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value

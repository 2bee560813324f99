"""Requests to the gate: with the standard library where it will send them, else as raw bytes."""

import http.client
import json
import re
import socket
import ssl
import uuid
from collections import deque
from dataclasses import dataclass, field

import grpc

from .upstream import GRPC_METHOD


@dataclass
class Reply:
    """An answer: fields in the order received, names in lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    request_id: str = ""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def header(self, name: str) -> str | None:
        """The only value of a field; None where there is none."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """`allowed`, or the reason of a refusal by Postern; empty where it is neither."""
        if self.header("content-type") == "application/problem+json":
            return self.json["reason"]
        return "allowed" if self.status == 200 else ""

    def seen(self, name: str) -> list[str]:
        """What the upstream saw under a header name, compared without case."""
        return [value for key, value in self.json["headers"] if key.lower() == name.lower()]


@dataclass
class Client:
    """Calls one listener; every request carries an id of its own."""

    port: int
    host: str = "api.example"
    timeout: float = 15.0
    tls: ssl.SSLContext | None = None
    """How to speak TLS; None for plain HTTP."""
    source: str = "127.0.0.1"
    """The address to call from."""
    sent: list[str] = field(default_factory=list)
    """The ids of all requests, in order."""

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers=(),
        body=None,
        host=None,
        request_id=None,
        on=None,
    ) -> Reply:
        """One request on a connection of its own, or `on` one that is kept.

        Header names and values may be bytes, and come out as they are. A `body` that is not bytes
        is sent in chunks.
        """
        request_id = request_id or str(uuid.uuid4())
        connection = on or self.connection()
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", host or self.host)
            connection.putheader("x-request-id", request_id)
            if token is not None:
                connection.putheader("authorization", f"Bearer {token}")
            for name, value in headers.items() if isinstance(headers, dict) else headers:
                connection.putheader(name, value)
            chunked = body is not None and not isinstance(body, bytes)
            if chunked:
                connection.putheader("transfer-encoding", "chunked")
            elif body is not None:
                connection.putheader("content-length", str(len(body)))
            self.sent.append(request_id)
            # Refused bodies may meet a closed connection: the answer is what counts.
            try:
                connection.endheaders(body, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = connection.getresponse()
            fields = [(name.lower(), value) for name, value in answer.getheaders()]
            return Reply(answer.status, fields, answer.read(), request_id)
        finally:
            if on is None:
                connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """A connection to be kept."""
        options = {"timeout": self.timeout, "source_address": (self.source, 0)}
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, **options)
        return http.client.HTTPConnection("127.0.0.1", self.port, **options)

    def socket(self) -> socket.socket:
        address = ("127.0.0.1", self.port)
        connected = socket.create_connection(address, timeout=self.timeout, source_address=(self.source, 0))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def raw(self, data: bytes, *, half_close: bool = False, answers: int = 1) -> bytes:
        """Sends bytes and reads so many answers, or what there is until a close or a second of quiet."""
        with self.socket() as connected:
            connected.sendall(data)
            if half_close:
                connected.shutdown(socket.SHUT_WR)
            connected.settimeout(1.0)
            received = b""
            try:
                while complete(received) < answers and (part := connected.recv(65536)):
                    received += part
            except (TimeoutError, ConnectionResetError):
                pass
            return received

    def grpc(self, *, method: str = GRPC_METHOD, metadata=(), request_id: str | None = None) -> "GrpcReply":
        """One unary call by a real gRPC client; the answer's status and what the upstream saw."""
        request_id = request_id or str(uuid.uuid4())
        self.sent.append(request_id)
        with grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=[("grpc.default_authority", self.host)]
        ) as channel:
            call = channel.unary_unary(method)
            try:
                answer, done = call.with_call(
                    b"", metadata=[("x-request-id", request_id), *metadata], timeout=self.timeout
                )
                return GrpcReply(0, "", json.loads(answer)["headers"], _pairs(done.trailing_metadata()), request_id)
            except grpc.RpcError as error:
                trailers = _pairs(error.initial_metadata()) + _pairs(error.trailing_metadata())
                return GrpcReply(error.code().value[0], error.details() or "", [], trailers, request_id)


class Pipeline:
    """A connection that is kept, on which requests go out before there are answers (RFC 9112 section 9.3.2)."""

    def __init__(self, client: Client):
        self._client, self._sent = client, deque()
        self._socket = client.socket()
        self._answers = self._socket.makefile("rb")

    def send(self, paths: list[str], token: str) -> None:
        """Sends a GET for each of them, all at once; few enough that nobody has to read meanwhile."""
        ids = [str(uuid.uuid4()) for _ in paths]
        self._client.sent += ids
        self._sent += ids
        requests = [
            f"GET {path} HTTP/1.1\r\nhost: {self._client.host}\r\nx-request-id: {request_id}\r\n"
            f"authorization: Bearer {token}\r\n\r\n"
            for path, request_id in zip(paths, ids, strict=True)
        ]
        self._socket.sendall("".join(requests).encode())

    def receive(self) -> Reply | None:
        """The next answer; none where Envoy refused a request before, and closed with more to come."""
        if not (line := self._answers.readline()):
            return None
        status = int(line.split()[1])
        fields = [(name.lower(), value) for name, value in http.client.parse_headers(self._answers).items()]
        body = self._answers.read(int(dict(fields)["content-length"]))
        return Reply(status, fields, body, self._sent.popleft())


def complete(received: bytes) -> int:
    """How many whole answers with a content-length there are."""
    count = 0
    while (end := received.find(b"\r\n\r\n")) >= 0:
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", received[:end])
        whole = end + 4 + int(length[1] if length else 0)
        if len(received) < whole:
            break
        received, count = received[whole:], count + 1
    return count


def _pairs(metadata) -> list[tuple[str, str]]:
    return [(name, value) for name, value in metadata or ()]


@dataclass
class GrpcReply:
    """The answer to a gRPC call: the status code, its message, what the upstream saw."""

    code: int
    message: str
    headers: list[list[str]]
    metadata: list[tuple[str, str]]
    request_id: str

    def seen(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

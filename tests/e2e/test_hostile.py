"""Input that no honest client sends: it is answered, audited once, and harms nobody.

A panic in the module would poison a worker's VM, so after every test here the VMs are the same and
good requests still pass (`unharmed`).
"""

import socket
import struct
import time
import uuid

import policies
import pytest
from lab import http2
from lab.gate import Gate, changed, roomy
from lab.issuer import b64, compact, minted, now

pytestmark = pytest.mark.usefixtures("unharmed")


def head(path="/any/thing", method="POST", *fields: str, request_id=None) -> tuple[bytes, str]:
    request_id = request_id or str(uuid.uuid4())
    lines = [f"{method} {path} HTTP/1.1", "host: api.example", f"x-request-id: {request_id}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), request_id


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


# Header fields


@pytest.mark.parametrize(
    "value",
    [b"\xff\xfe", b"\x80", b"Bearer \xff.\xff.\xff", b"Bearer ", b"Bearer", b"\xc0\xaf", b"\xed\xa0\x80", b"\t\t"],
)
@pytest.mark.parametrize("name", ["x-other", "authorization", "x-postern-identity", "x-request-purpose", "user-agent"])
def test_header_values_that_are_not_utf8_are_only_bytes(gate, keys, name, value):
    own = [] if name == "authorization" else [("authorization", f"Bearer {keys.token()}")]
    reply = gate.client.request("GET", "/any/thing", headers=[*own, (name, value)])
    event = gate.envoy.audit.one(reply.request_id)
    if name == "authorization":
        assert reply.status in (400, 401), reply
    else:
        gate.check(reply, 200, "allowed")
    assert event["http_request"]["http_method"] == "GET"


@pytest.mark.parametrize("request_id", [b"\xff\xfe\xfd", b"not a uuid", b"a" * 5000, b'"}\\n{"', b"\x7f"])
def test_a_request_id_may_be_anything(gate, keys, request_id):
    # What other tests asked of this gate may be told late.
    path = f"/any/{uuid.uuid4()}"
    data = f"GET {path} HTTP/1.1\r\nhost: api.example\r\nconnection: close\r\nx-request-id: ".encode()
    answer = gate.client.raw(data + request_id + b"\r\n\r\n")
    if status(answer) == 401:
        told = lambda: [one for one in gate.envoy.audit.events() if one["http_request"]["url"]["path"] == path]  # noqa: E731
        wait_until(lambda: len(told()) == 1)
    assert status(answer) in (400, 401)


@pytest.mark.parametrize("path", [b"/any/\xff\xfe", b"/any/%ff%fe", b"/any/%c0%af", b"/any/%00", b"/any/a%", b"/any/%zz",
                                  b"/any//x", b"/any/./x", b"/any/../closed", b"/any/%2e%2e/x", b"/any/a\\b", b"/any/%5c",
                                  b"*", b"//", b"/any/#x", b"/%61ny/x", b"/an%79/x", b"http://api.example/any/thing/.."])  # fmt: skip
def test_a_path_that_could_be_read_in_two_ways_is_refused(gate, keys, path):
    request_id = str(uuid.uuid4())
    data = b"GET " + path + b" HTTP/1.1\r\nhost: api.example\r\nconnection: close\r\nx-request-id: "
    answer = gate.client.raw(data + request_id.encode() + f"\r\nauthorization: Bearer {keys.token()}\r\n\r\n".encode())
    assert status(answer) in (400, 403, 404), answer
    # What Envoy's codec lets through, Postern refuses; what it does not, never comes here.
    events = gate.envoy.audit.of(request_id, timeout=1.0)
    assert [event["status_detail"] for event in events] in ([], ["path_ambiguous"], ["route_unknown"], ["undecided"])
    if b"path_ambiguous" in answer:
        assert len(events) == 1


@pytest.mark.parametrize("fields", [[("x-big", "a" * 59_000)], [(f"x-{i}", "b" * 700) for i in range(80)]])
def test_sixty_kilobytes_of_headers_are_no_trouble(gate, keys, fields):
    gate.check(gate.client.request("GET", "/any/thing", token=keys.token(), headers=fields), 200, "allowed")
    gate.check(gate.client.request("GET", "/any/thing", headers=fields), 401, "credential_missing")


def test_more_headers_than_envoy_takes_never_reach_postern(gate, keys):
    reply = gate.client.request("GET", "/any/thing", token=keys.token(), headers=[("x-big", "a" * 70_000)])
    assert reply.status == 431
    assert all(event["status_detail"] != "allowed" for event in gate.envoy.audit.of(reply.request_id, timeout=0.5))


@pytest.mark.parametrize("count", [50, 90])
def test_many_forged_headers_are_all_stripped(gate, keys, count):
    forged = [(f"x-postern-{i}", "1") for i in range(count)]
    reply = gate.client.request("GET", "/any/thing", token=keys.token(), headers=forged)
    gate.check(reply, 200, "allowed")
    assert not [name for name, _ in reply.json["headers"] if name.startswith("x-postern-") and name[10:].isdigit()]


# Tokens

DEEP = 100_000
DIGITS = "9" * 10_000


def segment(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def payload(extra: str = "", **claims) -> str:
    full = {
        "iss": policies.CORP,
        "aud": "orders",
        "sub": "robot-7",
        "exp": now() + 600,
        "scope": policies.SCOPES,
        **claims,
    }
    members = [f'"{name}":{value if isinstance(value, Raw) else quoted(value)}' for name, value in full.items()]
    return "{" + ",".join([*members, *([extra] if extra else [])]) + "}"


class Raw(str):
    """JSON text as it stands."""


def quoted(value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


HEADER = '{"alg":"ES256","typ":"JWT","kid":"key-ES256"}'
NUMBERS = [
    "1e300", "-1", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "1e999", "-1e999", "1e-999", "0.0000001", DIGITS, f"0.{DIGITS}", f"1e{DIGITS}", '"1"', "null", "true", "[]", "{}", "-0",
    "NaN", "Infinity", "01", "0x10", "1.", ".5", "+1",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:20])
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_an_instant_of_any_number_is_answered(gate, keys, claim, number):
    token = compact(segment(HEADER), segment(payload(**{claim: Raw(number)})), keys.good["ES256"].sign)
    reply = gate.client.request("GET", "/v1/orders/1", token=token, headers=[("x-request-id-probe", "1")])
    assert reply.status in (200, 401), reply
    assert gate.envoy.audit.one(reply.request_id)["status_detail"] == reply.reason
    if claim == "exp" and number in ("-1", "-9223372036854775808", "-1e999", '"1"', "null", "[]", "0.0000001"):
        assert reply.status == 401, reply


def jws(header: str | bytes, body: str | bytes = "{}", signature: str = "AAAA") -> str:
    return f"{b64(segment(header))}.{b64(segment(body))}.{signature}"


BROKEN = {
    "no dots": "abc",
    "one dot": "a.b",
    "two empty parts": "..",
    "four parts": jws("{}") + ".b",
    "five parts": "a.b.c.d.e",
    "only dots": "." * 4000,
    "padded": f"{b64(HEADER.encode())}=.{b64(b'{}')}.AAAA",
    "standard alphabet": "ey+/.ey+/.AAAA",
    "trailing bits": jws(HEADER, payload(), "AB"),
    "header is an array": jws("[]"),
    "header is a number": jws(DIGITS[:4000]),
    "header is not UTF-8": jws(bytes(range(128, 256))),
    "alg twice": jws('{"alg":"ES256","alg":"none"}'),
    "unknown crit": jws('{"alg":"ES256","crit":["x"],"x":1}'),
    "b64 false": jws('{"alg":"ES256","crit":["b64"],"b64":false}'),
    "half a surrogate pair": jws('{"alg":"ES256","kid":"\\ud800"}'),
    "over the bound": "a" * 8193,
    "far over the bound": "a" * 50_000,
}


@pytest.mark.parametrize("token", BROKEN.values(), ids=BROKEN)
def test_a_credential_that_is_no_compact_jws_is_malformed(gate, token):
    reply = gate.client.request("GET", "/v1/orders/1", token=minted.token(token))
    gate.check(reply, 401, "credential_malformed")


@pytest.fixture(scope="module")
def roomy_gate(upstream, keys, tmp_path_factory):
    """Envoy and Postern both with bounds as high as they go."""
    policy = changed(policies.main(keys), tokens={"max_bytes": MAX_TOKEN})
    with Gate.open(policy, upstream, tmp_path_factory.mktemp("roomy"), tweak=roomy) as opened:
        yield opened


MAX_TOKEN = 65536
"""The most that `tokens.max_bytes` may be."""

NESTS = {
    "arrays": ("[", "]"),
    "objects": ('{"a":', "}"),
    "unclosed arrays": ("[", ""),
    "unclosed objects": ('{"a":', ""),
}


@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("where", ["header", "payload", "claim"])
@pytest.mark.parametrize("depth", [100, 127, 128, 129, 5_000, DEEP])
def test_json_of_any_depth_is_answered(roomy_gate, keys, nest, where, depth):
    opening, closing = NESTS[nest]
    deep = opening * depth + "1" + closing * depth
    head_text, body_text = HEADER, payload()
    if where == "header":
        head_text = f'{{"alg":"ES256","kid":"key-ES256","x":{deep}}}'
    elif where == "payload":
        body_text = deep
    else:
        body_text = payload(f'"tenant":{deep}')
    token = compact(segment(head_text), segment(body_text), keys.good["ES256"].sign)
    reply = roomy_gate.client.request("GET", "/v1/orders/1", token=token)
    assert reply.status in (200, 401, 431), (reply.status, reply.body[:200])
    if depth >= 5_000:
        assert reply.status in (401, 431)
    assert roomy_gate.envoy.failures() == []
    policies.assert_well(roomy_gate, keys)


@pytest.mark.parametrize("size", [MAX_TOKEN - 1000, MAX_TOKEN + 1, 1_000_000, 4_000_000])
def test_tokens_of_megabytes_are_answered(roomy_gate, keys, size):
    filler = "x" * (size * 3 // 4 - 800)
    token = keys.token(filler=filler)
    reply = roomy_gate.client.request("GET", "/v1/orders/1", token=token)
    if len(token) <= MAX_TOKEN:
        roomy_gate.check(reply, 200, "allowed")
    else:
        roomy_gate.check(reply, 401, "credential_malformed")
    policies.assert_well(roomy_gate, keys)


def test_thousands_of_header_fields_are_answered(roomy_gate, keys):
    fields = [(f"x-{i}", "v") for i in range(5_000)] + [(f"x-postern-{i}", "v") for i in range(2_000)]
    reply = roomy_gate.client.request("GET", "/any/thing", token=keys.token(), headers=fields)
    roomy_gate.check(reply, 200, "allowed")
    assert not [name for name, _ in reply.json["headers"] if name.startswith("x-postern-") and name[10:].isdigit()]
    policies.assert_well(roomy_gate, keys)


def test_megabytes_of_headers_are_answered(roomy_gate, keys):
    fields = [(f"x-{i}", "v" * 100_000) for i in range(40)]
    roomy_gate.check(roomy_gate.client.request("GET", "/any/thing", headers=fields), 401, "credential_missing")
    policies.assert_well(roomy_gate, keys)


# Bodies and connections


CHUNKS = [
    b"zz\r\n",
    b"-1\r\nabc\r\n",
    b"ffffffffffffffffff\r\n",
    b"5\r\nab",
    b"5;\x00\r\nabcde\r\n",
    b"\r\n\r\n",
    b"0\r\nx",
]


@pytest.mark.parametrize("body", CHUNKS)
@pytest.mark.parametrize("authorized", [True, False])
def test_a_broken_chunk_ends_one_request_with_one_event(gate, keys, body, authorized):
    fields = [f"authorization: Bearer {keys.token()}"] if authorized else []
    data, request_id = head("/any/thing", "POST", "transfer-encoding: chunked", *fields)
    gate.client.raw(data + body, half_close=True)
    events = gate.envoy.audit.of(request_id, settle=0.1)
    assert [event["status_detail"] for event in events] == ["allowed" if authorized else "credential_missing"]


REFUSED_BY_THE_CODEC = {
    "no request at all": b"\r\n\r\n",
    "garbage": b"\x00\x01\x02\x03\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no host": b"GET /any/thing HTTP/1.1\r\nx-request-id: {id}\r\n\r\n",
    "no version": b"GET /any/thing\r\nhost: a\r\nx-request-id: {id}\r\n\r\n",
    "unknown method": b"FROB /any/thing HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\n\r\n",
    "two lengths": b"POST /any/x HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunked": b"POST /any/x HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad header name": b"GET /any/thing HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\nb@d name: 1\r\n\r\n",
    "nul in a value": b"GET /any/thing HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\nx: a\x00b\r\n\r\n",
    "folded line": b"GET /any/thing HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\nx: a\r\n b\r\n\r\n",
    "http/1.0": b"GET /any/thing HTTP/1.0\r\nhost: a\r\nx-request-id: {id}\r\n\r\n",
    "http/0.9": b"GET /any/thing\r\n",
    "two hosts": b"GET /any/thing HTTP/1.1\r\nhost: a\r\nhost: b\r\nx-request-id: {id}\r\n\r\n",
    "half a request": b"GET /any/thing HTTP/1.1\r\nhost: a\r\nx-request-id: {id}\r\n",
}


@pytest.mark.parametrize("data", REFUSED_BY_THE_CODEC.values(), ids=REFUSED_BY_THE_CODEC)
def test_what_the_codec_refuses_is_never_let_through(gate, data):
    request_id = str(uuid.uuid4())
    answer = gate.client.raw(data.replace(b"{id}", request_id.encode()), half_close=True)
    assert status(answer) != 200, answer
    events = gate.envoy.audit.of(request_id, timeout=0.3, settle=0.1)
    assert len(events) <= 1
    assert all(event["status_detail"] != "allowed" for event in events), events


def hang_up(connected: socket.socket, *, reset: bool) -> None:
    if reset:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_a_client_that_goes_before_it_asks_leaves_no_event(gate, reset):
    source = "127.0.44.2" if reset else "127.0.44.1"
    for sent in (b"", b"GET /any", b"GET /any/thing HTTP/1.1\r\nhost: a\r\n"):
        connected = socket.create_connection(("127.0.0.1", gate.client.port), source_address=(source, 0))
        connected.sendall(sent)
        time.sleep(0.02)
        hang_up(connected, reset=reset)
    time.sleep(0.2)
    events = [event for event in gate.envoy.audit.events() if event["src_endpoint"]["ip"] == source]
    assert all(event["status_detail"] != "allowed" for event in events), events
    assert len(events) <= 3


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("when", ["in the body", "while the upstream works", "before the answer is read"])
def test_a_client_that_goes_later_leaves_one_event(gate, keys, when, reset):
    ids = []
    for _ in range(8):
        authorization = f"authorization: Bearer {keys.token()}"
        path = "/any/thing?delay=0.3" if when == "while the upstream works" else "/any/thing?bytes=200000"
        data, request_id = head(path, "POST", "content-length: 100", authorization)
        ids.append(request_id)
        connected = gate.client.socket()
        connected.sendall(data + bytes(10 if when == "in the body" else 100))
        time.sleep(0.05)
        hang_up(connected, reset=reset)
    for request_id in ids:
        events = gate.envoy.audit.of(request_id)
        assert [event["status_detail"] for event in events] == ["allowed"]
    time.sleep(0.4)
    assert all(len(gate.envoy.audit.of(request_id)) == 1 for request_id in ids)


def test_requests_in_a_pipeline_have_their_own_answers(gate, keys):
    """The last one is the one refused: Envoy itself takes no more of a pipeline after a local reply."""
    good, first = head("/any/thing", "GET", f"authorization: Bearer {keys.token()}")
    other, second = head("/public/thing", "GET", "authorization: Bearer x")
    bad, third = head("/any/thing", "GET", "authorization: Bearer x")
    answer = gate.client.raw(good + other + bad, answers=3)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 200, 401]
    reasons = [gate.envoy.audit.one(request_id)["status_detail"] for request_id in (first, second, third)]
    assert reasons == ["allowed", "allowed", "credential_malformed"]


# Methods and upgrades


@pytest.mark.parametrize("fields, expected", [([], 401), (["authorization: Bearer {token}"], 200)])
def test_an_upgrade_is_decided_like_any_request(gate, keys, fields, expected):
    fields = [field.replace("{token}", keys.token()) for field in fields]
    upgrade = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: AAAA"]
    data, request_id = head("/any/thing", "GET", *upgrade, *fields)
    assert status(gate.client.raw(data)) == expected
    assert gate.envoy.audit.one(request_id)["status_detail"] == ("allowed" if expected == 200 else "credential_missing")


def test_connect_is_decided_like_any_request(gate, keys):
    request_id = str(uuid.uuid4())
    data = f"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\nx-request-id: {request_id}\r\n\r\n".encode()
    answer = gate.client.raw(data)
    assert status(answer) in (400, 403), answer
    assert gate.envoy.audit.one(request_id)["status_detail"] in ("route_unknown", "path_ambiguous")


@pytest.mark.parametrize("authorized", [True, False])
@pytest.mark.parametrize("protocol, route", [("bytestream", "connect"), ("websocket", "any")])
def test_an_extended_connect_is_decided_like_any_request(gate, keys, protocol, route, authorized):
    """Envoy turns one for an upgrade into the GET that HTTP/1.1 would have sent; the rest stay CONNECT."""
    request_id = str(uuid.uuid4())
    path = "/tunnel" if protocol == "bytestream" else "/any/thing"
    headers = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":authority", "api.example")]
    headers += [(":path", path), ("x-request-id", request_id), ("sec-websocket-version", "13")]
    if authorized:
        headers.append(("authorization", f"Bearer {keys.token()}"))
    try:
        http2.request(gate.client.port, headers, timeout=0.5)
    except TimeoutError:
        assert authorized, "a refusal ends the stream"
    event = gate.envoy.audit.one(request_id)
    assert event["status_detail"] == ("allowed" if authorized else "credential_missing")
    assert event["unmapped"]["route"] == route
    assert event["http_request"]["http_method"] == ("CONNECT" if protocol == "bytestream" else "GET")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH"])
def test_every_method_is_decided(gate, keys, method):
    reply = gate.client.request(method, "/any/thing", token=keys.token())
    assert gate.envoy.audit.one(reply.request_id)["status_detail"] == "allowed"
    reply = gate.client.request(method, "/any/thing")
    assert reply.status == 401
    assert gate.envoy.audit.one(reply.request_id)["status_detail"] == "credential_missing"


FORGED_TRAILERS = [
    ("x-postern-identity", "ceo"),
    ("x-tenant", "globex"),
    ("authorization", "Bearer x"),
    ("x-fine", "1"),
]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["other.example"], 200),
        (["api.example"], 200),
        (["other.example", "api.example"], 403),
        (["api.example", "other.example"], 403),
        (["api.example:123456"], 403),
        (["api.example:http"], 403),
        (["x@api.example"], 403),
        (["[api.example]"], 403),
        (["api%2eexample"], 403),
        (["api.example:8443"], 200),
        (["api.example."], 200),
    ],
)
def test_a_host_that_is_none_does_not_get_around_the_routes_of_a_host(gate, hosts, expected):
    fields = "".join(f"host: {host}\r\n" for host in hosts)
    answer = gate.client.raw(f"GET /public/x HTTP/1.1\r\n{fields}connection: close\r\n\r\n".encode())
    assert status(answer) == expected, answer
    assert (b"route_unknown" in answer) == (expected == 403)


@pytest.mark.parametrize("path", ["/any/thing", "/public/thing", "/observed/thing"])
def test_identity_forged_in_trailers_never_reaches_the_upstream(gate, keys, path):
    request_id = str(uuid.uuid4())
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example"), (":path", path)]
    headers += [("x-request-id", request_id), ("authorization", f"Bearer {keys.token()}")]
    reply = http2.request(gate.client.port, headers, data=b"abc", trailers=FORGED_TRAILERS, request_id=request_id)
    assert reply.status == 200
    names = [name.lower() for name, _ in reply.json["trailers"]]
    assert "x-fine" in names, "the upstream sees trailers at all"
    assert [name for name in names if name.startswith("x-postern") or name == "x-tenant"] == []


@pytest.mark.parametrize("path", ["/any/thing", "/public/thing"])
def test_identity_forged_in_http1_trailers_never_reaches_the_upstream(gate, keys, path):
    data, request_id = head(
        path, "POST", "transfer-encoding: chunked", "connection: close", f"authorization: Bearer {keys.token()}"
    )
    trailers = b"".join(f"{name}: {value}\r\n".encode() for name, value in FORGED_TRAILERS)
    answer = gate.client.raw(data + b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")
    assert status(answer) == 200, answer
    # The upstream's echo holds what it saw.
    assert b"x-fine" in answer
    assert b"ceo" not in answer and b"globex" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        [("x-postern-identity", "ceo"), ("x-postern-identity", "cfo")],
        [("te", "trailers"), ("content-type", "application/grpc")],
        [("content-type", "application/grpc" + "+" * 2000)],
        [("cookie", "a=b")] * 40,
        [("authorization", ""), ("authorization", "")],
        [("authorization", "Bearer a"), ("authorization", "Bearer b"), ("authorization", "Bearer c")],
    ],
    ids=str,
)
def test_odd_http2_headers_are_answered(gate, headers):
    request_id = str(uuid.uuid4())
    pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "api.example"), (":path", "/any/thing")]
    reply = http2.request(gate.client.port, [*pseudo, ("x-request-id", request_id), *headers], request_id=request_id)
    assert reply.status in (0, 200, 400, 401)
    assert len(gate.envoy.audit.of(request_id, timeout=1.0)) <= 1


def wait_until(condition, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""What a refused caller is told: problem details, challenges, gRPC codes."""

import re

import pytest
from lab import http2
from lab.client import Client

METADATA = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource"'


def refused(gate, method="GET", path="/v1/orders/1", **request):
    return gate.client.request(method, path, **request)


def parameters(challenge: str) -> dict[str, str]:
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    found = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"(?:, |$)', rest)
    # Nothing but name="value" pairs (RFC 9110 section 11.6.1).
    assert ", ".join(f'{name}="{value}"' for name, value in found) == rest
    return dict(found)


def test_a_denial_is_a_problem_document_that_is_not_stored(gate):
    reply = refused(gate)
    assert reply.header("content-type") == "application/problem+json"
    assert reply.header("cache-control") == "no-store"
    assert reply.header("content-length") == str(len(reply.body))
    problem = reply.json
    assert set(problem) == {"type", "title", "status", "reason", "request_id", "detail"}
    assert (problem["status"], problem["reason"]) == (401, "credential_missing")
    assert problem["request_id"] == reply.request_id


def test_the_challenge_is_bare_where_no_credential_was_sent(gate):
    challenge = parameters(refused(gate).header("www-authenticate"))
    # RFC 6750 section 3.1: no error code where the request lacks any authentication.
    assert set(challenge) == {"realm", "resource_metadata"}
    assert challenge["realm"] == "orders"


@pytest.mark.parametrize(
    "claims, reason",
    [
        ({"exp": 1}, "token_expired"),
        ({"aud": "payroll"}, "audience_mismatch"),
        ({"iss": "https://x"}, "issuer_unknown"),
    ],
)
def test_a_bad_token_is_an_invalid_token(gate, keys, claims, reason):
    reply = refused(gate, token=keys.token(**claims))
    gate.check(reply, 401, reason)
    challenge = parameters(reply.header("www-authenticate"))
    assert challenge["error"] == "invalid_token"
    assert challenge["error_description"]
    assert challenge["realm"] == "orders"


def test_too_little_scope_names_the_scope_that_is_needed(gate, keys):
    reply = refused(gate, path="/closed", token=keys.token())
    gate.check(reply, 403, "scope_missing")
    challenge = parameters(reply.header("www-authenticate"))
    assert challenge["error"] == "insufficient_scope"
    assert "nobody.has" in challenge["scope"].split()


def test_two_credentials_are_an_invalid_request(gate, keys):
    token = keys.token()
    for headers in (
        [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")],
        [("authorization", f"Bearer {token}, Bearer {token}")],
        [("authorization", f"Bearer {token}"), ("Authorization", "Basic YTpi")],
    ):
        reply = refused(gate, headers=headers)
        gate.check(reply, 400, "credential_ambiguous")


def test_a_refusal_of_head_has_no_body(gate):
    reply = refused(gate, "HEAD")
    assert (reply.status, reply.body) == (401, b"")
    assert reply.header("content-type") == "application/problem+json"
    assert gate.envoy.audit.one(reply.request_id)["status_detail"] == "credential_missing"


def test_the_same_over_http2(gate):
    headers = [(":method", "GET"), (":scheme", "http"), (":authority", "api.example"), (":path", "/v1/orders/1")]
    reply = http2.request(gate.client.port, [*headers, ("x-request-id", "over-http2")], request_id="over-http2")
    gate.check(reply, 401, "credential_missing")
    assert parameters(reply.header("www-authenticate"))["realm"] == "orders"


GRPC = "/postern.demo.Orders/Get"
CASES = [
    ("nothing was sent", GRPC, lambda _: [], 16, "credential_missing"),
    ("an expired token", GRPC, lambda keys: [keys.token(exp=1)], 16, "token_expired"),
    ("too little scope", "/postern.demo.Orders/Delete", lambda keys: [keys.token()], 7, "scope_missing"),
    ("a method of no route", "/postern.demo.Other/Get", lambda keys: [keys.token()], 7, "route_unknown"),
    ("two credentials", GRPC, lambda keys: [keys.token(), keys.token()], 3, "credential_ambiguous"),
    ("an ambiguous path", "/postern.demo.Orders%2fGet", lambda keys: [keys.token()], 3, "path_ambiguous"),
]


@pytest.mark.parametrize("method, tokens, code, reason", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_grpc_client_gets_the_code_of_its_own_protocol(gate, keys, method, tokens, code, reason):
    metadata = [("authorization", f"Bearer {token}") for token in tokens(keys)]
    answer = gate.client.grpc(method=method, metadata=metadata)
    assert answer.code == code, answer
    assert gate.envoy.audit.one(answer.request_id)["status_detail"] == reason
    if code == 16:
        assert METADATA in dict(answer.metadata)["www-authenticate"]


def test_a_grpc_call_with_a_token_reaches_the_upstream(gate, keys):
    answer = gate.client.grpc(metadata=[("authorization", f"Bearer {keys.token()}")])
    assert (answer.code, answer.seen("x-postern-client")) == (0, ["corp/billing-batch"])
    assert answer.seen("authorization") == []
    assert gate.envoy.audit.one(answer.request_id)["status_detail"] == "allowed"


def test_a_refused_grpc_call_is_a_trailers_only_reply(gate):
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example"), (":path", GRPC)]
    headers += [("content-type", "application/grpc+proto"), ("te", "trailers"), ("x-request-id", "trailers-only")]
    reply = http2.request(gate.client.port, headers, data=bytes(5), request_id="trailers-only")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.header("grpc-status") == "16"
    assert reply.header("content-type").startswith("application/grpc")


def test_each_request_has_one_event_and_the_event_says_who_and_where(gate, keys):
    reply = gate.client.request("GET", "/v1/orders/7?secret=1", token=keys.token())
    event = gate.check(reply, 200, "allowed", route="read-orders", mode="enforce")
    assert event["src_endpoint"]["ip"] == "127.0.0.1"
    assert event["http_request"]["http_method"] == "GET"
    # No query string unless asked for.
    assert "secret" not in str(event)


def test_the_source_is_the_connection_and_not_what_a_header_says(gate):
    reply = refused(gate, headers=[("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "203.0.113.9")])
    assert gate.envoy.audit.one(reply.request_id)["src_endpoint"]["ip"] == "127.0.0.1"


def test_an_unknown_route_has_no_route_in_its_event(gate, keys):
    reply = refused(gate, path="/nowhere", token=keys.token())
    event = gate.check(reply, 403, "route_unknown")
    assert "route" not in event["unmapped"]


def test_a_host_with_a_port_is_another(gate):
    reply = Client(gate.client.port, host="API.example").request("GET", "/v1/orders/1")
    gate.check(reply, 401, "credential_missing", route="read-orders")
    reply = Client(gate.client.port, host=f"api.example:{gate.client.port}").request("GET", "/v1/orders/1")
    gate.check(reply, 403, "route_unknown")

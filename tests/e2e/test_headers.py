"""What the upstream sees of a caller's headers: its identity from Postern, and nothing forged."""

import policies
import pytest
from lab.gate import Gate, changed

FORGED = [
    ("x-postern-identity", "ceo"),
    ("X-Postern-Client", "ceo"),
    ("X-POSTERN-SCOPES", "everything"),
    ("x-postern-risk", "0"),
    ("x-postern-anything-else", "1"),
    ("x-postern-", "empty suffix"),
    ("x_postern_identity", "ceo"),
    ("X_Postern_Client", "ceo"),
    ("x-postern_scopes", "everything"),
    ("x-postern-identity", "a second one"),
    ("x-tenant", "globex"),
    ("X-Tenant", "globex again"),
    ("x_tenant", "globex in disguise"),
]
ROUTES = {
    "/any/thing": ("enforced", 200),
    "/public/thing": ("public", 200),
    "/observed/thing": ("observed", 200),
}


def identity(reply) -> dict[str, list[str]]:
    """What the upstream saw under any spelling of Postern's names."""
    found = {}
    for name, value in reply.json["headers"]:
        spelled = name.lower().replace("_", "-")
        if spelled.startswith("x-postern-") or spelled == "x-tenant":
            found.setdefault(name.lower(), []).append(value)
    return found


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("sent", ["nothing", "good", "bad"])
def test_forged_identity_headers_never_reach_the_upstream(gate, keys, path, sent):
    token = {"nothing": None, "good": keys.token(), "bad": keys.token(exp=1)}[sent]
    reply = gate.client.request("GET", path, token=token, headers=FORGED)
    if reply.status != 200:
        assert path == "/any/thing" and sent != "good"
        return
    seen = identity(reply)
    assert not any(
        forged in value
        for values in seen.values()
        for value in values
        for forged in ("ceo", "everything", "globex", "second", "empty suffix")
    ), seen
    assert "x-postern-anything-else" not in seen
    assert all(len(values) == 1 for values in seen.values()), seen


def test_an_allowed_request_carries_the_identity_that_was_proven(gate, keys):
    reply = gate.client.request("GET", "/any/thing", token=keys.token(), headers=FORGED)
    seen = identity(reply)
    assert seen["x-postern-client"] == ["corp/billing-batch"]
    assert seen["x-postern-scopes"] == [policies.SCOPES]
    assert "robot-7" in seen["x-postern-identity"][0]
    assert seen["x-tenant"] == ["acme"]


def test_a_claim_that_the_token_lacks_leaves_no_header(gate, keys):
    reply = gate.client.request("GET", "/any/thing", token=keys.token(tenant=None), headers=[("x-tenant", "globex")])
    gate.check(reply, 200, "allowed")
    assert reply.seen("x-tenant") == []


@pytest.mark.parametrize("value", ["acme\r\nx-injected: 1", "acme\x00", "acmé", 7, True, ["a", "b"], {"a": 1}])
def test_a_claim_of_any_kind_can_forge_no_further_header(gate, keys, unharmed, value):
    reply = gate.client.request("GET", "/any/thing", token=keys.token(tenant={"name": value}))
    assert gate.envoy.audit.one(reply.request_id)["status_detail"]
    if reply.status == 200:
        assert reply.seen("x-injected") == []
        assert all("\n" not in text and "\r" not in text for text in reply.seen("x-tenant"))


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("sent", ["good", "bad"])
def test_a_credential_stays_at_the_gate_where_it_was_taken(gate, keys, path, sent):
    token = keys.token() if sent == "good" else keys.token(exp=1)
    reply = gate.client.request("GET", path, token=token)
    if reply.status != 200:
        assert path == "/any/thing" and sent == "bad"
        return
    # A refused request on an observed route passes as it came: the upstream decided before
    # Postern did, and goes on to.
    kept = path == "/observed/thing"
    assert reply.seen("authorization") == ([f"Bearer {token}"] if kept else [])


@pytest.fixture(scope="module")
def forwarding(upstream, keys, tmp_path_factory):
    policy = policies.main(keys, forward=True)
    with Gate.open(policy, upstream, tmp_path_factory.mktemp("forwarding")) as opened:
        yield opened


def test_the_credential_is_kept_where_its_issuer_says_so(forwarding, keys):
    token = keys.token()
    reply = forwarding.client.request("GET", "/any/thing", token=token)
    forwarding.check(reply, 200, "allowed")
    assert reply.seen("authorization") == [f"Bearer {token}"]
    # Another issuer of the same policy did not say so.
    reply = forwarding.client.request("GET", "/any/thing", token=keys.token("HS256"))
    forwarding.check(reply, 200, "allowed")
    assert reply.seen("authorization") == []


def test_a_public_route_keeps_a_credential_where_some_issuer_says_so(forwarding, keys):
    token = keys.token()
    assert forwarding.client.request("GET", "/public/x", token=token).seen("authorization") == [f"Bearer {token}"]


def test_the_credential_may_come_in_another_header(upstream, keys, tmp_path):
    policy = changed(policies.main(keys), tokens={"header": "x-token", "scheme": "Token"})
    with Gate.open(policy, upstream, tmp_path) as opened:
        token = keys.token()
        reply = opened.client.request("GET", "/any/thing", headers=[("x-token", f"Token {token}")])
        opened.check(reply, 200, "allowed")
        assert reply.seen("x-token") == []
        opened.check(opened.client.request("GET", "/any/thing", token=token), 401, "credential_missing")


def test_other_headers_pass_untouched(gate, keys):
    headers = [("x-posternal", "mine"), ("x-other", "\xe9".encode("latin-1")), ("x-twice", "1"), ("x-twice", "2")]
    reply = gate.client.request("GET", "/any/thing", token=keys.token(), headers=headers)
    assert reply.seen("x-posternal") == ["mine"]
    assert reply.seen("x-other") == ["\xe9"]
    assert reply.seen("x-twice") in (["1", "2"], ["1,2"])


def test_what_the_record_has_of_a_request_is_printable_and_without_what_may_be_secret(gate, keys):
    agent = "a\u2028{}\u202e\u200b\u0085z".encode()
    long = f"/any/{'x' * 2000}/the-end"
    cases = [
        ("/any/x;access_token=secret/y;z=secret?q=secret", "/any/x;/y;", None),
        (long, f"{long[:640]}…{long[-384:]}", len(long)),
    ]
    for path, shown, length in cases:
        reply = gate.client.request("GET", path, token=keys.token(), headers=[(b"user-agent", agent)])
        event = gate.envoy.audit.one(reply.request_id)
        assert event["http_request"]["url"]["path"] == shown
        assert event["unmapped"].get("path_bytes") == length
        assert event["http_request"]["user_agent"] == "a%E2%80%A8{}%E2%80%AE%E2%80%8B%C2%85z"
        assert "secret" not in str(event)


def test_names_of_callers_are_written_so_that_none_is_taken_for_another(gate, keys):
    cases = [
        ({"sub": "client:billing"}, "corp/client%3Abilling", "corp/billing-batch"),
        ({"sub": None, "client_id": "billing"}, "corp/client:billing", "corp/billing"),
        ({"sub": "CN=a,O=b", "client_id": "a,b"}, "corp/CN=a%2CO=b", "corp/a%2Cb"),
        ({"sub": "robot\u200b\u202e-7"}, "corp/robot%E2%80%8B%E2%80%AE-7", "corp/billing-batch"),
        ({"sub": "repo:o/r:ref:refs/heads/main"}, "corp/repo:o/r:ref:refs/heads/main", "corp/billing-batch"),
    ]
    for claims, identity, client in cases:
        reply = gate.client.request("GET", "/any/x", token=keys.token(**claims))
        event = gate.check(reply, 200, "allowed", client=client)
        assert (reply.seen("x-postern-identity"), reply.seen("x-postern-client")) == ([identity], [client])
        assert event["actor"]["user"]["uid"] == identity

"""Governed clients on a real Envoy: who is registered, for how long, from where and for what."""

import threading
import time
from datetime import datetime, timedelta, timezone

import fetched
import policies
import pytest
import spiffe_lab
from lab import clock
from lab.client import Client
from lab.gate import Gate
from spiffe_lab import READER, spiffe



def day(offset: int) -> str:
    return str(datetime.now(timezone.utc).date() + timedelta(days=offset))


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    return spiffe_lab.Domains(tmp_path_factory.mktemp("pki"))


def registered(name: str, **members) -> dict:
    match = members.pop("match", {"issuer": "corp", "client": name})
    return {"name": name, "match": match, "owner": f"{name}@corp.example", "purpose": "a test", **members}


def clients() -> list[dict]:
    """As of today, which may not be the day on which this file was read."""
    return [
        registered("billing-batch"),
        registered("by-subject", match={"issuer": "corp", "subject": "robot-9"}),
        registered("reader", match={"spiffe": "spiffe://prod.example/ns/*/sa/reader"}),
        registered("suspended", state="suspended"),
        registered("expired", expires=day(-1)),
        registered("last-day", expires=day(0)),
        registered("soon", expires=day(30)),
        registered("later", expires=day(31)),
        registered("near", sources=["127.0.0.2/32"]),
        registered("purposeful", purposes=["invoicing", "reporting"]),
        registered("bound", proof="mtls"),
    ]


def governed(domains, keys, **changes) -> dict:
    policy = domains.policy(keys)
    policy["routes"] += [
        {"name": "counted", "match": {"path": "/counted/{rest*}"}, "limits": ["per-client"]},
        {"name": "batch-only", "match": {"path": "/batch/{rest*}"}, "allow": {"clients": ["reader", "billing-batch"]}},
        {"name": "mtls", "match": {"path": "/mtls/{rest*}"}, "proof": "mtls"},
    ]
    policy["limits"] = [{"name": "per-client", "key": ["client"], "rate": "3/1h"}]
    policy["audit"] = {"purpose_header": "x-request-purpose"}
    return {**policy, "clients": clients(), **changes}


@pytest.fixture(scope="module")
def office(domains, keys, upstream, tmp_path_factory):
    clock.stay_in_one_day(300)
    with Gate.open(governed(domains, keys), upstream, tmp_path_factory.mktemp("office"), concurrency=4) as opened:
        yield opened


def ask(gate: Gate, keys: policies.Keys, client: str | None, path: str = "/any/x", *, by=None, headers=(), **claims):
    token = keys.token(client_id=client, **claims)
    return (by or gate.client).request("GET", path, token=token, headers=dict(headers))


def test_a_caller_is_who_it_is_registered_as(office, domains, keys):
    cases = [
        (keys.token(), "billing-batch", "corp/robot-7"),
        (keys.token(sub="robot-9"), "by-subject", "corp/robot-9"),
        (keys.token(sub="robot-9", client_id=None), "by-subject", "corp/robot-9"),
        (domains.token(), "reader", spiffe()),
    ]
    for token, client, identity in cases:
        reply = office.client.request("GET", "/any/x", token=token)
        event = office.check(reply, 200, "allowed", client=client)
        assert reply.seen("x-postern-client") == [client]
        assert reply.seen("x-postern-identity") == [identity]
        assert event["unmapped"]["registration"] == {"owner": f"{client}@corp.example", "purpose": "a test"}
        assert event["actor"]["app_uid"] == client


def test_who_is_not_registered_is_refused(office, domains, keys):
    office.check(ask(office, keys, "nobody"), 403, "client_unregistered", registration=None)
    office.check(ask(office, keys, None), 403, "client_unregistered")
    token = domains.token("/ns/shop/sa/writer")
    reply = office.client.request("GET", "/any/x", token=token)
    office.check(reply, 403, "client_unregistered")
    assert 'error="insufficient_scope"' not in (reply.header("www-authenticate") or "")
    # A bad token is refused for what it is, before anybody asks whose it is.
    office.check(ask(office, keys, "nobody", exp=1), 401, "token_expired")
    office.check(office.client.request("GET", "/public/x"), 200, "allowed")


def test_a_registration_that_is_suspended_or_over_lets_nobody_in(office, keys):
    office.check(ask(office, keys, "suspended"), 403, "client_suspended")
    office.check(ask(office, keys, "expired"), 403, "client_expired")
    for client, left in (("last-day", 0), ("soon", 30), ("later", 31)):
        event = office.check(ask(office, keys, client), 200, "allowed")
        # The day may end while this runs.
        assert event["unmapped"]["registration"]["days_left"] in (left, left - 1), event


def test_a_client_calls_from_its_own_networks_alone(office, keys):
    here, there = (Client(office.client.port, source=address) for address in ("127.0.0.2", "127.0.0.3"))
    office.check(ask(office, keys, "near", by=here), 200, "allowed")
    office.check(ask(office, keys, "near", by=there), 403, "source_not_allowed")
    forged = {"x-forwarded-for": "127.0.0.2"}
    office.check(ask(office, keys, "near", by=there, headers=forged), 403, "source_not_allowed")


def test_a_declared_purpose_is_one_of_the_clients_own(office, keys):
    for purpose, status, reason in [
        ("invoicing", 200, "allowed"),
        ("reporting", 200, "allowed"),
        ("Invoicing", 403, "context_denied"),
        ("scraping", 403, "context_denied"),
        (None, 403, "context_denied"),
    ]:
        headers = {"x-request-purpose": purpose} if purpose else {}
        event = office.check(ask(office, keys, "purposeful", headers=headers), status, reason)
        assert event["unmapped"].get("purpose") == purpose
    office.check(ask(office, keys, "billing-batch", headers={"x-request-purpose": "anything"}), 200, "allowed")
    # Said twice it is not said.
    twice = [("x-request-purpose", "invoicing"), ("x-request-purpose", "reporting")]
    token = keys.token(client_id="purposeful")
    office.check(office.client.request("GET", "/any/x", token=token, headers=twice), 403, "context_denied")


def test_routes_are_for_clients_by_name(office, domains, keys):
    office.check(ask(office, keys, "billing-batch", "/batch/x"), 200, "allowed")
    office.check(office.client.request("GET", "/batch/x", token=domains.token()), 200, "allowed")
    office.check(ask(office, keys, "soon", "/batch/x"), 403, "not_allowed")


def test_tokens_of_a_client_or_a_route_must_be_bound(office, domains, keys, upstream, tmp_path):
    office.check(ask(office, keys, "bound"), 401, "proof_missing")
    office.check(ask(office, keys, "billing-batch", "/mtls/x"), 401, "proof_missing")
    office.check(office.client.request("GET", "/mtls/x", token=domains.token()), 401, "proof_missing")
    certificate = domains.prod.workload(READER)
    bound = {"cnf": {"x5t#S256": spiffe_lab.thumbprint(certificate)}}
    tls = spiffe_lab.mutual_tls(domains)
    with Gate.open(governed(domains, keys), upstream, tmp_path, tweak=tls) as gate:
        client = spiffe_lab.caller(gate, certificate)
        gate.check(ask(gate, keys, "bound", by=client, **bound), 200, "allowed")
        gate.check(ask(gate, keys, "billing-batch", "/mtls/x", by=client, **bound), 200, "allowed")
        gate.check(ask(gate, keys, "bound", by=client), 401, "proof_missing")
        # A certificate is its own proof.
        gate.check(client.request("GET", "/mtls/x"), 200, "allowed", client="reader")
        stranger = spiffe_lab.caller(gate, domains.prod.workload(READER))
        gate.check(ask(gate, keys, "bound", by=stranger, **bound), 401, "proof_invalid")


def test_a_limit_counts_a_registered_client_once(office, keys):
    """By its subject or its client id, with whatever token: it is one client."""
    answers = [ask(office, keys, f"app-{number}", "/counted/x", sub="robot-9").status for number in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert ask(office, keys, "billing-batch", "/counted/x").status == 200


def test_an_end_that_is_near_is_warned_of_once_a_day(domains, keys, upstream, tmp_path):
    clock.stay_in_one_day(300)
    with Gate.open(governed(domains, keys), upstream, tmp_path, concurrency=4) as gate:

        def many():
            for _ in range(10):
                for client in ("soon", "later", "last-day", "billing-batch"):
                    ask(gate, keys, client)

        threads = [threading.Thread(target=many) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        def warnings() -> list[str]:
            return [line for line in gate.envoy.log().splitlines() if "the registration of" in line]

        assert fetched.eventually(lambda: len(warnings()) >= 2), warnings()
        time.sleep(0.2)
        lines = warnings()
        assert len(lines) == 2, lines
        assert f'"soon" (owner soon@corp.example) ends in 30 days, with {day(30)}' in "".join(lines)
        assert f'"last-day" (owner last-day@corp.example) ends in 0 days, with {day(0)}' in "".join(lines)
        assert len([count for count in gate.envoy.worker_connections().values() if count]) == 4


def test_unregistered_callers_are_let_in_where_that_is_said(domains, keys, upstream, tmp_path):
    policy = governed(domains, keys, unregistered_clients="allow")
    with Gate.open(policy, upstream, tmp_path) as gate:
        reply = ask(gate, keys, "nobody")
        gate.check(reply, 200, "allowed", client="corp/nobody", registration=None)
        assert reply.seen("x-postern-client") == ["corp/nobody"]
        gate.check(ask(gate, keys, "suspended"), 403, "client_suspended")
        gate.check(ask(gate, keys, "nobody", "/batch/x"), 403, "not_allowed")
        # Another issuer's client of a registered one's name is not that client, nor called so.
        token = keys.token("HS256", client_id="billing-batch")
        reply = gate.client.request("GET", "/any/x", token=token)
        gate.check(reply, 200, "allowed", client="shared/billing-batch", registration=None)
        assert reply.seen("x-postern-client") == ["shared/billing-batch"]
        gate.check(gate.client.request("GET", "/batch/x", token=token), 403, "not_allowed")


def test_a_hundred_thousand_clients_are_taken_and_told_apart(domains, keys, upstream, tmp_path):
    many = [registered(f"client-{number}") for number in range(100_000)]
    policy = governed(domains, keys, clients=clients() + many)
    with Gate.open(policy, upstream, tmp_path, concurrency=2) as gate:
        for number in (0, 4711, 99_999):
            gate.check(ask(gate, keys, f"client-{number}"), 200, "allowed", client=f"client-{number}")
        gate.check(ask(gate, keys, "client-100000"), 403, "client_unregistered")
        assert gate.envoy.failures() == []

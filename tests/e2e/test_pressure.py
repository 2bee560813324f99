"""Sources that keep failing to authenticate are turned away before any signature is checked."""

import time

import policies
import pytest
from lab.gate import Gate, changed
from lab.issuer import flipped

FIVE = {"rate": "6/1m", "burst": 5}


@pytest.fixture
def opened(upstream, keys, tmp_path):
    """Opens gates for a test, and ends them after it."""
    gates = []

    def open_one(**source):
        policy = changed(policies.main(keys), source=source)
        directory = tmp_path / str(len(gates))
        directory.mkdir()
        gates.append(Gate.open(policy, upstream, directory, concurrency=4))
        return gates[-1].__enter__()

    yield open_one
    for gate in gates:
        gate.__exit__(None, None, None)


def ask(gate, token, path="/any/x", **more):
    return gate.client.request("GET", path, token=token, **more)


def test_failures_are_counted_across_workers_and_then_nothing_is_verified(opened, keys):
    gate = opened(pressure=FIVE)
    forged = flipped(keys.token())
    held = [gate.client.connection() for _ in range(8)]
    for connection in held:
        connection.connect()
    begin = time.time()
    replies = [ask(gate, forged, on=held[number % 8]) for number in range(60)]
    earned = int((time.time() - begin) / 10)
    reasons = [reply.reason for reply in replies]
    failed = reasons.count("signature_invalid")
    assert 5 <= failed <= 5 + earned and reasons.count("source_throttled") == 60 - failed
    assert reasons[:5] == ["signature_invalid"] * 5
    last = replies[-1]
    gate.check(last, 429, "source_throttled")
    assert 0 < int(last.header("retry-after")) <= 10
    # A token that nobody has verified yet is not verified for this source, on no worker.
    for connection in held:
        gate.check(ask(gate, keys.token(jti=str(time.time())), on=connection), 429, "source_throttled")
        connection.close()
    gate.check(ask(gate, None, "/public/x"), 200, "allowed")
    assert len([used for used in gate.envoy.worker_connections().values() if used]) == 4
    assert gate.envoy.stats("wasmcustom.postern.limits.source_throttled").popitem()[1] > 50
    assert gate.envoy.failures() == []


def test_it_is_let_in_again_when_it_was_told(opened, keys):
    gate = opened(pressure={"rate": "1/2s", "burst": 1})
    assert ask(gate, "nonsense").reason == "credential_malformed"
    refused = ask(gate, "nonsense")
    gate.check(refused, 429, "source_throttled")
    time.sleep(refused.json["retry_after_ms"] / 1000)
    gate.check(ask(gate, keys.token()), 200, "allowed")


def test_no_credential_and_too_little_scope_are_no_failures(opened, keys):
    gate = opened(pressure=FIVE)
    for _ in range(12):
        gate.check(ask(gate, None), 401, "credential_missing")
        gate.check(ask(gate, keys.token(), "/closed"), 403, "scope_missing")


@pytest.mark.parametrize("trust", ["hops", "networks", "nobody"])
def test_a_forged_forwarding_field_gains_nothing(opened, trust):
    """Envoy adds its peer's address to the field, and its own in place of a loopback address."""
    own = opened(trusted_hops=1)
    own = own.envoy.audit.one(ask(own, None).request_id)["src_endpoint"]["ip"]
    trusted = {"hops": {"trusted_hops": 2}, "networks": {"trusted_cidrs": ["127.0.0.0/8", own]}, "nobody": {}}[trust]
    gate = opened(pressure=FIVE, **trusted)

    def fail(number: int, caller: str):
        return ask(gate, "nonsense", headers={"x-forwarded-for": f"198.51.100.{number}, {caller}"})

    for number in range(5):
        gate.check(fail(number, "203.0.113.1"), 401, "credential_malformed")
    event = gate.check(fail(9, "203.0.113.1"), 429, "source_throttled")
    assert event["src_endpoint"]["ip"] == ("203.0.113.1" if trusted else "127.0.0.1")
    other = fail(10, "203.0.113.2")
    gate.check(other, *((401, "credential_malformed") if trusted else (429, "source_throttled")))

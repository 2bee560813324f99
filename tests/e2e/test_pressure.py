"""Sources that keep failing to authenticate are turned away before any signature is checked."""

import copy
import http.client
import socket
import time

import policies
import pytest
from lab import envoy
from lab.flood import flood
from lab.gate import Gate, changed
from lab.issuer import flipped

FIVE = {"rate": "5/1h", "burst": 5}
"""None is earned again while a test runs, however long that takes."""


@pytest.fixture
def opened(opened, keys):
    """Opens gates with that `source` section for a test."""

    def open_one(tweak=None, **source):
        return opened(changed(policies.main(keys), source=source), tweak=tweak)

    return open_one


def ask(gate, token, path="/any/x", **more):
    return gate.client.request("GET", path, token=token, **more)


def test_failures_are_counted_across_workers_and_then_nothing_is_verified(opened, keys):
    gate = opened(pressure=FIVE)
    forged = flipped(keys.token())
    held = [gate.client.connection() for _ in range(8)]
    for connection in held:
        connection.connect()
    replies = [ask(gate, forged, on=held[number % 8]) for number in range(60)]
    reasons = [reply.reason for reply in replies]
    assert reasons == ["signature_invalid"] * 5 + ["source_throttled"] * 55
    last = replies[-1]
    gate.check(last, 429, "source_throttled")
    assert 0 < int(last.header("retry-after")) <= 720
    # A token that nobody has verified yet is not verified for this source, on no worker.
    for connection in held:
        gate.check(ask(gate, keys.token(jti=str(time.time())), on=connection), 429, "source_throttled")
        connection.close()
    gate.check(ask(gate, None, "/public/x"), 200, "allowed")
    assert len([used for used in gate.envoy.worker_connections().values() if used]) == 4
    assert gate.envoy.stats("wasmcustom.postern.limits.source_throttled").popitem()[1] > 50
    assert gate.envoy.failures() == []


def test_a_flood_of_forged_tokens_has_no_more_failures_than_the_burst_and_what_it_earned(opened, keys):
    """6,000 requests on 32 connections: a failure is earned in a second, and 20 are there at first.

    Within s seconds, from before the first request to after the last answer, at most 20 + s exist.
    """
    gate = opened(pressure={"rate": "60/1m", "burst": 20})
    result = flood(gate.client.port, flipped(keys.token()), "/any/x", 6_000)
    failed = result["reasons"]["signature_invalid"]
    print(f"{failed} failures in {result['end'] - result['begin']:.2f} s")
    assert result["reasons"] == {"signature_invalid": failed, "source_throttled": 6_000 - failed}
    assert 20 <= failed <= 20 + result["end"] - result["begin"]
    assert gate.envoy.failures() == []


def test_it_is_let_in_again_when_it_was_told(opened, keys):
    gate = opened(pressure={"rate": "1/2s", "burst": 1})
    # Where two seconds pass between them, another one may be let in first.
    refused = ask(gate, "nonsense")
    assert refused.reason == "credential_malformed"
    while refused.reason == "credential_malformed":
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


def keep_field(config: dict) -> None:
    """Leaves the forwarding field as the trusted proxy wrote it."""
    envoy.hcm(envoy.gate(config))["skip_xff_append"] = True


@pytest.mark.parametrize("trust", [{"trusted_hops": 1}, {"trusted_cidrs": ["127.0.0.0/8", "10.0.0.0/8"]}])
def test_behind_a_trusted_proxy_each_caller_answers_for_itself(opened, keys, trust):
    gate = opened(keep_field, pressure={"rate": "5/1h", "burst": 5}, **trust)

    def reason(field: str, token="nonsense"):
        return ask(gate, token, headers={"x-forwarded-for": field}).reason

    failed, throttled = ["credential_malformed"] * 5, "source_throttled"
    # What stands before the proxy's own word changes with each request, and the caller does not.
    assert [reason(f"198.51.100.{number}, 203.0.113.1") for number in range(5)] == failed
    assert reason("198.51.100.77, 203.0.113.1") == reason("203.0.113.1", keys.token()) == throttled
    assert reason("203.0.113.1, 203.0.113.2") == "credential_malformed"
    assert reason("203.0.113.2", keys.token()) == "allowed"
    # A caller of IPv6 has a whole /64 to call from.
    assert [reason(f"2001:db8:0:7::{number}") for number in range(5)] == failed
    assert reason("2001:db8:0:7:ffff::", keys.token()) == throttled
    assert reason("2001:db8:0:8::", keys.token()) == "allowed"


def test_without_trust_each_connection_answers_for_its_own_address(opened, keys):
    gate = opened(pressure={"rate": "5/1h", "burst": 5})

    def reason(own: str, token="nonsense", **headers):
        on = http.client.HTTPConnection("127.0.0.1", gate.client.port, timeout=10, source_address=(own, 0))
        try:
            return ask(gate, token, on=on, headers=headers).reason
        finally:
            on.close()

    for number in range(5):
        assert reason("127.0.0.2", **{"x-forwarded-for": f"203.0.113.{number}"}) == "credential_malformed"
    assert reason("127.0.0.2", keys.token(), **{"x-forwarded-for": "127.0.0.3"}) == "source_throttled"
    assert reason("127.0.0.3", keys.token(), **{"x-forwarded-for": "127.0.0.2"}) == "allowed"


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_pressure_that_is_observed_or_off_throttles_nobody(opened, keys, mode):
    pressure = {"mode": mode} if mode == "off" else {**FIVE, "mode": mode}
    gate = opened(pressure=pressure)
    reasons = {ask(gate, "nonsense").reason for _ in range(12)}
    assert "source_throttled" not in reasons
    gate.check(ask(gate, keys.token()), 200, "allowed")


class Piped(http.client.HTTPConnection):
    """A connection to a listener on a pipe."""

    def __init__(self, path):
        super().__init__("localhost", timeout=15)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def test_on_a_pipe_all_share_one_budget_that_shuts_nobody_out(opened, keys, tmp_path_factory):
    """A listener on a pipe has no addresses: forged tokens are held back, known and some new ones pass."""
    path = tmp_path_factory.mktemp("pipe") / "gate.sock"

    def piped(config: dict) -> None:
        listener = copy.deepcopy(envoy.gate(config))
        listener.pop("connection_balance_config", None)
        listener |= {"name": "pipe", "address": {"pipe": {"path": str(path)}}}
        config["static_resources"]["listeners"].append(listener)

    gate = opened(tweak=piped, pressure=FIVE)
    connection = Piped(path)
    known = keys.token(jti="known")
    gate.check(ask(gate, known, on=connection), 200, "allowed")
    forged = [flipped(keys.token(jti=f"forged-{number}")) for number in range(200)]
    reasons = [ask(gate, token, on=connection).reason for token in forged]
    assert reasons[:5] == ["signature_invalid"] * 5
    assert reasons.count("source_throttled") > 150, reasons
    gate.check(ask(gate, known, on=connection), 200, "allowed")
    time.sleep(1.1)
    gate.check(ask(gate, keys.token(jti="new"), on=connection), 200, "allowed")
    connection.close()
    # Whoever has an address has a budget of its own.
    gate.check(ask(gate, flipped(known)), 401, "signature_invalid")
    lines = [line for line in gate.envoy.log().splitlines() if "does not say where a request comes from" in line]
    assert 1 <= len(lines) <= 4, lines
    assert gate.envoy.failures() == []

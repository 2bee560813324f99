"""Limits on a real Envoy: exact across workers, bounded in memory, and told to the caller."""

import copy
import os
import re
import time

import policies
import pytest
from lab import envoy
from lab.client import Client
from lab.flood import flood
from lab.gate import Gate, changed

WORKERS = 4
ROUTE = {"name": "limited", "match": {"path": "/limited/{rest*}"}}


def policy(keys, *limits: dict, **members) -> dict:
    """The usual policy with a route for these limits, and more sections."""
    whole = changed(policies.main(keys), limits=list(limits), **members)
    whole["routes"].append({**ROUTE, "limits": [limit["name"] for limit in limits]})
    return whole


def per_client(**members) -> dict:
    return {"name": "per-client", "key": ["client"], "rate": "6/1m", "burst": 3, **members}


def direct(config: dict) -> None:
    """Lets Envoy answer by itself what the gate lets through, which is faster than the upstream."""
    for host in envoy.hcm(envoy.gate(config))["route_config"]["virtual_hosts"]:
        host["routes"] = [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}]


@pytest.fixture
def opened(upstream, keys, tmp_path):
    """Opens gates for a test, and ends them after it."""
    gates = []

    def open_one(*limits, tweak=None, concurrency=WORKERS, **members):
        whole = policy(keys, *limits, **members)
        gates.append(Gate.open(whole, upstream, tmp_path / str(len(gates)), tweak=tweak, concurrency=concurrency))
        (tmp_path / str(len(gates) - 1)).mkdir()
        return gates[-1].__enter__()

    yield open_one
    for gate in gates:
        gate.__exit__(None, None, None)


def test_a_limit_is_exact_across_four_workers_and_32_connections(opened, keys):
    """1,000 in 10 s is one unit in 10 ms and a burst of 1,000.

    Between the instant before the first request and the one after the last answer, s seconds, at
    most 1,000 + 100 s units exist, and not one request more may pass. Between the first answer and
    the last, t seconds, requests never cease, so that no fewer than 1,000 + 100 t pass, less 0.5 %.
    """
    limit = per_client(rate="1000/10s", burst=1000)
    gate = opened(limit, tweak=direct, audit={"log": {"decisions": {"allowed": 0, "denied": 0}}})
    result = flood(gate.client.port, keys.token(), "/limited/x", 20_000, connections=32)
    passed, refused = result["statuses"][200], result["statuses"][429]
    assert passed + refused == sum(result["statuses"].values()) == 20_000
    most = 1000 + (result["end"] - result["begin"]) / 0.01
    least = 0.995 * (1000 + (result["end"] - result["answered"]) / 0.01)
    print(f"passed {passed}, between {least:.1f} and {most:.1f}, in {result['end'] - result['begin']:.3f} s")
    assert least <= passed <= most
    assert len([used for used in gate.envoy.worker_connections().values() if used]) == WORKERS
    assert gate.envoy.stats("wasmcustom.postern.limits.per_worker").popitem()[1] == 0
    assert gate.envoy.failures() == []


def test_a_refused_caller_is_told_when_to_come_back_and_is_let_in_then(opened, keys):
    gate = opened(per_client(rate="1/2s", burst=2))
    token = keys.token()
    ask = lambda: gate.client.request("GET", "/limited/x", token=token)  # noqa: E731
    for _ in range(2):
        gate.check(ask(), 200, "allowed")
    reply = ask()
    event = gate.check(reply, 429, "rate_limited", limit="per-client")
    at = time.time()
    assert event["unmapped"]["limit"] == "per-client"
    assert reply.header("ratelimit-policy") == '"per-client";q=1;w=2'
    assert re.fullmatch(r'"per-client";r=0;t=[34]', reply.header("ratelimit"))
    wait = reply.json["retry_after_ms"]
    assert 0 < wait <= 2000 and int(reply.header("retry-after")) == -(-wait // 1000)
    assert reply.json["type"].endswith("#quota-exceeded")
    time.sleep(max(0, at + wait / 1000 - 0.2 - time.time()))
    gate.check(ask(), 429, "rate_limited")
    time.sleep(max(0, at + wait / 1000 - time.time()))
    gate.check(ask(), 200, "allowed")


def test_a_quota_and_grpc_and_fields_on_allowed_responses(opened, keys):
    responses = {**policies.main(keys)["responses"], "rate_fields": True}
    limit = {"name": "daily", "key": ["identity"], "quota": "2/1d"}
    gate = opened(limit, responses=responses)
    token = keys.token()
    for left in (1, 0):
        reply = gate.client.request("GET", "/limited/x", token=token)
        gate.check(reply, 200, "allowed")
        assert reply.header("ratelimit").startswith(f'"daily";r={left};t=')
        assert reply.header("ratelimit-policy") == '"daily";q=2;w=86400'
    reply = gate.client.request("GET", "/limited/x", token=token)
    gate.check(reply, 429, "quota_exceeded")
    assert len(reply.all("ratelimit")) == 1, "a refusal carries the fields once"
    assert abs(int(reply.header("retry-after")) - (86400 - time.time() % 86400)) < 5
    answer = gate.client.grpc(method="/limited/x", metadata=[("authorization", f"Bearer {token}")])
    assert answer.code == 8 and "retry-after" in dict(answer.metadata)
    free = opened(limit)
    assert free.client.request("GET", "/limited/x", token=token).header("ratelimit") is None


def test_costs_are_read_from_the_query_and_from_the_response(opened, keys):
    rows = {"name": "rows", "key": ["client"], "rate": "10/1h", "cost": {"query": "limit", "per": 50}}
    gate = opened(rows)
    token = keys.token()
    for path, status, reason in [
        ("/limited/x?limit=351", 200, "allowed"),
        ("/limited/x?limit=120", 429, "rate_limited"),
        ("/limited/x?limit=100", 200, "allowed"),
        ("/limited/x", 429, "rate_limited"),
        ("/limited/x?limit=many", 403, "context_denied"),
    ]:
        gate.check(gate.client.request("GET", path, token=token), status, reason)
    # The upstream answers with what it saw: far more than four units of sixteen bytes.
    volume = {"name": "volume", "key": ["client"], "rate": "4/1h", "cost": {"response_bytes": 16}}
    gate = opened(volume)
    gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    gate.check(gate.client.request("GET", "/limited/x", token=token), 429, "rate_limited")


def test_several_limits_and_limits_that_are_observed(opened, keys):
    wide = {"name": "wide", "key": ["client"], "quota": "100/1d"}
    narrow = {"name": "narrow", "key": ["client"], "quota": "1/1d"}
    gate = opened(wide, narrow)
    token = keys.token()
    gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    for _ in range(20):
        reply = gate.client.request("GET", "/limited/x", token=token)
        gate.check(reply, 429, "quota_exceeded", limit="narrow")
        assert reply.header("ratelimit").startswith('"wide";r=99;'), "none was charged"
    gate = opened(wide, {**narrow, "mode": "observe"})
    for number in range(3):
        reply = gate.client.request("GET", "/limited/x", token=token)
        gate.check(reply, 200, "allowed", limits_observed=["narrow"] if number else None)


def test_counts_survive_an_update_of_the_configuration(upstream, keys, tmp_path):
    limit = {"name": "daily", "key": ["client"], "quota": "3/1d"}
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policy(keys, limit), http=upstream.http, grpc=upstream.grpc, port=port)
        good = copy.deepcopy(envoy.gate(config))
        dynamic = envoy.DynamicListeners(config, tmp_path)
        with Gate.running(config, tmp_path, concurrency=2) as gate:
            token, ask = keys.token(), Client(port).request
            for _ in range(2):
                gate.check(ask("GET", "/limited/x", token=token), 200, "allowed")
            other = policy(keys, limit, {"name": "more", "key": ["client"], "rate": "100/1s"}, mode="enforce")
            changed_listener = copy.deepcopy(good)
            envoy.set_policy(changed_listener, other)
            dynamic.listeners = [changed_listener]
            assert dynamic.push(gate.envoy)
            gate.check(ask("GET", "/limited/x", token=token), 200, "allowed")
            gate.check(ask("GET", "/limited/x", token=token), 429, "quota_exceeded")


def resident(gate) -> int:
    """The proxy's resident memory in KiB."""
    status = open(f"/proc/{gate.envoy.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def test_a_million_callers_take_no_more_memory_than_a_hundred_thousand(opened, keys):
    """Each request counts for another key; POSTERN_MILLION=1 sends the whole million.

    65,536 counters of 200 units hold far more than a million requests take, so that hardly anybody
    is refused for want of a counter; nobody has more than 200 in any case.
    """
    callers = 1_000_000 if os.environ.get("POSTERN_MILLION") else 200_000
    each = {"name": "each", "key": ["client", "header:x-number"], "quota": "200/1d"}
    gate = opened(each, tweak=direct, audit={"log": {"decisions": {"allowed": 0, "denied": 0}}})
    token = keys.token()

    def passed(number: str) -> int:
        """How many of 300 requests of one caller pass."""
        on = gate.client.connection()
        ask = gate.client.request
        replies = [ask("GET", "/limited/x", token=token, headers={"x-number": number}, on=on) for _ in range(300)]
        return sum(reply.status == 200 for reply in replies)

    assert passed("early") == 200
    flood(gate.client.port, token, "/limited/x", 100_000)
    before = resident(gate)
    result = flood(gate.client.port, token, "/limited/x", callers - 100_000, first=100_000)
    after = resident(gate)
    print(f"resident {before} KiB after 100,000 callers, {after} KiB after {callers:,}; {dict(result['statuses'])}")
    assert after - before < 2048
    assert result["statuses"][200] == callers - 100_000
    assert passed("early") == 0, "it is still used up"
    late = passed("late")
    print(f"a caller that comes late has {late} of 200")
    assert 150 <= late <= 200
    assert gate.envoy.failures() == []

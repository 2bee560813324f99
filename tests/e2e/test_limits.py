"""Limits on a real Envoy: exact across workers, bounded in memory, and told to the caller."""

import copy
import os
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import policies
import pytest
from lab import clock, envoy
from lab.flood import flood
from lab.gate import Gate, changed

WORKERS = 4
ROUTE = {"name": "limited", "match": {"path": "/limited/{rest*}"}}
QUIET = {"log": {"decisions": {"allowed": 0, "denied": 0}}}


@pytest.fixture(autouse=True)
def one_day():
    """No window turns over in a test: those of quotas end with a day."""
    clock.stay_in_one_day(300)


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


def test_a_limit_is_exact_across_four_workers_and_32_connections(opened, keys):
    """1,000 in 10 s is one unit in 10 ms and a burst of 1,000.

    Between the instant before the first request and the one after the last answer, s seconds, at
    most 1,000 + 100 s units exist, and not one request more may pass. Between the first answer and
    the last, t seconds, requests never cease, so that no fewer than 1,000 + 100 t pass, less 0.5 %.
    """
    limit = per_client(rate="1000/10s", burst=1000)
    gate = opened(policy(keys, limit, audit=QUIET), tweak=direct)
    result = flood(gate.client.port, keys.token(), "/limited/x", 20_000, connections=32)
    passed = result["reasons"]["allowed"]
    assert result["reasons"] == {"allowed": passed, "rate_limited": 20_000 - passed}
    most = 1000 + (result["end"] - result["begin"]) / 0.01
    least = 0.995 * (1000 + (result["end"] - result["answered"]) / 0.01)
    print(f"passed {passed}, between {least:.1f} and {most:.1f}, in {result['end'] - result['begin']:.3f} s")
    assert least <= passed <= most
    assert len([used for used in gate.envoy.worker_connections().values() if used]) == WORKERS
    assert gate.envoy.stats("wasmcustom.postern.limits.per_worker").popitem()[1] == 0
    assert gate.envoy.failures() == []


def test_a_quota_is_exact_for_each_of_several_callers(opened, keys):
    """Sixteen keys in a random order, of 50 units each: 800 of 20,000 pass, no more and no fewer."""
    quota = {"name": "daily", "key": ["claim:tenant.name", "client"], "quota": "50/7d"}
    gate = opened(policy(keys, quota, audit=QUIET), tweak=direct)
    with ThreadPoolExecutor(16) as floods:
        tokens = [keys.token(tenant={"name": f"tenant-{number}"}) for number in range(16)]
        results = list(
            floods.map(lambda token: flood(gate.client.port, token, "/limited/x", 400, connections=4), tokens)
        )
    assert [result["reasons"] for result in results] == [{"allowed": 50, "quota_exceeded": 350}] * 16
    assert gate.envoy.failures() == []


def test_a_refused_caller_is_told_when_to_come_back(opened, keys):
    gate = opened(policy(keys, per_client(rate="1/1h", burst=2)))
    token = keys.token()
    for _ in range(2):
        gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    reply = gate.client.request("GET", "/limited/x", token=token)
    gate.check(reply, 429, "rate_limited", limit="per-client")
    assert reply.header("ratelimit-policy") == '"per-client";q=1;w=3600'
    full = re.fullmatch(r'"per-client";r=0;t=(\d+)', reply.header("ratelimit"))
    assert 3600 < int(full[1]) <= 7200
    wait = reply.json["retry_after_ms"]
    assert 0 < wait <= 3_600_000 and int(reply.header("retry-after")) == -(-wait // 1000)
    assert reply.json["type"].endswith("#quota-exceeded") and reply.json["status"] == 429
    assert reply.header("cache-control") == "no-store"


def test_a_refused_caller_is_let_in_at_the_moment_it_was_told_and_not_before(opened, keys):
    """Asks without a pause: every refusal names one and the same instant, and so does the admission.

    The gate's clock, at a request, is between the instants at which it was sent and answered, and
    `retry_after_ms` is rounded up to a millisecond.
    """
    # Long enough for many refusals on the busiest machine.
    gate = opened(policy(keys, per_client(rate="1/3s", burst=1), audit=QUIET))
    token, on = keys.token(), gate.client.connection()

    def ask():
        sent = time.time()
        reply = gate.client.request("GET", "/limited/x", token=token, on=on)
        return sent, reply, time.time()

    assert ask()[1].status == 200
    earliest, latest, last_refused, refusals = 0.0, float("inf"), 0.0, 0
    while True:
        sent, reply, answered = ask()
        if reply.status == 200:
            break
        assert reply.reason == "rate_limited"
        wait = reply.json["retry_after_ms"] / 1000
        earliest, latest = max(earliest, sent + wait - 0.001), min(latest, answered + wait)
        last_refused, refusals = sent, refusals + 1
    on.close()
    print(f"{refusals} refusals; the instant is known to {(latest - earliest) * 1000:.2f} ms")
    assert refusals > 10
    assert earliest <= latest, "all name one instant"
    assert last_refused <= latest, "none was refused after it"
    assert answered >= earliest, "none was let in before it"


def test_a_quota_and_grpc_and_fields_on_allowed_responses(opened, keys):
    responses = {**policies.main(keys)["responses"], "rate_fields": True}
    limit = {"name": "daily", "key": ["identity"], "quota": "2/1d"}
    gate = opened(policy(keys, limit, responses=responses))
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
    free = opened(policy(keys, limit))
    assert free.client.request("GET", "/limited/x", token=token).header("ratelimit") is None


def test_costs_are_read_from_the_query_and_from_the_response(opened, keys):
    rows = {"name": "rows", "key": ["client"], "rate": "10/1h", "cost": {"query": "limit", "per": 50}}
    gate = opened(policy(keys, rows))
    token = keys.token()
    for path, status, reason in [
        ("/limited/x?limit=351", 200, "allowed"),
        ("/limited/x?limit=120", 429, "rate_limited"),
        ("/limited/x?limit=100", 200, "allowed"),
        ("/limited/x", 429, "rate_limited"),
        ("/limited/x?limit=many", 403, "context_denied"),
        ("/limited/x?limit=-1", 403, "context_denied"),
        ("/limited/x?limit=1&limit=2", 400, "query_ambiguous"),
    ]:
        gate.check(gate.client.request("GET", path, token=token), status, reason)
    never = gate.client.request("GET", "/limited/x?limit=501", token=token)
    gate.check(never, 429, "rate_limited")
    assert never.header("retry-after") is None, "it costs more than there ever is"


def test_a_response_is_charged_for_its_size(opened, keys):
    volume = {"name": "volume", "key": ["client"], "quota": "100/7d", "cost": {"response_bytes": "1KiB"}}
    responses = {**policies.main(keys)["responses"], "rate_fields": True}
    gate = opened(policy(keys, volume, responses=responses))
    token, left = keys.token(), 100
    for size in (40_000, 0, 40_000):
        reply = gate.client.request("GET", f"/limited/x?bytes={size}", token=token)
        gate.check(reply, 200, "allowed")
        assert reply.header("ratelimit").startswith(f'"volume";r={left};'), "as it was before the response"
        left -= -(-len(reply.body) // 1024)
    reply = gate.client.request("GET", "/limited/x?bytes=4000000", token=token)
    assert reply.header("ratelimit").startswith(f'"volume";r={left};') and len(reply.body) > 4_000_000
    # More than there was is charged all the same, to the last unit.
    gate.check(gate.client.request("GET", "/limited/x", token=token), 429, "quota_exceeded")


def test_several_limits_and_limits_that_are_observed(opened, keys):
    wide = {"name": "wide", "key": ["client"], "quota": "100/1d"}
    narrow = {"name": "narrow", "key": ["client"], "quota": "1/1d"}
    gate = opened(policy(keys, wide, narrow))
    token = keys.token()
    gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    for _ in range(20):
        reply = gate.client.request("GET", "/limited/x", token=token)
        gate.check(reply, 429, "quota_exceeded", limit="narrow")
        assert reply.header("ratelimit").startswith('"wide";r=99;'), "none was charged"
    gate = opened(policy(keys, wide, {**narrow, "mode": "observe"}))
    for number in range(3):
        reply = gate.client.request("GET", "/limited/x", token=token)
        gate.check(reply, 200, "allowed", limits_observed=["narrow"] if number else None)


def test_a_route_that_is_observed_lets_through_and_tells_what_its_limit_would_have_done(opened, keys):
    whole = policy(keys, {"name": "daily", "key": ["client"], "quota": "1/7d"})
    whole["routes"][-1]["mode"] = "observe"
    gate = opened(whole)
    token = keys.token()
    gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    gate.observed(gate.client.request("GET", "/limited/x", token=token), "quota_exceeded")


def test_what_a_limit_refuses_is_no_failure_of_the_source(opened, keys):
    source = {"pressure": {"rate": "6/1h", "burst": 3}}
    gate = opened(policy(keys, {"name": "daily", "key": ["client"], "quota": "1/7d"}, source=source))
    token = keys.token()
    gate.check(gate.client.request("GET", "/limited/x", token=token), 200, "allowed")
    for _ in range(10):
        gate.check(gate.client.request("GET", "/limited/x", token=token), 429, "quota_exceeded")
    gate.check(gate.client.request("GET", "/any/x", token=token), 200, "allowed")


@pytest.fixture
def updated(upstream, keys, tmp_path):
    """A gate on four workers with a limit of three, and a way to put another listener in place."""
    limit = {"name": "daily", "key": ["client"], "quota": "3/7d"}
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policy(keys, limit), http=upstream.http, grpc=upstream.grpc, port=port)
        good = copy.deepcopy(envoy.gate(config))
        dynamic = envoy.DynamicListeners(config, tmp_path)

        def push(gate, *limits, tweak=lambda plugin: None, **members):
            listener = copy.deepcopy(good)
            envoy.set_policy(listener, policy(keys, *(limits or [limit]), **members))
            tweak(envoy.plugin(listener))
            dynamic.listeners = [listener]
            assert dynamic.push(gate.envoy)

        with Gate.running(config, tmp_path, concurrency=WORKERS) as gate:
            yield gate, push, limit


def answers(gate, keys, count: int) -> list[str]:
    """The reasons of that many requests with one token, each on another connection."""
    token = keys.token()
    return [gate.client.request("GET", "/limited/x", token=token).reason for _ in range(count)]


def test_counts_survive_an_update_that_does_not_change_the_limit(updated, keys):
    gate, push, limit = updated
    assert answers(gate, keys, 2) == ["allowed"] * 2
    more = {"name": "more", "key": ["client"], "rate": "100/1s"}
    push(gate, more, limit, mode="enforce")
    assert answers(gate, keys, 2) == ["allowed", "quota_exceeded"]
    push(gate, {**limit, "quota": "4/7d"})
    assert answers(gate, keys, 5) == ["allowed"] * 4 + ["quota_exceeded"], "another limit counts anew"
    push(gate)
    assert answers(gate, keys, 2) == ["quota_exceeded"] * 2, "and the first is as it was left"


def test_counts_survive_new_vms(updated, keys):
    """Another `vm_config` makes Envoy build new VMs for every worker, as it does after a trap."""
    gate, push, _ = updated
    created = "wasm.envoy.wasm.runtime.v8.created"
    assert answers(gate, keys, 2) == ["allowed"] * 2
    before = gate.envoy.stats(created)[created]
    other = {"environment_variables": {"key_values": {"POSTERN_LAB": "1"}}}
    push(gate, tweak=lambda plugin: plugin["vm_config"].update(other))
    assert gate.envoy.stats(created)[created] >= before + WORKERS
    assert answers(gate, keys, 4) == ["allowed"] + ["quota_exceeded"] * 3
    assert gate.envoy.failures() == []


def test_nobody_gets_more_by_driving_other_counters_out(opened, keys):
    """Forty callers share sixteen counters of five units: no caller has more than five.

    Whoever comes without a counter begins at the floor, and the floor rises to the counter that
    makes way for it. So what has passed is what the sixteen say and the floor; 17 times 5 when all
    is used up.
    """
    quota = {"name": "daily", "key": ["client", "header:x-number"], "quota": "5/7d"}
    gate = opened(policy(keys, quota, counters={"slots": 16}))
    token, on, passed = keys.token(), gate.client.connection(), Counter()
    for number in [*range(40)] * 9:
        reply = gate.client.request("GET", "/limited/x", token=token, headers={"x-number": str(number)}, on=on)
        assert reply.reason in ("allowed", "quota_exceeded")
        passed[number] += reply.status == 200
    on.close()
    assert max(passed.values()) <= 5
    assert passed.total() == 85
    assert gate.envoy.stats("wasmcustom.postern.limits.evicted").popitem()[1] > 0


def resident(gate) -> int:
    """The proxy's resident memory in KiB."""
    status = open(f"/proc/{gate.envoy.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def test_a_million_callers_take_no_more_memory_than_a_hundred_thousand(opened, keys):
    """Each request has a signed token of another identity; POSTERN_MILLION=1 sends the whole million.

    65,536 counters of 200 units hold far more than a million requests take, so that nobody is
    refused for want of a counter; nobody has more than 200 in any case. A limit with few keys
    shares the counters, and what it counts stays exact to the unit.
    """
    callers = 1_000_000 if os.environ.get("POSTERN_MILLION") else 200_000
    each = {"name": "each", "key": ["identity"], "quota": "200/7d"}
    few = {"name": "few", "key": ["identity"], "quota": "50/7d"}
    whole = changed(policy(keys, each), limits=[each, few], audit=QUIET)
    whole["routes"].append({"name": "few", "match": {"path": "/few"}, "limits": ["few"]})
    gate = opened(whole, tweak=direct)
    key = keys.good["HS256"]
    tokens = {
        "header": {"alg": "HS256", "kid": key.kid},
        "claims": policies.claims_for("HS256"),
        "secret": key.private.hex(),
    }

    def passed(caller: str, asked: int = 300, path: str = "/limited/x") -> int:
        """How many of so many requests of one caller pass."""
        on, token = gate.client.connection(), keys.token("HS256", sub=caller)
        replies = [gate.client.request("GET", path, token=token, on=on) for _ in range(asked)]
        on.close()
        return sum(reply.status == 200 for reply in replies)

    assert passed("early") == 200
    assert passed("early", 20, "/few") == 20
    flood(gate.client.port, tokens, "/limited/x", 100_000)
    before = resident(gate)
    result = flood(gate.client.port, tokens, "/limited/x", callers - 100_000, first=100_000)
    after = resident(gate)
    print(f"resident {before} KiB after 100,000 callers, {after} KiB after {callers:,}; {dict(result['reasons'])}")
    assert after - before < 2048
    assert result["reasons"] == {"allowed": callers - 100_000}
    assert passed("early") == 0, "it is still used up"
    assert passed("early", 60, "/few") == 30
    assert passed("late", 60, "/few") == 50
    late = passed("late")
    print(f"a caller that comes late has {late} of 200")
    assert 150 <= late <= 200
    assert gate.envoy.failures() == []

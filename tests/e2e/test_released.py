"""Requests that wait for keys, thousands at once: letting them go takes no VM down.

A proxy carries out what one call of the module asks for at the end of that call, each reply from
within the one before, so that the stack of V8 bounds how many may be asked for in one call.
`POSTERN_RELEASED=whole` runs every combination and 10,000 streams in each; by default some.
"""

import itertools
import os
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import fetched
import pytest
from lab import envoy, provider, streams
from lab.gate import Gate
from lab.issuer import Key, jwks

WHOLE = os.environ.get("POSTERN_RELEASED") == "whole"
STREAMS = 10_000 if WHOLE else 3_000
PLACES = 512
"""How many requests of one source may wait on one worker."""


ENDINGS = {
    "upstream": {},
    "no endpoint": {"cluster": "nowhere"},
    "no endpoint, twice more": {"cluster": "nowhere", "retry_policy": {"retry_on": "5xx", "num_retries": 2}},
    "upstream and mirror": {"request_mirror_policies": [{"cluster": "nowhere"}]},
    "next filter": {},
}


@pytest.fixture
def idp():
    started = provider.Provider()
    yield started
    started.stop()


def opened(idp, upstream, directory, *, workers=1, failure="FAIL_CLOSED", ending="upstream", **timing):
    """A gate; `ending` says who answers what it lets through."""

    def tweak(config):
        fetched.clusters(idp=idp.port, nowhere=None)(config)
        listener = envoy.gate(config)
        envoy.plugin(listener)["failure_policy"] = failure
        manager = envoy.hcm(listener)
        manager.setdefault("http2_protocol_options", {})["max_concurrent_streams"] = 20_000
        for cluster in config["static_resources"]["clusters"]:
            # What the upstream cannot take at once waits in the proxy.
            bounds = {"max_connections": 100, "max_requests": 100_000, "max_pending_requests": 100_000}
            cluster["circuit_breakers"] = {"thresholds": [{**bounds, "max_retries": 100_000}]}
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
            if "route" in route:
                route["route"].update({"timeout": "60s", **ENDINGS[ending]})
        if ending == "next filter":
            abort = {"abort": {"http_status": 418, "percentage": {"numerator": 100}}}
            kind = f"{envoy.TYPES}envoy.extensions.filters.http.fault.v3.HTTPFault"
            fault = {"name": "envoy.filters.http.fault", "typed_config": {"@type": kind, **abort}}
            manager["http_filters"].insert(-1, fault)

    policy = fetched.policy(fetched.issuer(**{**fetched.FOREVER, **timing}))
    return Gate.open(policy, upstream, directory, tweak=tweak, concurrency=workers)


def serve(idp, *keys: Key, late: float = 0.1) -> None:
    idp.answers[fetched.target("corp")] = provider.late(late, provider.document(jwks(*keys)))


def unknown(number: int) -> str:
    """A token of nobody's: it names a key that no set has, and nobody signed it."""
    key = Key(f"nobody-{number}", "ES256", None)
    key.sign = lambda *_: b"\x01" * 64
    return fetched.token(key)


def sent(tokens: list[str], path: str = "/any/x") -> list[streams.Sent]:
    return [streams.Sent(str(uuid.uuid4()), token, path) for token in tokens]


def reasons(gate: Gate, requests: list[streams.Sent]) -> Counter:
    """Why each was let in or refused; each has one event."""
    ids = {request.request_id for request in requests}
    fetched.eventually(lambda: ids <= gate.envoy.audit.counts().keys(), timeout=20)
    counts = gate.envoy.audit.counts()
    assert {counts.get(one, 0) for one in ids} == {1}, Counter(counts.get(one, 0) for one in ids)
    events = [event for event in gate.envoy.audit.events() if event["metadata"]["correlation_uid"] in ids]
    return Counter(event["status_detail"] for event in events)


def assert_well(gate: Gate, vms: dict) -> None:
    assert gate.envoy.failures() == []
    assert gate.envoy.vms() == vms
    assert fetched.eventually(lambda: fetched.waiting(gate) == 0)


CASES = list(itertools.product([1, 10, 1000], [1, 4], ["FAIL_CLOSED", "FAIL_RELOAD"]))
SOME = [(1, 1, "FAIL_CLOSED"), (1, 4, "FAIL_RELOAD"), (10, 4, "FAIL_CLOSED"), (1000, 1, "FAIL_RELOAD"), (1000, 4, "FAIL_CLOSED")]


@pytest.mark.parametrize(("connections", "workers", "failure"), CASES if WHOLE else SOME)
def test_unknown_good_and_late_keys_together_take_no_vm_down(idp, upstream, tmp_path, connections, workers, failure):
    known, late = Key.new("ES256", "known"), Key.new("ES256", "late")
    serve(idp, known)
    timing = {"workers": workers, "failure": failure, "cooldown": "1s"}
    with opened(idp, upstream, tmp_path, **timing) as gate:
        assert fetched.eventually(lambda: gate.client.request("GET", "/any/x", token=fetched.token(known)).status == 200)
        time.sleep(1.1)  # A set is not fetched again sooner.
        vms = gate.envoy.vms()
        serve(idp, known, late)
        good, renewed = fetched.token(known), fetched.token(late)
        third = STREAMS // 3
        # Kinds alternate, so that each has its share of the waiting places.
        requests = sent([token for number in range(third) for token in (unknown(number), good, renewed)])
        statuses = streams.together(gate.client.port, requests, connections=connections)
        found = reasons(gate, requests)
        by_token = {good: Counter(), renewed: Counter(), "unknown": Counter()}
        for request in requests:
            by_token[request.token if request.token in by_token else "unknown"][statuses[request.request_id]] += 1
        assert by_token[good] == {200: third}, "what needs no keys is not refused, however many wait"
        assert by_token["unknown"] == {401: third}
        # A waiting place is not had by all of them; whoever had none was told so at once.
        assert by_token[renewed].keys() <= {200, 401}
        assert by_token[renewed][200] > 0
        assert found == {"allowed": third + by_token[renewed][200], "key_unknown": third + by_token[renewed][401]}
        assert_well(gate, vms)
        assert gate.client.request("GET", "/any/x", token=renewed).status == 200


@pytest.mark.parametrize("ending", ENDINGS)
def test_good_tokens_that_wait_for_the_first_keys_are_all_answered(idp, upstream, tmp_path, ending):
    key = Key.new("ES256", "known")
    shutter = provider.Shutter()
    idp.answers[fetched.target("corp")] = shutter.before(provider.document(jwks(key)))
    with opened(idp, upstream, tmp_path, ending=ending) as gate:
        vms = gate.envoy.vms()
        requests = sent([fetched.token(key)] * 2_000)
        with ThreadPoolExecutor(1) as pool:
            statuses = pool.submit(streams.together, gate.client.port, requests, connections=4)
            # As many as can wait do, and whoever came after them has been refused.
            refused = len(requests) - PLACES
            assert fetched.eventually(lambda: fetched.waiting(gate) == PLACES)
            assert fetched.eventually(lambda: len(gate.envoy.audit.counts()) == refused)
            shutter.open()
            answered = Counter(statuses.result().values())
        found = reasons(gate, requests)
        assert found == {"allowed": PLACES, "keys_unavailable": len(requests) - PLACES}
        answer = {"no endpoint": 503, "next filter": 418}.get(ending.partition(",")[0], 200)
        assert answered == Counter([answer] * PLACES + [503] * (len(requests) - PLACES))
        assert_well(gate, vms)


def test_whoever_fills_the_waiting_places_leaves_half_of_them(idp, upstream, tmp_path):
    """A caller at another address whose key is new is waited for all the same."""
    known, late = Key.new("ES256", "known"), Key.new("ES256", "late")
    serve(idp, known)
    with opened(idp, upstream, tmp_path, cooldown="1s") as gate:
        assert fetched.eventually(lambda: gate.client.request("GET", "/any/x", token=fetched.token(known)).status == 200)
        time.sleep(1.1)
        serve(idp, known, late, late=2.0)
        flood = sent([unknown(number) for number in range(3_000)])
        other = sent([fetched.token(late)] * 20)
        with ThreadPoolExecutor(1) as pool:
            flooding = pool.submit(streams.together, gate.client.port, flood, connections=3)
            assert fetched.eventually(lambda: fetched.waiting(gate) == PLACES)
            statuses = streams.together(gate.client.port, other, connections=1, source="127.0.0.2")
            flooding.result()
        assert set(statuses.values()) == {200}


def test_hundreds_of_sources_whose_calls_fail_at_once_take_no_vm_down(idp, upstream, tmp_path):
    known = Key.new("ES256", "known")
    serve(idp, known)
    policy = fetched.policy(*(fetched.issuer(f"i{number}", cluster="nowhere") for number in range(600)), fetched.issuer())
    with Gate.open(policy, upstream, tmp_path, tweak=fetched.clusters(idp=idp.port, nowhere=None)) as gate:
        vms = gate.envoy.vms()
        token = fetched.token(known)
        assert fetched.eventually(lambda: gate.client.request("GET", "/any/x", token=token).status == 200)
        assert_well(gate, vms)

"""Envoy's own cache beside the gate: nobody gets the page that was another caller's."""

import contextlib

import policies
import pytest
import spiffe_lab
from lab import envoy
from lab.gate import Gate

KIND = f"{envoy.TYPES}envoy.extensions.filters.http.cache.v3.CacheConfig"
STORE = f"{envoy.TYPES}envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig"
PAGE = "/any/page?cache=max-age=600"


CACHE = {"name": "envoy.filters.http.cache", "typed_config": {"@type": KIND, "typed_config": {"@type": STORE}}}


def cached(place: str):
    """A change of a bootstrap: a cache before Postern in the chain of filters, or behind it."""

    def change(config: dict) -> None:
        filters = envoy.hcm(envoy.gate(config))["http_filters"]
        at = next(index for index, one in enumerate(filters) if one["name"] == "postern")
        filters.insert(at if place == "before" else at + 1, CACHE)

    return change


@contextlib.contextmanager
def in_front(gate: Gate, directory):
    """A proxy of its own with a cache, before a gate."""
    port = gate.client.port
    config = envoy.bootstrap({}, http=port, grpc=port)
    manager = envoy.hcm(envoy.gate(config))
    manager["http_filters"] = [CACHE, *(one for one in manager["http_filters"] if one["name"] != "postern")]
    with Gate.running(config, directory, concurrency=1) as front:
        yield front


def policy(keys, **tokens) -> dict:
    return {**policies.main(keys), "tokens": tokens} if tokens else policies.main(keys)


def whose(reply) -> str | None:
    """Whose page it is."""
    assert reply.status == 200, reply
    seen = reply.seen("x-postern-identity")
    return seen[0] if seen else None


def pages(gate, path: str, callers) -> list:
    """What each caller gets, one after the other, and twice."""
    return [gate.client.request("GET", path, headers=[field]) for field in [*callers, *callers]]


CASES = {
    "in front": ("in front", {}),
    "in front, another header": ("in front", {"header": "x-token"}),
    "behind": ("behind", {"marker": True}),
    "behind, another header": ("behind", {"marker": True, "header": "x-token"}),
}


@pytest.mark.parametrize("case", CASES)
def test_nobody_gets_the_page_of_another_caller(opened, keys, tmp_path, case):
    place, tokens = CASES[case]
    with contextlib.ExitStack() as stack:
        tweak = cached("behind") if place == "behind" else None
        gate = opened(policy(keys, **tokens), tweak=tweak, concurrency=1)
        if place == "in front":
            gate = stack.enter_context(in_front(gate, tmp_path / "front"))
        header = tokens.get("header", "authorization")
        callers = [(header, f"Bearer {keys.token(sub=sub)}") for sub in ("alice", "bob")]
        found = pages(gate, PAGE, callers)
        assert [whose(reply) for reply in found] == ["corp/alice", "corp/bob"] * 2
        assert all(reply.header("cache-control") == "max-age=600, private" for reply in found)
        assert all(reply.seen("authorization") == (["Postern"] if tokens.get("marker") else []) for reply in found)
        # And nobody without a credential gets any.
        assert gate.client.request("GET", PAGE).status == 401


@pytest.mark.parametrize("place", ["in front", "behind"])
def test_a_page_that_says_it_is_for_all_is_for_all(opened, keys, tmp_path, place):
    """Else nothing would be shown above: this cache does keep pages."""
    with contextlib.ExitStack() as stack:
        gate = opened(policy(keys, marker=True), tweak=cached("behind") if place == "behind" else None, concurrency=1)
        if place == "in front":
            gate = stack.enter_context(in_front(gate, tmp_path / "front"))
        path = "/public/page?cache=public,max-age=600"
        gate.client.request("GET", path, headers=[("x-first", "1")])
        second = gate.client.request("GET", path, headers=[("x-second", "1")])
        assert second.seen("x-first") == ["1"] and second.seen("x-second") == []


def test_a_cache_before_the_gate_in_one_chain_calls_the_upstream_past_it(opened, keys):
    """Why `postern check` warns of it: whatever stands behind Envoy's cache is passed over on a miss."""
    gate = opened(policy(keys), tweak=cached("before"), concurrency=1)
    reply = gate.client.request("GET", PAGE)
    assert reply.status == 200 and reply.seen("x-postern-identity") == []


def test_a_cache_behind_the_gate_sees_no_credential_without_the_marker(opened, keys):
    """Why `tokens.marker` is there, and why `postern check` warns of a cache."""
    gate = opened(policy(keys), tweak=cached("behind"), concurrency=1)
    callers = [("authorization", f"Bearer {keys.token(sub=sub)}") for sub in ("alice", "bob")]
    found = [whose(reply) for reply in pages(gate, PAGE, callers)]
    assert found == ["corp/alice"] * 4


def test_a_certificate_is_a_credential_that_no_cache_sees(keys, upstream, tmp_path):
    domains = spiffe_lab.Domains(tmp_path)
    tweak = spiffe_lab.changes(spiffe_lab.mutual_tls(domains), cached("behind"))
    policy = domains.policy(keys, tokens={"marker": True})
    with Gate.open(policy, upstream, tmp_path / "gate", tweak=tweak, concurrency=1) as gate:
        for name in ("reader", "writer", "reader"):
            client = spiffe_lab.caller(gate, domains.prod.workload(f"/ns/shop/sa/{name}"))
            reply = client.request("GET", PAGE)
            assert whose(reply) == spiffe_lab.spiffe(f"/ns/shop/sa/{name}")
            assert reply.header("cache-control") == "max-age=600, private"

"""Providers that misbehave: the last good keys are used until they are too old, then nobody passes,
and as soon as the provider is well again everybody does."""

import gzip
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import fetched
import pytest
from lab import envoy, provider
from lab.client import Reply
from lab.gate import Gate
from lab.issuer import Key, jwks

KEY = Key.new("ES256", "k1")
SET = jwks(KEY)
HUGE = {**SET, "padding": "x" * 10_000_000}

# Name, what the provider does, and what audit calls it. Envoy answers for a provider that does not:
# with 503 or 504, or 502 where it did not understand.
FAULTS = [
    ("slow", provider.late(3.0, provider.document(SET)), "status"),
    ("reset", provider.reset, "status"),
    ("error", provider.answer(b"oops", code=500), "status"),
    ("empty-error", provider.status(503), "status"),
    ("html", provider.answer(b"<html>sign in</html>", kind="text/html"), "not_json"),
    ("truncated", provider.answer(fetched.as_json(SET)[:-20]), "not_json"),
    ("cut-off", provider.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"), "no_answer"),
    ("no-http", provider.raw(b"\x00\xff nothing of the kind\r\n\r\n"), "status"),
    ("huge", provider.document(HUGE), "too_large"),
    ("huge-in-chunks", provider.chunked(HUGE, 1_000_000), "too_large"),
    ("redirect", provider.status(302, "location: http://redirect.example/elsewhere"), "status"),
    ("not-modified", provider.status(304), "status"),
    ("no-content", provider.raw(b"HTTP/1.1 204 No\r\nconnection: close\r\n\r\n"), "status"),
    ("empty", provider.answer(b""), "not_json"),
    ("no-keys", provider.document({"keys": []}), "bad_key_set"),
    ("no-set", provider.document([]), "bad_key_set"),
    ("binary", provider.answer(bytes(range(256))), "not_json"),
    ("odd-fields", provider.raw(b"HTTP/1.1 500 \xff\xfe\r\nx-odd: \xff\xfe\r\ncontent-length: 0\r\n\r\n"), "status"),
    ("twice", provider.answer(b'{"keys": [], "keys": []}'), "not_json"),
    ("gone", provider.status(404), "status"),
    ("zipped", provider.answer(gzip.compress(fetched.as_json(SET)), "content-encoding: gzip"), "not_json"),
]
DISCOVERY_FAULTS = [
    ("wrong-issuer", provider.document(fetched.metadata("wrong-issuer", issuer="http://other.example")), "other_issuer"),
    ("slash-issuer", provider.document(fetched.metadata("slash-issuer", issuer="http://slash-issuer.example/")), "other_issuer"),
    ("elsewhere", provider.document(fetched.metadata("elsewhere", jwks_uri="http://evil.example/jwks")), "bad_jwks_uri"),
    ("no-uri", provider.document({"issuer": "http://no-uri.example"}), "bad_jwks_uri"),
    ("html-metadata", provider.answer(b"<html>", kind="text/html"), "not_json"),
    ("no-metadata", provider.status(404), "status"),
    ("slow-metadata", provider.late(3.0, provider.document(fetched.metadata("slow-metadata"))), "status"),
]  # fmt: skip

# Whole answers of other forms, and what they say of freshness; all are to be refreshed in an hour.
FRESHNESS = {
    "short": provider.document(SET, "cache-control: public, max-age=1"),
    "never": provider.document(SET, "cache-control: no-store"),
    "long": provider.document(SET, "cache-control: max-age=31536000"),
    "silent": provider.chunked(SET),
}

# Clusters that cannot answer at all.
DEAD_CLUSTERS = {
    "no-endpoint": {"cluster": "no-endpoints"},
    "unresolved": {"cluster": "unresolvable"},
    "unheard-of": {"cluster": "unheard-of"},
}
DEAD = [*DEAD_CLUSTERS, "sent-on"]


def names(faults=(*FAULTS, *DISCOVERY_FAULTS)) -> list[str]:
    return [name for name, _, _ in faults]


def heal(idp: provider.Provider) -> None:
    for name in names(FAULTS):
        idp.answers[fetched.target(name)] = provider.document(SET)
    for name in names(DISCOVERY_FAULTS):
        idp.answers[fetched.target(name)] = provider.document(SET)
        idp.answers[fetched.target(name, provider.METADATA)] = provider.document(fetched.metadata(name))
    for name, answer in FRESHNESS.items():
        idp.answers[fetched.target(name)] = answer
    sent_on = fetched.metadata("sent-on", jwks_uri="http://keys.example/jwks")
    idp.answers[fetched.target("sent-on", provider.METADATA)] = provider.document(sent_on)


def spoil(idp: provider.Provider) -> None:
    for name, fault, _ in FAULTS:
        idp.answers[fetched.target(name)] = fault
    for name, fault, _ in DISCOVERY_FAULTS:
        idp.answers[fetched.target(name, provider.METADATA)] = fault


@pytest.fixture(scope="module")
def idp():
    started = provider.Provider()
    heal(started)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def keyed(idp, upstream, tmp_path_factory):
    """One Envoy with an issuer for each fault: their stories happen at the same time."""
    issuers = [fetched.issuer(name, **fetched.QUICK) for name in names(FAULTS)]
    issuers += [fetched.discovered(name, **fetched.QUICK) for name in names(DISCOVERY_FAULTS)]
    issuers += [fetched.issuer(name, **cluster, **fetched.QUICK) for name, cluster in DEAD_CLUSTERS.items()]
    # The metadata can be had, and the key set it names cannot.
    sent_on = {"authorities": {"keys.example": "no-endpoints"}}
    issuers += [fetched.discovered("sent-on", **sent_on, **fetched.QUICK)]
    issuers += [fetched.issuer("down", cluster="down", **fetched.QUICK)]
    issuers += [fetched.issuer(name, cooldown="1s", refresh="1h") for name in FRESHNESS]
    down = provider.Provider()
    down.answers[fetched.target("down")] = provider.document(SET)

    def tweak(config: dict) -> None:
        fetched.clusters(**{"idp": idp.port, "down": down.port, "no-endpoints": None})(config)
        unresolvable = envoy.cluster("unresolvable", 80, "nobody.invalid", "STRICT_DNS")
        config["static_resources"]["clusters"].append(unresolvable)

    with Gate.open(fetched.policy(*issuers), upstream, tmp_path_factory.mktemp("keyed"), tweak=tweak) as gate:
        gate.down = down
        yield gate
    down.stop()


def send(gate: Gate, name: str) -> Reply:
    return gate.client.request("GET", "/any/x", token=fetched.token(KEY, name))


def said_of(gate: Gate, reply: Reply):
    """The reason, and what the only event of the request says of the keys."""
    assert (reply.status, reply.reason) in {(200, "allowed"), (503, "keys_unavailable")}, reply
    event = gate.envoy.audit.one(reply.request_id)
    assert event["status_detail"] == reply.reason
    return reply.reason, fetched.keys_of(event)


def ask(gate: Gate, name: str):
    return said_of(gate, send(gate, name))


def ask_all(gate: Gate, wanted: list[str]) -> dict:
    # Several at once, since each may be held for a while.
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda name: send(gate, name), wanted))
    return {name: said_of(gate, reply) for name, reply in zip(wanted, replies, strict=True)}


MAX_STALE = float(fetched.QUICK["max_stale"].removesuffix("s"))


def last_good(idp: provider.Provider, name: str, before: float) -> float:
    """When the last key set that was good was asked for."""
    return max(asked.at for asked in idp.asked if asked.target == fetched.target(name) and asked.at < before)


def missing(codes: dict, failures: dict) -> dict:
    """The faults that audit has not named yet, with what it named."""
    return {name: found for name, found in failures.items() if codes[name] not in found}


def test_the_last_good_keys_are_used_until_they_are_too_old(keyed, idp):
    codes = {name: code for name, _, code in (*FAULTS, *DISCOVERY_FAULTS)} | {"down": "status"}
    before = keyed.envoy.vms()
    well = ask_all(keyed, list(codes))
    assert {name: said for name, said in well.items() if said[0] != "allowed"} == {}

    spoil(idp)
    keyed.down.down()
    spoiled = time.monotonic()
    good = {name: last_good(keyed.down if name == "down" else idp, name, spoiled) for name in codes}
    failures = {name: set() for name in codes}
    used = set()
    while time.monotonic() < spoiled + 4 or missing(codes, failures) and time.monotonic() < spoiled + 30:
        for name, (reason, keys) in ask_all(keyed, list(codes)).items():
            # The clock is read after the decision: on a slow machine it forgives, and never blames.
            assert reason == "allowed" or time.monotonic() > good[name] + MAX_STALE, (name, keys)
            assert keys["version"] == 1, (name, keys)
            failures[name].add(keys.get("failure"))
            used.update({name} if reason == "allowed" else ())
    assert missing(codes, failures) == {}
    assert used == set(codes)

    time.sleep(max(0.0, spoiled + MAX_STALE + 2.5 - time.monotonic()))
    stale = ask_all(keyed, list(codes))
    assert {name: said for name, said in stale.items() if said[0] != "keys_unavailable"} == {}

    heal(idp)
    keyed.down.up()
    for name in codes:
        assert fetched.eventually(lambda name=name: ask(keyed, name)[0] == "allowed"), name
    well = ask_all(keyed, list(codes))
    assert {name: said for name, said in well.items() if said[0] != "allowed" or said[1]["version"] != 1} == {}
    assert keyed.envoy.failures() == []
    assert keyed.envoy.vms() == before


def test_a_cluster_that_cannot_answer_refuses_within_the_wait_and_harms_nobody(keyed):
    asked = time.monotonic()
    first = ask_all(keyed, list(DEAD))
    assert time.monotonic() - asked < 8
    assert {name: (reason, keys["version"]) for name, (reason, keys) in first.items()} == dict.fromkeys(
        DEAD, ("keys_unavailable", 0)
    )
    # Envoy answers a call to a cluster without an endpoint before the call has returned, and then
    # refuses the call.
    assert {name: keys["failure"] for name, (_, keys) in first.items()} == dict.fromkeys(DEAD, "not_dispatched")
    assert keyed.envoy.failures() == []


def test_what_a_provider_says_of_freshness_is_heeded_within_bounds(keyed, idp):
    """The fixture's Envoy has run for a while: what was due came, and what was not did not."""
    counts = {name: lambda name=name: idp.count(fetched.target(name)) for name in FRESHNESS}
    assert {name: ask(keyed, name)[0] for name in FRESHNESS} == dict.fromkeys(FRESHNESS, "allowed")
    assert fetched.eventually(lambda: counts["short"]() >= 3 and counts["never"]() >= 3)
    assert counts["long"]() == counts["silent"]() == 1
    # No more often than the cooldown allows, whatever the provider says.
    for name in ("short", "never"):
        times = [asked.at for asked in idp.asked if asked.target == fetched.target(name)]
        assert all(later - earlier > 0.8 for earlier, later in itertools.pairwise(times)), times

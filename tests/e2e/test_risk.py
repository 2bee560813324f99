"""The risk score on a real Envoy with four workers: attacks that are live, and what comes of them."""

import copy
import itertools
import time
from dataclasses import dataclass

import policies
import pytest
from lab import envoy
from lab.client import Client, Pipeline, Reply
from lab.gate import Gate, changed

WORKERS = 4
HALF_LIFE = 4.0
QUICK = {
    "half_life": "4s",
    "learn_every": "1s",
    "warm_up": 15,
    "signals": {
        "spread": {"weight": 0.8, "window": "10s", "distinct": 30},
        "rate_shift": {"weight": 0.8, "start": 2, "full": 4},
    },
}
"""An identity is known after a few seconds, and forgiven as soon. 30 requests a second are many, so that a slow machine
can scrape, and what they come to is not forgiven at once."""


def policy(keys, **risk) -> dict:
    whole = changed(policies.main(keys), risk={**QUICK, **risk})
    limit = {"name": "per-client", "key": ["client"], "rate": "1000000/1s"}
    counted = {
        "name": "items",
        "match": {"path": "/v1/items/{id}"},
        "allow": {"scopes": {"all": ["orders.read"]}},
        "limits": ["per-client"],
    }
    closed = [
        {"name": f"closed-{number}", "match": {"path": f"/closed/{number}"}, "allow": {"scopes": {"all": ["nobody.has"]}}}
        for number in range(20)
    ]
    return {**whole, "limits": [limit], "routes": [*whole["routes"], counted, *closed]}


@pytest.fixture
def gate(opened, keys):
    return opened(policy(keys))


@dataclass
class Crowd:
    """Calls from one address with one token, on a kept connection to each worker in turn."""

    gate: Gate
    token: str
    source: str = "127.0.0.1"

    def __post_init__(self):
        self.client = Client(self.gate.client.port, source=self.source)
        self.connections = [self.client.connection() for _ in range(WORKERS)]
        self.turns = itertools.cycle(self.connections)

    def ask(self, path: str, on=None) -> Reply:
        return self.client.request("GET", path, token=self.token, on=on or next(self.turns))

    def everywhere(self, path: str) -> list[Reply]:
        return [self.ask(path, on) for on in self.connections]

    def burst(self, paths: list[str]) -> list[Reply]:
        """As fast as the machine can: on a connection to each worker its share is sent at once, then the answers
        are read, to the first refusal on each."""
        pipelines = [Pipeline(self.client) for _ in range(WORKERS)]
        for number, pipeline in enumerate(pipelines):
            pipeline.send(paths[number::WORKERS], self.token)
        replies = [pipelines[number % WORKERS].receive() for number in range(len(paths))]
        return [reply for reply in replies if reply]


def live(crowd: Crowd, seconds: float, rate: float = 6) -> None:
    """What the client always does: it reads ten items, again and again."""
    end = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > end:
            return
        reply = crowd.ask(f"/v1/items/{number % 10}")
        assert reply.reason == "allowed"
        time.sleep(1 / rate)


def scrape(crowd: Crowd) -> list[list[Reply]]:
    """Bursts of one item after the other, as fast as the machine can, until every worker has denied it for a second."""
    bursts, since = [], None
    for number in range(500):
        some = [f"/v1/items/scraped-{number}-{other}" for other in range(5 * WORKERS)]
        bursts.append(crowd.burst(some))
        is_over = all(reply.reason == "risk_denied" for reply in crowd.everywhere(f"/v1/items/scraped-{number}"))
        since = (since or time.monotonic()) if is_over else None
        if since and time.monotonic() > since + 1:
            break
    return bursts


def score(reply: Reply) -> int:
    """What the upstream was told; zero where it was told nothing."""
    assert reply.status == 200, reply
    return int((reply.seen("x-postern-risk") or ["0"])[0])


def settle() -> None:
    """Until every worker knows what any of them saw."""
    time.sleep(0.7)


def first(many: list, is_one) -> int | None:
    return next((number for number, one in enumerate(many, 1) if is_one(one)), None)


def assert_forgiven(crowd: Crowd, path: str, halvings: float) -> None:
    """Nobody calls; then every worker lets the caller in, and has nothing to say."""
    time.sleep(halvings * HALF_LIFE)
    for reply in crowd.everywhere(path):
        assert score(reply) == 0, reply
    event = crowd.gate.envoy.audit.one(reply.request_id)
    assert event["risk_score"] < 30 and "risk_details" not in event


def test_who_does_as_always_is_left_alone(gate, keys):
    crowd = Crowd(gate, keys.token())
    live(crowd, 6)
    for reply in crowd.everywhere("/v1/items/3"):
        assert score(reply) == 0
        event = gate.envoy.audit.one(reply.request_id)
        assert event["risk_score"] < 30 and "risk_details" not in event


def test_a_scraper_is_tagged_throttled_denied_and_forgiven(gate, keys):
    crowd = Crowd(gate, keys.token())
    live(crowd, 6)
    begun = time.monotonic()
    bursts = scrape(crowd)
    took = time.monotonic() - begun
    # Within a burst the workers decide at once, each by what it knows by then.
    tagged = first(bursts, lambda burst: any(reply.status == 200 and score(reply) >= 30 for reply in burst))
    throttled = first(bursts, lambda burst: any(reply.status == 200 and score(reply) >= 60 for reply in burst))
    denied = first(bursts, lambda burst: any(reply.reason == "risk_denied" for reply in burst))
    print(f"{len(bursts)} bursts in {took:.2f} s; tagged {tagged}, throttled {throttled}, denied {denied}")
    assert tagged and throttled and denied and tagged <= throttled <= denied
    # Every worker knows.
    for reply in crowd.everywhere("/v1/items/1"):
        event = gate.check(reply, 403, "risk_denied")
        assert event["risk_score"] >= 85 and "rate_shift" in event["risk_details"]
        assert "different resources" in event["risk_details"]
    throttles = gate.envoy.stats("wasmcustom.postern.risk.throttled").popitem()[1]
    assert throttles > 0
    assert_forgiven(crowd, "/v1/items/1", 4)
    assert gate.envoy.failures() == []


def test_a_stolen_token_is_seen_beside_its_owner(gate, keys):
    token = keys.token()
    owner, thief = Crowd(gate, token), Crowd(gate, token, source="127.0.7.1")
    live(owner, 6)
    replies = []
    for number in range(12):
        owner.ask(f"/v1/items/{number % 10}")
        replies.append(thief.ask(f"/v1/items/{number % 10}"))
        time.sleep(0.05)
    tagged = first(replies, lambda reply: score(reply) >= 30)
    throttled = first(replies, lambda reply: score(reply) >= 60)
    print(f"tagged {tagged}, throttled {throttled}")
    assert tagged and throttled
    event = gate.envoy.audit.one(replies[-1].request_id)
    assert "one of its tokens came from several networks" in event["risk_details"]
    assert "it came from a network that it was not known on" in event["risk_details"]
    # A throttled request costs four times as much: 4 s of a burst of four instead of one.
    assert gate.envoy.stats("wasmcustom.postern.risk.throttled").popitem()[1] > 0
    assert_forgiven(owner, "/v1/items/1", 4)


def test_a_prober_of_scopes_is_throttled_where_it_may_go(opened, keys):
    gate = opened(policy(keys, actions=[{"at": 30, "do": "tag"}, {"at": 60, "do": "throttle"}, {"at": 61, "do": "deny"}]))
    crowd = Crowd(gate, keys.token())
    live(crowd, 6)
    for number in range(200):
        assert crowd.ask(f"/closed/{number % 20}").reason == "scope_missing"
    settle()
    for reply in crowd.everywhere("/v1/items/1"):
        event = gate.check(reply, 403, "risk_denied")
        assert "requests were refused" in event["risk_details"], event
    assert_forgiven(crowd, "/v1/items/1", 5)


def test_a_throttled_request_costs_its_limits_four_times(opened, keys):
    config = policy(keys, actions=[{"at": 1, "do": "throttle"}])
    config["limits"] = [{"name": "per-client", "key": ["client"], "rate": "40/1h"}]
    gate = opened(config)
    crowd = Crowd(gate, keys.token())
    # A new identity that uses many resources has a score from the start.
    for number in range(200):
        crowd.ask(f"/any/{number}")
    settle()
    replies = [crowd.ask(f"/v1/items/{number}") for number in range(12)]
    assert [reply.reason for reply in replies] == ["allowed"] * 10 + ["rate_limited"] * 2


def test_errors_and_bytes_of_responses_count(gate, keys):
    crowd = Crowd(gate, keys.token())
    live(crowd, 6)
    for _ in range(6):
        crowd.burst([f"/v1/items/{number}?{what}" for number in range(10) for what in ("bytes=200000", "status=404")])
    # What is judged over time is judged when the second is over.
    time.sleep(1)
    settle()
    replies = crowd.everywhere("/v1/items/1")
    details = gate.envoy.audit.one(replies[-1].request_id)["risk_details"]
    assert "answers were errors" in details and "response bytes at about" in details, details


def test_the_state_survives_an_update_of_the_configuration(upstream, keys, tmp_path):
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policy(keys), http=upstream.http, grpc=upstream.grpc, port=port)
        listener = copy.deepcopy(envoy.gate(config))
        listener["connection_balance_config"] = {"exact_balance": {}}
        listeners = envoy.DynamicListeners(config, tmp_path / "lds")
        listeners.listeners = [listener]
        listeners.write()
        with Gate.running(config, tmp_path, concurrency=WORKERS) as gate:
            crowd = Crowd(gate, keys.token())
            live(crowd, 6)
            scrape(crowd)
            settle()
            before = crowd.ask("/v1/items/1")
            assert gate.check(before, 403, "risk_denied")["risk_score"] >= 85
            # It denies from another score on, which shows that the new one decides.
            lenient = [{"at": 30, "do": "tag"}, {"at": 100, "do": "deny"}]
            envoy.set_policy(listener, policy(keys, actions=lenient), "StringValue")
            taken = listeners.push(gate.envoy)
            assert taken
            after = Crowd(gate, keys.token())
            for reply in after.everywhere("/v1/items/1"):
                assert 50 <= score(reply) < 100

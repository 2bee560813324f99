"""The running Envoys of one group, and what a round measures of each."""

import contextlib
import time
from pathlib import Path

from filters import bootstrap
from latency import latencies
from processes import CONNECTIONS, Broken, Envoy, Upstream, load
from scenarios import Scenario
from tokens import Tokens

RECORD_TIMEOUT = 15.0  # Envoy flushes an access log every ten seconds


class Bench:
    """One Envoy a scenario, all alive while the group is measured."""

    def __init__(self, scenarios: list[Scenario], tokens: Tokens, requests: int):
        self.scenarios, self.tokens, self.requests = scenarios, tokens, requests
        self.envoys: dict[str, Envoy] = {}
        self.micros: dict[str, list[float]] = {scenario.name: [] for scenario in scenarios}
        self.latency: dict[str, list[float]] = {scenario.name: [] for scenario in scenarios if scenario.latency}
        self.broken: dict[str, str] = {}
        self.next_token = 0  # and the next key; never turned back

    def start(self, binary: str, work: Path, stack: contextlib.ExitStack):
        """Starts every process, to be stopped with `stack`, and sees that each answers as it should."""
        upstream = Upstream(work)
        stack.callback(upstream.stop)
        upstream.await_ready()
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                config = bootstrap(scenario, upstream.port)
                envoy = Envoy(binary, scenario.name, config, work, scenario.workers)
                stack.callback(envoy.stop)
                envoy.await_ready()
                check_answers(scenario, envoy, self.tokens)
                self.envoys[scenario.name] = envoy

    def warm_up(self, fresh: int):
        """Serves `fresh` fresh tokens or keys, which fills caches, or one token until the code is hot."""
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                self.serve(scenario, max(fresh if scenario.fresh else self.requests, scenario.keys, scenario.count))
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                check_record(scenario, self.requests)
        self.next_token = fresh

    def round(self, number: int):
        """Measures every scenario once, in an order that rotates with the rounds."""
        for scenario in self.sound(number):
            with self.remembering_failure(scenario):
                self.micros[scenario.name].append(self.serve(scenario, self.requests))
        self.next_token = self.next_token + self.requests

    def latency_round(self, number: int, rate: int, seconds: float):
        """Adds the latencies of every scenario that asks for them."""
        requests = int(rate * seconds)
        for scenario in self.sound(number):
            if scenario.latency:
                with self.remembering_failure(scenario):
                    lines = self.tokens.lines(scenario.tokens) if scenario.fresh else [self.tokens.first(scenario.tokens)]
                    tokens = [lines[(self.next_token + sent) % len(lines)] for sent in range(requests)]
                    found = latencies(self.envoys[scenario.name].port, tokens, rate, seconds)
                    self.latency[scenario.name] += found
        self.next_token = self.next_token + requests

    def check_again(self):
        """Whether each still answers as it did at first."""
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                check_answer(scenario, self.envoys[scenario.name], self.tokens)

    def serve(self, scenario: Scenario, requests: int) -> float:
        """Sends this many requests; the microseconds of Envoy's CPU for each."""
        envoy = self.envoys[scenario.name]
        if scenario.record:
            scenario.record.file.write_bytes(b"")
        file = self.tokens.file(scenario.tokens)
        count = (scenario.count or self.tokens.count) if scenario.fresh else 1
        first = self.next_token if scenario.fresh or scenario.keys else 0
        before, start = envoy.counters(), envoy.cpu()
        sent = load(envoy.port, file, count, first, requests, scenario.keys)
        envoy.settle()
        used = envoy.cpu() - start
        counted = {name: value - before.get(name, 0) for name, value in envoy.counters().items()}
        check_round(scenario, sent, counted, requests)
        return used / counted["downstream_rq_completed"] * 1e6

    def sound(self, turn: int = 0) -> list[Scenario]:
        """The scenarios that have not turned out broken, from number `turn` on and round."""
        turn %= len(self.scenarios)
        rotated = self.scenarios[turn:] + self.scenarios[:turn]
        return [scenario for scenario in rotated if scenario.name not in self.broken]

    @contextlib.contextmanager
    def remembering_failure(self, scenario: Scenario):
        try:
            yield
        except (Broken, OSError) as error:
            self.broken[scenario.name] = str(error)


def check_answers(scenario: Scenario, envoy: Envoy, tokens: Tokens):
    """Raises Broken unless requests are answered as they should be, those that are not measured too."""
    for kind, status, text in scenario.checks:
        expect(envoy, kind, tokens.first(kind), status, text)
    check_answer(scenario, envoy, tokens)


def check_answer(scenario: Scenario, envoy: Envoy, tokens: Tokens):
    """The request that is measured."""
    expect(envoy, scenario.tokens, tokens.first(scenario.tokens), scenario.status, scenario.says)


def expect(envoy: Envoy, kind: str, token: str, status: int, text: str):
    found, body = envoy.answer(token)
    if found != status or text not in body:
        wanted = f"{status} and {text!r}"
        raise Broken(f"{kind} was answered with {found} and {body[:300]!r}, not {wanted}; its log ends:\n{envoy.tail()}")


def check_round(scenario: Scenario, sent: dict, counted: dict, requests: int):
    """Raises Broken unless every request was answered as it should be, in the way that is measured."""
    kind = f"{scenario.status // 100}xx"
    errors = {what: number for what, number in sent.items() if what not in ("answered", "status") and number}
    completed, right = counted["downstream_rq_completed"], counted.get(f"downstream_rq_{kind}", 0)
    hits = counted.get("jwt_authn.jwt_cache_hit", 0)
    expected_hits = completed if scenario.native_cache else 0
    if errors or right != completed:
        raise Broken(f"{right} of {completed} answers were {kind}; the load generator saw {errors or 'no errors'}")
    # Each connection may have one request under way when the last one is sent.
    if abs(completed - requests) > CONNECTIONS:
        raise Broken(f"{completed} requests were completed, not {requests}")
    # A worker that the warm-up passed by has the token to verify once.
    first = scenario.workers - 1
    if scenario.native_cache is not None and not expected_hits - first <= hits <= expected_hits + CONNECTIONS:
        raise Broken(f"{hits} of {completed} tokens came out of jwt_authn's cache")


def check_record(scenario: Scenario, requests: int):
    """Raises Broken unless the log of the warm-up has a line a request."""
    if not scenario.record:
        return
    deadline = time.monotonic() + RECORD_TIMEOUT
    while (lines := scenario.record.count()) < requests - CONNECTIONS:
        if time.monotonic() > deadline:
            raise Broken(f"{scenario.record.file} has {lines} records of {requests} requests")
        time.sleep(0.1)

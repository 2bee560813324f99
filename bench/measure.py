"""The running Envoys, and what a round measures of each."""

import contextlib
import time
from pathlib import Path

from processes import CONNECTIONS, Broken, Envoy, Upstream, load
from scenarios import Scenario, bootstrap
from tokens import Tokens

RECORD_TIMEOUT = 15.0  # Envoy flushes an access log every ten seconds


class Bench:
    """One Envoy a scenario, all alive for the whole run."""

    def __init__(self, scenarios: list[Scenario], tokens: Tokens, requests: int):
        self.scenarios, self.tokens, self.requests = scenarios, tokens, requests
        self.envoys: dict[str, Envoy] = {}
        self.micros: dict[str, list[float]] = {scenario.name: [] for scenario in scenarios}
        self.broken: dict[str, str] = {}
        self.next_token = 0

    def start(self, binary: str, work: Path, stack: contextlib.ExitStack):
        """Starts every process, to be stopped with `stack`, and sees that each answers as it should."""
        upstream = Upstream(work)
        stack.callback(upstream.stop)
        upstream.await_ready()
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                envoy = Envoy(binary, scenario.name, bootstrap(scenario, upstream.port), work)
                stack.callback(envoy.stop)
                envoy.await_ready()
                check_answers(scenario, envoy, self.tokens)
                self.envoys[scenario.name] = envoy

    def warm_up(self, fresh: int):
        """Serves `fresh` fresh tokens, which fills caches, or one token until the code is hot."""
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                self.serve(scenario, fresh if scenario.fresh else self.requests)
        for scenario in self.sound():
            with self.remembering_failure(scenario):
                check_record(scenario, self.requests)
        self.next_token = fresh % self.tokens.count

    def round(self, number: int):
        """Measures every scenario once, in an order that rotates with the rounds."""
        turn = number % len(self.scenarios)
        for scenario in self.sound(turn):
            with self.remembering_failure(scenario):
                self.micros[scenario.name].append(self.serve(scenario, self.requests))
        self.next_token = (self.next_token + self.requests) % self.tokens.count

    def serve(self, scenario: Scenario, requests: int) -> float:
        """Sends this many requests; the microseconds of Envoy's CPU for each."""
        envoy = self.envoys[scenario.name]
        if scenario.record:
            scenario.record.file.write_bytes(b"")
        file = self.tokens.file(scenario.algorithm)
        count, first = (self.tokens.count, self.next_token) if scenario.fresh else (1, 0)
        before, start = envoy.counters(), envoy.cpu()
        sent = load(envoy.port, file, count, first, requests)
        envoy.settle()
        used = envoy.cpu() - start
        after = envoy.counters()
        counted = {name: value - before.get(name, 0) for name, value in after.items()}
        check_round(scenario, sent, counted, requests)
        return used / counted["downstream_rq_completed"] * 1e6

    def sound(self, turn: int = 0) -> list[Scenario]:
        """The scenarios that have not turned out broken, from number `turn` on and round."""
        rotated = self.scenarios[turn:] + self.scenarios[:turn]
        return [scenario for scenario in rotated if scenario.name not in self.broken]

    @contextlib.contextmanager
    def remembering_failure(self, scenario: Scenario):
        try:
            yield
        except (Broken, OSError) as error:
            self.broken[scenario.name] = str(error)


def check_answers(scenario: Scenario, envoy: Envoy, tokens: Tokens):
    """Raises Broken unless the right requests are let through, and only they."""
    algorithm = scenario.algorithm
    expected = [("a good token", tokens.first(algorithm), 200)]
    if scenario.authenticates:
        expected += [("no token", None, 401), ("a forged token", tokens.forged(algorithm), 401)]
    if scenario.authorizes:
        expected.append(("a token without the scope", tokens.unscoped(algorithm), 403))
    for what, token, status in expected:
        answer = envoy.status(token)
        if answer != status:
            raise Broken(f"{what} was answered with {answer}, not {status}; its log ends:\n{envoy.tail()}")


def check_round(scenario: Scenario, sent: dict, counted: dict, requests: int):
    """Raises Broken unless every request was answered with 200, in the way that is measured."""
    errors = {kind: number for kind, number in sent.items() if kind != "answered" and number}
    completed, good = counted["downstream_rq_completed"], counted["downstream_rq_2xx"]
    hits = counted.get("jwt_authn.jwt_cache_hit", 0)
    expected_hits = completed if scenario.native_cache else 0
    if errors or good != completed:
        raise Broken(f"{good} of {completed} answers were good; the load generator saw {errors or 'no errors'}")
    # Each connection may have one request under way when the last one is sent.
    if abs(completed - requests) > CONNECTIONS:
        raise Broken(f"{completed} requests were completed, not {requests}")
    if scenario.native_cache is not None and not expected_hits <= hits <= expected_hits + CONNECTIONS:
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

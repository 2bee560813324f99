"""What a filter costs besides CPU: the time that Envoy takes to start with it, and memory."""

import contextlib
import dataclasses
import time
from pathlib import Path

from filters import bootstrap
from processes import Broken, Envoy, Upstream, answer, free_port, load
from scenarios import NONE, Scenario
from tokens import Tokens

STARTS = ("none", "chain", "postern-cached-limit", "postern-cached-100k-clients")
FILLED = "postern-rs256-fresh"
FEW, MANY = 1, 4  # workers
START_TIMEOUT = 30.0


def start_times(scenarios: list[Scenario], tokens: Tokens, binary: str, work: Path, rounds: int) -> dict:
    """Milliseconds from the start of the process to the first decision, of each of STARTS."""
    chosen = [scenario for scenario in scenarios if scenario.name in STARTS]
    found: dict[str, list[float]] = {scenario.name: [] for scenario in chosen}
    with upstream(work) as port:
        for _ in range(rounds):
            for scenario in chosen:
                found[scenario.name].append(start_time(scenario, tokens, binary, work, port) * 1e3)
    return found


def start_time(scenario: Scenario, tokens: Tokens, binary: str, work: Path, upstream_port: int) -> float:
    port, token = free_port(), tokens.first(scenario.tokens)
    config = bootstrap(scenario, upstream_port, port)
    begin = time.monotonic()
    envoy = Envoy(binary, f"start-{scenario.name}", config, work)
    try:
        while time.monotonic() < begin + START_TIMEOUT:
            with contextlib.suppress(OSError):
                status, _ = answer(port, token)
                took = time.monotonic() - begin
                if status != scenario.status:
                    raise Broken(f"{scenario.name}: the first answer was {status}, not {scenario.status}")
                return took
            time.sleep(0.001)
        raise Broken(f"{scenario.name} did not answer within {START_TIMEOUT:.0f} s:\n{envoy.tail()}")
    finally:
        envoy.stop()


def memory(scenarios: list[Scenario], tokens: Tokens, binary: str, work: Path) -> dict:
    """Bytes that a worker more takes, without filters and with Postern and a full cache of tokens."""
    found = {}
    with upstream(work) as port:
        for scenario in scenarios:
            if scenario.name in (NONE, FILLED):
                sizes = [filled(scenario, workers, tokens, binary, work, port) for workers in (FEW, MANY)]
                found[scenario.name] = {"bytes": sizes, "worker": (sizes[1] - sizes[0]) / (MANY - FEW)}
    return found


def filled(scenario: Scenario, workers: int, tokens: Tokens, binary: str, work: Path, port: int) -> int:
    """The process's own memory once each of its workers has had as many tokens as there are."""
    scenario = dataclasses.replace(scenario, name=f"memory-{scenario.name}-{workers}", workers=workers)
    envoy = Envoy(binary, scenario.name, bootstrap(scenario, port), work, workers)
    try:
        envoy.await_ready()
        requests = tokens.count * workers
        load(envoy.port, tokens.file(scenario.tokens), tokens.count, 0, requests, connections=16 * workers)
        envoy.settle()
        return envoy.anonymous_memory()
    finally:
        envoy.stop()


@contextlib.contextmanager
def upstream(work: Path):
    process = Upstream(work)
    try:
        process.await_ready()
        yield process.port
    finally:
        process.stop()

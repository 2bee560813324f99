"""Events that are gathered: written together, a line each, and never left behind."""

import copy

import pytest
from lab import envoy
from lab.gate import Gate, changed

import policies

REQUESTS = 400
LATE = 5.0
"""Seconds after which an event that waits for a tick of 200 ms is surely there."""


def gathering(policy: dict, batch: str) -> dict:
    return changed(policy, audit={**policy.get("audit", {}), "log": {"batch": batch}})


def ask(gate: Gate, count: int) -> list[str]:
    """The ids of so many requests, allowed and refused in turn."""
    connection = gate.client.connection()
    paths = ("/public/a", "/nowhere")
    return [gate.client.request("GET", paths[number % 2], on=connection).request_id for number in range(count)]


def heads(gate: Gate) -> int:
    """The lines that begin a call of the log which holds events."""
    return sum(": {" in line and "wasm log" in line for line in gate.envoy.log().splitlines())


@pytest.fixture
def gate(opened, keys):
    return opened(gathering(policies.main(keys), "16KiB"))


def test_every_request_has_its_event_and_many_share_a_call(gate):
    wanted = ask(gate, REQUESTS)
    for request in wanted:
        gate.envoy.audit.one(request, timeout=LATE)
    assert heads(gate) < REQUESTS / 2


def test_an_event_does_not_wait_for_another_request(gate):
    [request] = ask(gate, 1)
    gate.envoy.audit.one(request, timeout=LATE)


def test_a_proxy_that_is_told_to_end_writes_what_it_gathered(opened, keys):
    gate = opened(gathering(policies.main(keys), "1MiB"))
    wanted = ask(gate, 50)
    gate.envoy.stop()
    counts = gate.envoy.audit.counts()
    assert [request for request in wanted if counts.get(request) != 1] == []


def test_a_new_configuration_leaves_no_event_of_the_old_one_behind(upstream, keys, tmp_path):
    policy = policies.main(keys)
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(gathering(policy, "1MiB"), http=upstream.http, grpc=upstream.grpc, port=port)
        listener = copy.deepcopy(envoy.gate(config))
        listeners = envoy.DynamicListeners(config, tmp_path / "lds")
        listeners.listeners = [listener]
        listeners.write()
        with Gate.running(config, tmp_path) as gate:
            wanted = ask(gate, 50)
            envoy.set_policy(listener, policy, "StringValue")
            assert listeners.push(gate.envoy)
            for request in wanted:
                gate.envoy.audit.one(request, timeout=LATE)

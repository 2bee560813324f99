"""From before the listener opens until long after: every answer is the right one or none at all."""

import threading
import time
from collections import Counter

import policies
import pytest
from lab import envoy
from lab.client import Client

SECONDS_AFTER = 1.5


def hammer(port: int, token: str, stop: threading.Event, seen: Counter, lock: threading.Lock) -> None:
    """Asks again and again, with and without a token, each time on a new connection."""
    client = Client(port, timeout=10)
    mine = Counter()
    while not stop.is_set():
        for kind, sent in (("anonymous", None), ("good", token)):
            try:
                reply = client.request("GET", "/v1/orders/1", token=sent)
                mine[kind, reply.status, reply.reason] += 1
            except ConnectionRefusedError:
                mine[kind, "refused"] += 1
                time.sleep(0.001)
    with lock:
        seen.update(mine)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static listener", "listener from a file"])
@pytest.mark.parametrize("failure_policy", ["FAIL_CLOSED", "FAIL_RELOAD"])
def test_nobody_slips_through_while_envoy_starts(upstream, keys, tmp_path, failure_policy, dynamic):
    token, seen, lock, stop = keys.token(), Counter(), threading.Lock(), threading.Event()
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policies.main(keys), http=upstream.http, grpc=upstream.grpc, port=port)
        envoy.plugin(envoy.gate(config))["failure_policy"] = failure_policy
        if dynamic:
            envoy.DynamicListeners(config, tmp_path / "lds")
        threads = [threading.Thread(target=hammer, args=(port, token, stop, seen, lock)) for _ in range(4)]
        for thread in threads:
            thread.start()
        proxy = envoy.Envoy(config, tmp_path)
        try:
            proxy.wait_ready()
            time.sleep(SECONDS_AFTER)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            proxy.stop()
    assert set(seen) == {
        ("anonymous", "refused"),
        ("good", "refused"),
        ("anonymous", 401, "credential_missing"),
        ("good", 200, "allowed"),
    }, seen
    assert proxy.failures() == []


def test_the_public_route_is_the_only_one_open_from_the_first_request_on(upstream, keys, tmp_path):
    """The first request that a worker ever gets is decided like any later one."""
    for number in range(2):
        config = envoy.bootstrap(policies.main(keys), http=upstream.http, grpc=upstream.grpc)
        proxy = envoy.Envoy(config, tmp_path / str(number), concurrency=1)
        try:
            first = Client(proxy.wait_ready().port())
            path, expected = [("/public/x", (200, "allowed")), ("/v1/orders/1", (401, "credential_missing"))][number]
            reply = first.request("GET", path)
            assert (reply.status, reply.reason) == expected
        finally:
            proxy.stop()

"""Keys that are fetched: the first ones, and requests that wait for them."""

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import fetched
import pytest
from lab import envoy, http2, provider
from lab.client import Client
from lab.gate import Gate
from lab.issuer import Key, jwks

WAITERS = 512
"""How many requests of one source may wait on a worker."""


@pytest.fixture(scope="module")
def key():
    return Key.new("ES256", "k1")


@pytest.fixture
def idp():
    started = provider.Provider()
    yield started
    started.stop()


@pytest.fixture
def shutter(idp, key):
    """Keeps the provider's answers back."""
    shutter = provider.Shutter()
    idp.answers[fetched.target("corp")] = shutter.before(provider.document(jwks(key)))
    yield shutter
    shutter.open()


def opened(idp, upstream, directory, issuers=None, **options):
    policy = fetched.policy(*(issuers or [fetched.issuer(**fetched.FOREVER)]))
    return Gate.open(policy, upstream, directory, tweak=fetched.clusters(idp=idp.port), **options)


def test_requests_before_the_keys_wait_for_them_and_four_workers_fetch_once(idp, key, shutter, upstream, tmp_path):
    token = fetched.token(key)
    with opened(idp, upstream, tmp_path, concurrency=4) as gate, ThreadPoolExecutor(40) as pool:
        before = gate.envoy.vms()
        held = [pool.submit(gate.client.request, "GET", "/any/x", token=token) for _ in range(40)]
        assert fetched.eventually(lambda: fetched.waiting(gate) == 40), fetched.waiting(gate)
        # What needs no key waits for none.
        gate.check(gate.client.request("GET", "/public/x"), 200, "allowed")
        gate.check(gate.client.request("GET", "/any/x"), 401, "credential_missing")
        assert not any(reply.done() for reply in held)
        shutter.open()
        for reply in held:
            event = gate.check(reply.result(), 200, "allowed")
            assert fetched.keys_of(event)["version"] == 1
            assert fetched.keys_of(event)["age_seconds"] < 60
        assert len([n for n in gate.envoy.worker_connections().values() if n]) == 4
        assert idp.count() == 1
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0)
        stats = gate.envoy.stats("wasmcustom")
        assert stats["wasmcustom.postern.keys.corp.fetches.ok"] == 1
        assert stats["wasmcustom.postern.keys.corp.version"] == 1
        assert gate.envoy.vms() == before


def test_a_request_that_waits_in_vain_is_answered_when_its_time_is_up(idp, key, shutter, upstream, tmp_path):
    token = fetched.token(key)
    timing = {**fetched.FOREVER, "wait": "1s"}
    with opened(idp, upstream, tmp_path, [fetched.issuer(**timing)]) as gate, ThreadPoolExecutor(10) as pool:

        def timed(_number):
            asked = time.monotonic()
            return gate.client.request("GET", "/any/x", token=token), time.monotonic() - asked

        for reply, lasted in pool.map(timed, range(10)):
            gate.check(reply, 503, "keys_unavailable")
            assert 0.7 < lasted < 8
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0)
        shutter.open()
        assert fetched.eventually(lambda: gate.client.request("GET", "/any/x", token=token).status == 200)
        assert idp.count() == 1


def test_a_held_request_goes_on_whole(idp, key, shutter, upstream, tmp_path):
    token = fetched.token(key)
    h2 = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example"), (":path", "/any/h2")]
    h2 += [("authorization", f"Bearer {token}")]
    with opened(idp, upstream, tmp_path) as gate, ThreadPoolExecutor(8) as pool:

        def post(body):
            return pool.submit(gate.client.request, "POST", "/any/x", token=token, body=body)

        bodies = {"declared": post(bytes(3_000_000)), "chunked": post(iter([bytes(30_000)] * 100)), "none": post(b"")}
        over_http2 = pool.submit(
            http2.request, gate.client.port, h2, data=b"x" * 10_000, trailers=[("x-checked", "yes")]
        )
        grpc = pool.submit(gate.client.grpc, metadata=[("authorization", f"Bearer {token}")])
        assert fetched.eventually(lambda: fetched.waiting(gate) == 5), fetched.waiting(gate)
        shutter.open()
        for name, reply in bodies.items():
            gate.check(reply.result(), 200, "allowed")
            assert reply.result().json["body_bytes"] == (0 if name == "none" else 3_000_000), name
            assert not reply.result().seen("authorization")
        assert over_http2.result().status == 200
        assert over_http2.result().json["body_bytes"] == 10_000
        assert grpc.result().code == 0
        assert dict(grpc.result().headers)["x-postern-identity"]
        gate.envoy.audit.one(grpc.result().request_id)
        assert gate.envoy.failures() == []


def test_callers_that_leave_while_they_are_held_leave_one_event_each(idp, key, shutter, upstream, tmp_path):
    token = fetched.token(key)
    with opened(idp, upstream, tmp_path) as gate:
        ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(50)]
        left = [gate.client.socket() for _ in ids]
        for number, (wire, wanted) in enumerate(zip(left, ids, strict=True)):
            body = b"half of a body" if number % 2 else b""
            wire.sendall(_head("POST", token, wanted, length=100 if body else 0) + body)
        assert fetched.eventually(lambda: fetched.waiting(gate) == 50), fetched.waiting(gate)
        for wire in left:
            wire.close()
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0), fetched.waiting(gate)
        shutter.open()
        reply = gate.client.request("GET", "/any/x", token=token)
        gate.check(reply, 200, "allowed")
        for wanted in ids:
            assert gate.envoy.audit.one(wanted)["status_detail"] == "undecided"
        assert gate.envoy.failures() == []


def test_one_more_than_may_wait_is_decided_at_once(idp, key, shutter, upstream, tmp_path):
    token = fetched.token(key)
    with opened(idp, upstream, tmp_path, concurrency=1) as gate:
        ids = [f"00000000-0000-4000-9000-{number:012}" for number in range(WAITERS)]
        held = []
        try:
            for wanted in ids:
                held.append(gate.client.socket())
                held[-1].sendall(_head("GET", token, wanted))
            assert fetched.eventually(lambda: fetched.waiting(gate) == WAITERS), fetched.waiting(gate)
            for _ in range(10):
                gate.check(gate.client.request("GET", "/any/x", token=token), 503, "keys_unavailable")
            shutter.open()
            assert {wire.recv(12) for wire in held} == {b"HTTP/1.1 200"}
        finally:
            for wire in held:
                wire.close()
        assert all(gate.envoy.audit.one(wanted)["status_detail"] == "allowed" for wanted in ids)
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0)


def _head(method: str, token: str, request_id: str, length: int = 0) -> bytes:
    lines = [
        f"{method} /any/x HTTP/1.1",
        "host: api.example",
        f"x-request-id: {request_id}",
        f"authorization: Bearer {token}",
        f"content-length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_forged_key_names_cause_one_fetch_a_cooldown(idp, key, upstream, tmp_path):
    idp.answers[fetched.target("corp")] = provider.document(jwks(key))
    cooldown, seconds = 2, 8
    issuer = fetched.issuer(cooldown=f"{cooldown}s", refresh="1h", timeout="1s")
    good, stop = fetched.token(key), time.monotonic() + seconds
    wrong, sent = [], []

    def flood(gate: Gate, thread: int) -> None:
        number, connection = 0, gate.client.connection()
        while time.monotonic() < stop:
            number += 1
            forged = fetched.token(Key(f"forged-{thread}-{number}", "ES256", key.private))
            for token, expected in ((forged, (401, "key_unknown")), (good, (200, "allowed"))):
                reply = gate.client.request("GET", "/any/x", token=token, on=connection)
                sent.append(reply.request_id)
                if (reply.status, reply.reason) != expected:
                    wrong.append((expected, reply))
        connection.close()

    with opened(idp, upstream, tmp_path, [issuer], concurrency=4) as gate:
        gate.check(gate.client.request("GET", "/any/x", token=good), 200, "allowed")
        assert idp.count() == 1
        begun, stop = time.monotonic(), time.monotonic() + seconds
        threads = [threading.Thread(target=flood, args=(gate, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lasted = time.monotonic() - begun
        print(f"{len(sent)} requests in {lasted:.1f} s, {idp.count()} fetches")
        assert wrong[:3] == []
        assert 2 <= idp.count() <= 2 + lasted / cooldown
        gate.envoy.audit.one(sent[-1])
        counts = gate.envoy.audit.counts()
        assert all(counts.get(wanted) == 1 for wanted in sent)
        assert gate.envoy.failures() == []


def test_a_cluster_that_becomes_known_late_is_used_and_until_then_nobody_hangs(idp, key, upstream, tmp_path):
    idp.answers[fetched.target("corp")] = provider.document(jwks(key))
    token = fetched.token(key)
    policy = fetched.policy(fetched.issuer(wait="1s"))
    config = envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc)
    clusters = envoy.DynamicClusters(config, tmp_path / "cds")
    with Gate.running(config, tmp_path) as gate:
        for _ in range(2):
            asked = time.monotonic()
            event = gate.check(gate.client.request("GET", "/any/x", token=token), 503, "keys_unavailable")
            assert time.monotonic() - asked < 8
            assert fetched.keys_of(event)["failure"] == "not_dispatched"
        reply = gate.client.grpc(metadata=[("authorization", f"Bearer {token}")])
        assert reply.code == 14, reply
        clusters.write(envoy.cluster("idp", idp.port))
        assert fetched.eventually(lambda: gate.client.request("GET", "/any/x", token=token).status == 200)
        # And gone again: the keys stay.
        clusters.write()
        gate.check(gate.client.request("GET", "/any/x", token=token), 200, "allowed")
        assert gate.envoy.failures() == []


def test_an_update_while_keys_are_fetched_loses_nobody_and_listeners_share_one_fetch(
    idp, key, shutter, upstream, tmp_path
):
    token = fetched.token(key)
    policy = fetched.policy(fetched.issuer(**fetched.FOREVER))
    config = envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc)
    fetched.clusters(idp=idp.port)(config)
    second = {**copy.deepcopy(envoy.gate(config)), "name": "second"}
    envoy.gate(config)["connection_balance_config"] = {"exact_balance": {}}
    listeners = envoy.DynamicListeners(config, tmp_path / "lds")
    with Gate.running(config, tmp_path) as gate, ThreadPoolExecutor(20) as pool:
        assert fetched.eventually(lambda: idp_is_asked(gate))
        held = [pool.submit(gate.client.request, "GET", "/any/x", token=token) for _ in range(10)]
        assert fetched.eventually(lambda: fetched.waiting(gate) == 10), fetched.waiting(gate)
        changed = fetched.policy(fetched.issuer(**fetched.FOREVER))
        changed["responses"]["realm"] = "changed"
        envoy.set_policy(listeners.listeners[0], changed)
        assert listeners.push(gate.envoy, second)
        other = Client(fetched.eventually(lambda: _port(gate, "second")))
        held += [pool.submit(client.request, "GET", "/any/x", token=token) for client in (gate.client, other) * 5]
        assert fetched.eventually(lambda: fetched.waiting(gate) == 20), fetched.waiting(gate)
        shutter.open()
        for reply in held:
            gate.check(reply.result(), 200, "allowed")
        assert idp.count() == 1
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0)
        assert gate.envoy.failures() == []


def test_vms_of_different_configurations_fetch_for_themselves(idp, key, upstream, tmp_path):
    later = Key.new("ES256", "k2")
    idp.answers[fetched.target("corp")] = provider.document(jwks(key))
    policy = fetched.policy(fetched.issuer(refresh="1s", cooldown="1s"))
    config = envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc)
    fetched.clusters(idp=idp.port)(config)
    second = {**copy.deepcopy(envoy.gate(config)), "name": "second"}
    text = {"@type": f"{envoy.TYPES}google.protobuf.StringValue", "value": "a configuration of its own"}
    envoy.plugin(second)["vm_config"]["configuration"] = text
    config["static_resources"]["listeners"].append(second)
    with Gate.running(config, tmp_path) as gate:
        clients = [gate.client, Client(gate.envoy.port("second"))]

        def reasons(signer: Key) -> set[str]:
            return {client.request("GET", "/any/x", token=fetched.token(signer)).reason for client in clients}

        assert reasons(key) == {"allowed"}
        assert idp.count() >= 2
        idp.answers[fetched.target("corp")] = provider.document(jwks(later))
        assert fetched.eventually(lambda: reasons(key) == {"key_unknown"})
        assert reasons(later) == {"allowed"}
        assert gate.envoy.failures() == []


def idp_is_asked(gate: Gate) -> bool:
    return gate.envoy.stats("cluster.idp.upstream_rq_total").get("cluster.idp.upstream_rq_total", 0) > 0


def _port(gate: Gate, name: str) -> int:
    try:
        return gate.envoy.port(name)
    except LookupError:
        return 0

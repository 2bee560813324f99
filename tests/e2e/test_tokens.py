"""Tokens that come again on a real Envoy: refused ones remembered, verified ones shared by its workers."""

from concurrent.futures import ThreadPoolExecutor

import fetched
import policies
import pytest
from lab import envoy, provider
from lab.gate import Gate, changed
from lab.issuer import Key, flipped, jwks

WORKERS = 4
TOKENS = 25
SECRET = "a text that nobody else knows, for once"


def configured(text: str):
    """A change of a bootstrap that gives the VM this configuration."""

    def change(config: dict) -> None:
        value = {"@type": f"{envoy.TYPES}google.protobuf.StringValue", "value": text}
        envoy.plugin(envoy.gate(config))["vm_config"]["configuration"] = value

    return change


def send_to_every_worker(gate: Gate, tokens: list[str]) -> None:
    """Sends each token on connections of every worker, one worker after the other."""
    held = [gate.client.connection() for _ in range(2 * WORKERS)]
    for connection in held:
        connection.connect()
    for token in tokens:
        for connection in held:
            reply = gate.client.request("GET", "/any/x", token=token, on=connection)
            assert (reply.status, reply.reason) == (200, "allowed")
    for connection in held:
        connection.close()
    assert len([used for used in gate.envoy.worker_connections().values() if used]) == WORKERS


def counts(gate: Gate) -> tuple[int, int]:
    """How many signatures were checked and held, and how many tokens were taken over."""
    found = gate.envoy.stats("wasmcustom.postern.tokens")
    return tuple(found.get(f"wasmcustom.postern.tokens.{name}", 0) for name in ("verified", "shared"))


@pytest.mark.parametrize(
    ("text", "share", "verified"),
    [
        (SECRET, None, WORKERS * TOKENS),
        (SECRET, True, TOKENS),
        (SECRET, False, WORKERS * TOKENS),
        (None, None, WORKERS * TOKENS),
        (None, True, TOKENS),
    ],
)
def test_a_token_is_verified_by_one_worker_where_they_are_told_to_share_and_by_each_elsewhere(
    opened, keys, text, share, verified
):
    policy = policies.main(keys)
    if share is not None:
        policy = changed(policy, tokens={"share": share})
    gate = opened(policy, tweak=configured(text) if text else None)
    tokens = [keys.token("ES256", jti=f"one-{number}") for number in range(TOKENS)]
    send_to_every_worker(gate, tokens)
    assert counts(gate) == (verified, WORKERS * TOKENS - verified)
    # A token of another signature is another token, on every worker.
    for _ in range(2 * WORKERS):
        gate.check(gate.client.request("GET", "/any/x", token=flipped(tokens[0])), 401, "signature_invalid")
    assert counts(gate) == (verified, WORKERS * TOKENS - verified)
    assert gate.envoy.failures() == []


def test_tokens_that_come_to_all_workers_at_once_are_verified_hardly_more_than_once(opened, keys):
    """Requests of one token that cross each other are each verified; a record that two write is lost."""
    policy = changed(policies.main(keys), tokens={"share": True})
    gate = opened(policy, tweak=configured(SECRET))
    tokens = [keys.token("ES256", jti=f"many-{number}") for number in range(8 * TOKENS)]

    def send(turn: int) -> None:
        connection = gate.client.connection()
        for token in tokens[turn:] + tokens[:turn]:
            reply = gate.client.request("GET", "/any/x", token=token, on=connection)
            assert (reply.status, reply.reason) == (200, "allowed")
        connection.close()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(send, range(0, len(tokens), len(tokens) // 16)))
    verified, shared = counts(gate)
    print(f"{len(tokens)} tokens on 16 connections: {verified} verified, {shared} taken over")
    assert len(tokens) <= verified <= 1.5 * len(tokens)
    assert verified + shared <= WORKERS * len(tokens)
    assert gate.envoy.failures() == []


def test_a_forged_token_is_refused_alike_each_time_and_let_in_once_its_keys_are_there(upstream, tmp_path):
    """The same `kid` with another key: what was forged is good after the rotation, and the old is not."""
    idp = provider.Provider()
    old, new = Key.new("ES256", "k1"), Key.new("ES256", "k1")
    idp.answers[fetched.target("corp")] = provider.document(jwks(old))
    timing = {"timeout": "2s", "refresh": "1s", "cooldown": "1s", "wait": "10s"}
    policy = changed(fetched.policy(fetched.issuer(**timing)), tokens={"share": True})
    before, after = fetched.token(old), fetched.token(new)

    def tweak(config: dict) -> None:
        fetched.clusters(idp=idp.port)(config)
        configured(SECRET)(config)

    with Gate.open(policy, upstream, tmp_path, tweak=tweak, concurrency=WORKERS) as gate:
        held = [gate.client.connection() for _ in range(2 * WORKERS)]
        for connection in held:
            connection.connect()

        def ask(token: str, status: int, reason: str) -> list:
            """Three times on every connection: the replies and their events without what time changes."""
            seen = []
            for connection in held * 3:
                reply = gate.client.request("GET", "/any/x", token=token, on=connection)
                event = gate.check(reply, status, reason)
                keys_of = {**fetched.keys_of(event), "age_seconds": None}
                seen.append((reply.header("www-authenticate"), event.get("message"), keys_of))
            return seen

        ask(before, 200, "allowed")
        refusals = ask(after, 401, "signature_invalid")
        assert all(refusal == refusals[0] for refusal in refusals)
        assert refusals[0][2]["version"] == 1
        idp.answers[fetched.target("corp")] = provider.document(jwks(new))

        def is_in(connection) -> bool:
            return gate.client.request("GET", "/any/x", token=after, on=connection).status == 200

        # On every worker, each of which has two of the connections.
        assert fetched.eventually(lambda: all(is_in(connection) for connection in held))
        ask(after, 200, "allowed")
        ask(before, 401, "signature_invalid")
        for connection in held:
            connection.close()
        assert gate.envoy.failures() == []
    idp.stop()

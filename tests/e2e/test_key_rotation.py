"""Keys that rotate under load: no valid token is refused, none of a withdrawn key is taken."""

import random
import threading
import time
from dataclasses import dataclass, field

import fetched
import pytest
from lab import envoy, provider
from lab.client import Client, Reply
from lab.gate import Gate, permissive
from lab.issuer import Key, flipped, jwks

REQUESTS = 20_000
CONNECTIONS = 16
PERIOD = 2.0
"""Seconds between two rotations."""
PATIENCE = 10.0
"""Seconds that a request may take; a held one is to be decided within the fetch's timeout of 2 s."""
EXPECTED = {
    "signing": (200, "allowed"),
    "any": (200, "allowed"),
    "flipped": (401, "signature_invalid"),
    "anonymous": (401, "credential_missing"),
}
NEVER = float("inf")
TAKEN_UP = 1.5
"""Seconds until every worker has certainly taken up what the provider said; a tick is 0.2 s."""


@dataclass
class Signer:
    """A key, tokens signed with it, when it was withdrawn, and from which answer on it is not there."""

    key: Key
    tokens: list[str] = field(repr=False)
    withdrawn: float | None = None
    absent_from: int = 0

    @classmethod
    def new(cls, number: int) -> "Signer":
        key = Key.new("ES256", f"key-{number}")
        # Some tokens are known to the gate already when it sees them, some are not.
        return cls(key, [fetched.token(key, sub=f"robot-{n}") for n in range(20)])


class Rotation:
    """A provider that publishes three keys: the last one to sign, the one that signs, and the next."""

    def __init__(self, idp: provider.Provider):
        self._idp = idp
        self._answers: list = []
        self._gone: dict[str, float] = {}
        self.signers = [Signer.new(number) for number in range(3)]
        self.signing = self.signers[1]
        self._publish()

    def turn(self) -> None:
        """Publishes the next key, signs with the one that was out for a period, withdraws the oldest."""
        self.signers.append(Signer.new(len(self.signers)))
        # Before the provider knows of it, so that no right refusal comes too early.
        self.signers[-4].withdrawn = time.monotonic()
        self.signers[-4].absent_from = len(self._answers)
        self._publish()
        self.signing = self.signers[-2]

    def _publish(self) -> None:
        published = self.signers[-3:]
        answer = provider.document(jwks(*(signer.key for signer in published)))
        self._answers.append(answer)
        self._idp.answers[fetched.target("corp")] = answer

    def gone(self, signer: Signer) -> float:
        """When the provider first gave a set without this key; far away where it has not."""
        if signer.withdrawn is None:
            return NEVER
        if signer.key.kid not in self._gone:
            without = self._answers[signer.absent_from :]
            served = (asked.answered for asked in self._idp.asked if asked.answer in without)
            self._gone[signer.key.kid] = next(served, NEVER)
        return self._gone[signer.key.kid]


@dataclass
class Sent:
    """A request, and what came of it."""

    at: float
    answered: float
    signer: Signer
    kind: str
    reply: Reply

    def is_past_withdrawal(self, rotation: Rotation) -> bool:
        return self.at > rotation.gone(self.signer) + TAKEN_UP

    def problem(self, rotation: Rotation) -> str | None:
        """What is wrong with the answer."""
        if self.answered - self.at > PATIENCE:
            return "it took too long"
        answer = (self.reply.status, self.reply.reason)
        # By the time it was answered the key was withdrawn: it may be unknown, and at some point must.
        may_be_unknown = self.signer.withdrawn is not None and self.answered > self.signer.withdrawn
        if answer == (401, "key_unknown") and self.kind != "anonymous":
            return None if may_be_unknown else "a valid key was refused"
        if self.is_past_withdrawal(rotation) and self.kind != "anonymous":
            return "a withdrawn key was taken"
        return None if answer == EXPECTED[self.kind] else "another answer was expected"


def test_twenty_thousand_requests_through_rotations_are_all_decided_right(upstream, tmp_path):
    idp = provider.Provider()
    rotation = Rotation(idp)
    timing = {"timeout": "2s", "refresh": "1s", "max_stale": "1h", "cooldown": "1s", "wait": "10s"}
    policy = fetched.policy(fetched.issuer(**timing))
    sent, lock, stop = [], threading.Lock(), threading.Event()

    def load(gate: Gate, seed: int) -> None:
        chance, connection, mine = random.Random(seed), gate.client.connection(), []
        while not stop.is_set():
            kind = chance.choices(["signing", "any", "flipped", "anonymous"], [60, 30, 5, 5])[0]
            signer = chance.choice(rotation.signers[-6:-1]) if kind == "any" else rotation.signing
            token = chance.choice(signer.tokens)
            token = {"anonymous": None, "flipped": flipped(token)}.get(kind, token)
            at = time.monotonic()
            reply = gate.client.request("GET", "/any/x", token=token, on=connection)
            mine.append(Sent(at, time.monotonic(), signer, kind, reply))
        connection.close()
        with lock:
            sent.extend(mine)

    with Gate.open(policy, upstream, tmp_path, tweak=fetched.clusters(idp=idp.port), concurrency=4) as gate:
        before = gate.envoy.vms()
        threads = [threading.Thread(target=load, args=(gate, seed)) for seed in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        while len(gate.client.sent) < REQUESTS or len(rotation.signers) < 8:
            time.sleep(PERIOD)
            rotation.turn()
        stop.set()
        for thread in threads:
            thread.join()

        problems = [(one.problem(rotation), one) for one in sent]
        assert [found for found in problems if found[0]][:3] == []
        withdrawn = sum(one.is_past_withdrawal(rotation) for one in sent)
        assert withdrawn > 100
        gate.envoy.audit.one(sent[-1].reply.request_id)
        counts = gate.envoy.audit.counts()
        assert {wanted: counts.get(wanted) for wanted in gate.client.sent if counts.get(wanted) != 1} == {}
        slowest = max(one.answered - one.at for one in sent)
        print(f"{len(sent)} requests, {len(rotation.signers) - 3} rotations, {idp.count()} fetches,")
        print(f"{withdrawn} with a key that was gone, the slowest took {slowest:.2f} s")
        assert gate.envoy.vms() == before
        assert gate.envoy.failures() == []
        assert fetched.eventually(lambda: fetched.waiting(gate) == 0)
    idp.stop()


@pytest.fixture
def openid(tmp_path):
    started = provider.OpenIdProvider(tmp_path)
    yield started
    started.stop()


def test_a_real_openid_provider_is_found_by_discovery_and_rotates_under_load(openid, upstream, tmp_path):
    policy = fetched.policy(
        {
            "name": "openid",
            "issuer": openid.issuer,
            "audiences": ["orders"],
            "profile": "at+jwt",
            "keys": {"discovery": {"cluster": "idp", "refresh": "1s", "cooldown": "1s", "wait": "10s"}},
        }
    )
    tokens = {"k1": openid.token()}
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc, port=port)
        permissive(config)
        fetched.clusters(idp=openid.port)(config)
        first: list[Reply] = []
        asking = threading.Thread(target=ask_until_answered, args=(Client(port), tokens["k1"], first))
        asking.start()
        with Gate.running(config, tmp_path, concurrency=4) as gate:
            asking.join()
            event = gate.check(first[0], 200, "allowed")
            assert first[0].seen("x-postern-client") == ["openid/billing-batch"]
            assert first[0].seen("x-postern-scopes") == ["orders.read"]
            assert event["actor"]["user"]["uid"].startswith("openid/")
            print(f"the first request took {event['duration']} ms")

            valid, wrong, stop, asked = {"k1"}, [], threading.Event(), []

            def load(seed: int) -> None:
                chance, connection = random.Random(seed), gate.client.connection()
                while not stop.is_set():
                    kid = chance.choice(sorted(valid))
                    reply = gate.client.request("GET", "/any/x", token=tokens[kid], on=connection)
                    asked.append(kid)
                    if reply.status != 200 and kid in valid:
                        wrong.append((kid, reply))
                connection.close()

            threads = [threading.Thread(target=load, args=(seed,)) for seed in range(4)]
            for thread in threads:
                thread.start()
            # As providers do: the new key is out before it signs, the old one after it did.
            openid.publish("k1", "k2", signing="k1")
            time.sleep(2)
            openid.publish("k2", "k1", signing="k2")
            tokens["k2"] = openid.token("orders.read orders.write")
            valid.add("k2")
            time.sleep(1)
            valid.discard("k1")
            openid.publish("k2", signing="k2")
            withdrawn = openid.counts()["/jwks"]
            assert fetched.eventually(lambda: openid.counts()["/jwks"] > withdrawn)
            time.sleep(TAKEN_UP)
            for _ in range(40):
                gate.check(gate.client.request("GET", "/any/x", token=tokens["k1"]), 401, "key_unknown")
            # As they should not: the new key signs at once. It is asked for once the cooldown is over.
            time.sleep(2)
            openid.publish("k3", "k2", signing="k3")
            tokens["k3"] = openid.token()
            gate.check(gate.client.request("GET", "/any/x", token=tokens["k3"]), 200, "allowed")
            stop.set()
            for thread in threads:
                thread.join()
            assert wrong[:3] == []
            assert set(asked) == {"k1", "k2"}
            assert gate.envoy.failures() == []
            fetches = "wasmcustom.postern.keys.openid.fetches.ok"
            assert fetched.eventually(lambda: gate.envoy.stats(fetches)[fetches] == openid.counts()["/jwks"])
            print(f"{len(asked)} requests, {openid.counts()}")
            assert not [name for name in gate.envoy.stats("wasmcustom.*fetches") if name != fetches]


def ask_until_answered(client: Client, token: str, replies: list[Reply]) -> None:
    """Asks as soon as anybody listens."""
    while not replies:
        try:
            replies.append(client.request("GET", "/any/x", token=token))
        except ConnectionRefusedError:
            time.sleep(0.001)

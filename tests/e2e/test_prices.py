"""What one request may have Envoy spend on signatures: how many are checked, told by the module's own count.

Never by a time: how long a check takes is for `docs/operations.md`, and measured elsewhere.
"""

import os

import fetched
import policies
import pytest
from lab import provider
from lab.gate import changed
from lab.issuer import Key, b64, compact, mint, now

LARGE = {"lenient": ["large_rsa"]}


def bare(key: Key) -> dict:
    """The key without its name."""
    return {name: value for name, value in key.jwk().items() if name != "kid"}


def wide(bits: int) -> dict:
    """A public key of that size, whose private half nobody has."""
    return {"kty": "RSA", "n": b64(b"\xa7" * (bits // 8)), "e": "AQAB"}


def policy(keys, jwk: list[dict], **issuer) -> dict:
    """The main policy with an issuer of these keys alone, and no pressure on the source."""
    main = policies.main(keys)
    corp = next(one for one in main["issuers"] if one["issuer"] == policies.CORP)
    mine = {**corp, "keys": {"inline": {"keys": jwk}}, **issuer}
    issuers = [mine if one is corp else one for one in main["issuers"]]
    return changed(main, issuers=issuers, source={"pressure": {"mode": "off"}})


def forged(alg: str, size: int, **claims) -> str:
    """A token that names no key, with a signature of that many bytes which nobody made."""
    claims = {"iss": policies.CORP, "exp": now() + 300, "jti": os.urandom(8).hex(), **claims}
    return compact({"alg": alg, "typ": "JWT"}, claims, lambda _: b"\x00" + os.urandom(size - 1))


def tried(gate) -> int:
    return sum(gate.envoy.stats("wasmcustom.postern.tokens.tried").values())


def ask(gate, token: str):
    return gate.client.request("GET", "/any/x", token=token)


@pytest.mark.parametrize(
    "alg, bits, count, issuer, checks, reason",
    [
        ("PS256", 2048, 8, {}, 2, "key_ambiguous"),
        ("PS256", 2048, 2, {}, 2, "signature_invalid"),
        ("PS256", 4096, 8, {}, 1, "key_ambiguous"),
        ("PS256", 8192, 8, LARGE, 1, "key_ambiguous"),
        ("PS256", 8192, 1, LARGE, 1, "signature_invalid"),
        # Envoy's own BoringSSL.
        ("RS256", 2048, 8, {}, 8, "signature_invalid"),
        ("RS256", 2048, 9, {}, 8, "key_ambiguous"),
        ("RS256", 8192, 8, LARGE, 5, "key_ambiguous"),
    ],
)
def test_a_request_has_no_more_signatures_checked_than_its_budget_has_room_for(
    opened, keys, alg, bits, count, issuer, checks, reason
):
    gate = opened(policy(keys, [wide(bits)] * count, **issuer))
    for number in range(1, 4):
        gate.check(ask(gate, forged(alg, bits // 8)), 401, reason)
        assert tried(gate) == number * checks
    assert gate.envoy.failures() == []


def test_the_old_key_and_the_new_one_are_both_tried_without_a_name(opened, keys):
    old, new, third = (Key.new("EdDSA") for _ in range(3))
    gate = opened(policy(keys, [bare(key) for key in (old, new, third)]))

    def signed(key: Key) -> str:
        return mint(key, policies.claims_for("EdDSA", jti=os.urandom(8).hex()), {"kid": None})

    for key in (old, new):
        gate.check(ask(gate, signed(key)), 200, "allowed")
    gate.check(ask(gate, signed(third)), 401, "key_ambiguous")


@pytest.mark.parametrize("lenient, checks, reason", [([], 0, "key_unknown"), (["large_rsa"], 1, "signature_invalid")])
def test_a_large_key_of_a_fetched_set_is_passed_over_unless_it_was_asked_for(opened, lenient, checks, reason):
    """In a configuration it is an error (tests/data/broken_configs.json)."""
    good = Key.new("ES256", "good")
    idp = provider.Provider()
    try:
        idp.answers[fetched.target("corp")] = provider.document({"keys": [good.jwk(), wide(8192)]})
        issuer = {**fetched.issuer(**fetched.FOREVER), **({"lenient": lenient} if lenient else {})}
        gate = opened(fetched.policy(issuer), tweak=fetched.clusters(idp=idp.port))
        gate.check(ask(gate, fetched.token(good)), 200, "allowed")
        gate.check(ask(gate, forged("PS256", 1024, iss="http://corp.example")), 401, reason)
        assert tried(gate) == 1 + checks
    finally:
        idp.stop()


def test_a_source_pays_for_what_its_tokens_cost(opened, keys):
    """Each of these is worth twelve ordinary failures, and 24 are there: two, and no third."""
    with_pressure = policy(keys, [wide(8192)], **LARGE)
    gate = opened(changed(with_pressure, source={"pressure": {"rate": "1/1h", "burst": 24}}))
    for _ in range(2):
        gate.check(ask(gate, forged("PS256", 1024)), 401, "signature_invalid")
    for _ in range(8):
        gate.check(ask(gate, forged("PS256", 1024)), 429, "source_throttled")
    assert tried(gate) == 2

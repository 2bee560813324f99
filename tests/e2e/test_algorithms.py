"""All thirteen algorithms in Envoy: six in its own BoringSSL, the others in the module, and no
difference to be seen from outside."""

import json

import policies
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lab.issuer import ALGORITHMS, b64, compact, flipped, mint, minted


def ask(gate, token):
    return gate.client.request("GET", "/v1/orders/1", token=token)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_signature_holds(gate, keys, alg):
    for _ in range(3):
        gate.check(ask(gate, keys.token(alg)), 200, "allowed")


def test_a_key_holds_whatever_members_of_it_hold_nothing(opened, keys):
    """As .NET writes keys: every member that it knows, null or empty where a key has none (RFC 7517 section 4)."""
    nothing = {"key_ops": [], "oth": [], "x5c": []} | dict.fromkeys(["x5t", "x5u", "d", "p", "q", "dp", "dq", "qi", "k"])
    policy = policies.main(keys)
    for issuer in policy["issuers"]:
        for key in issuer["keys"]["inline"]["keys"]:
            key |= {name: value for name, value in nothing.items() if name not in key}
    gate = opened(policy)
    for alg in ALGORITHMS:
        gate.check(ask(gate, keys.token(alg)), 200, "allowed")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_of_a_stranger_does_not(gate, keys, alg):
    gate.check(ask(gate, mint(keys.stranger[alg], policies.claims_for(alg))), 401, "signature_invalid")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_one_changed_bit_in_signature_or_payload_breaks_it(gate, keys, alg):
    token = keys.token(alg)
    for at in (0, 20, -10):
        gate.check(ask(gate, flipped(token, 2, at)), 401, "signature_invalid")
    header, _, signature = token.split(".")
    raised = b64(json.dumps(policies.claims_for(alg, scope="everything")).encode())
    gate.check(ask(gate, minted.token(f"{header}.{raised}.{signature}")), 401, "signature_invalid")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_of_another_length_does_not_hold(gate, keys, alg):
    signing_input, signature = keys.token(alg).rsplit(".", 1)
    for other in (b64(bytes(1)), b64(bytes(64)), b64(bytes(1024)), signature[: len(signature) // 8 * 4]):
        gate.check(ask(gate, minted.token(f"{signing_input}.{other}")), 401, "signature_invalid")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_an_ecdsa_signature_in_der_or_of_zeros_does_not_hold(gate, keys, alg):
    size = {"ES256": 32, "ES384": 48, "ES512": 66}[alg]
    header = {"alg": alg, "typ": "JWT", "kid": f"key-{alg}"}

    def der(message: bytes) -> bytes:
        raw = keys.good[alg].sign(message)
        return encode_dss_signature(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"))

    for sign in (der, lambda _: bytes(2 * size), lambda _: b"\xff" * 2 * size):
        gate.check(ask(gate, compact(header, policies.claims_for(alg), sign)), 401, "signature_invalid")


@pytest.mark.parametrize("family, bits", [(f, b) for f in ("RS", "PS", "HS") for b in ("256", "384", "512")])
def test_an_algorithm_that_is_not_the_keys_is_not_allowed(gate, keys, family, bits):
    """The same key could make the other signature; the key's own `alg` says which one counts."""
    own = f"{family}{bits}"
    other = f"{family}{'384' if bits == '256' else '256'}"
    token = mint(keys.good[own], policies.claims_for(own), alg=other)
    assert (ask(gate, token).status, ask(gate, token).reason) in {
        (401, "algorithm_not_allowed"),
        (401, "key_unknown"),
    }


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "RS1", "ES256K", "rs256", "A256GCM", "dir"])
def test_an_algorithm_that_nobody_allowed_is_refused(gate, name):
    token = compact({"alg": name, "typ": "JWT"}, policies.claims_for(), lambda _: b"")
    reply = ask(gate, token)
    assert reply.status == 401
    assert reply.reason in ("algorithm_not_allowed", "credential_malformed")


def test_a_key_in_the_token_is_never_used(gate, keys):
    stranger = keys.stranger["ES256"]
    embedded = {"jwk": stranger.jwk(), "jku": "https://attacker.example/keys", "x5u": "https://attacker.example/x"}
    reply = ask(gate, mint(stranger, policies.claims_for(), embedded))
    gate.check(reply, 401, "signature_invalid")


def test_a_key_of_another_issuer_is_never_used(gate, keys):
    token = mint(keys.good["HS256"], {**policies.claims_for("HS256"), "iss": policies.CORP})
    assert ask(gate, token).status == 401

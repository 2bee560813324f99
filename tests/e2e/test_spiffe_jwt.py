"""JWT-SVIDs on a real Envoy: by the bundle in the configuration, and beside another implementation."""

import json
import random

import fetched
import pytest
import spiffe_lab
from lab import issuer, provider
from lab.audit import reason
from lab.gate import Gate
from lab.issuer import ALGORITHMS, Key, compact, flipped, mint, now
from spiffe import JwtBundle, JwtSvid, TrustDomain
from spiffe_lab import PARTNER, PROD, READER, STRANGER, spiffe

SVID_ALGORITHMS = [alg for alg in ALGORITHMS if alg[:2] in ("RS", "PS", "ES")]
BUNDLE = "spire.example/bundle"


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    return spiffe_lab.Domains(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def signers():
    """One key an algorithm: those of the domain."""
    return {alg: Key.new(alg, f"svid-{alg}") for alg in SVID_ALGORITHMS}


@pytest.fixture(scope="module")
def bundle(signers):
    return issuer.bundle(*signers.values())


@pytest.fixture(scope="module")
def workloads(domains, bundle, keys, upstream, tmp_path_factory):
    policy = domains.policy(keys)
    policy["trust_domains"][0]["jwt_svid"]["bundle"] = {"inline": bundle}
    with Gate.open(policy, upstream, tmp_path_factory.mktemp("workloads")) as opened:
        yield opened


def claims(**changes) -> dict:
    full = {"sub": spiffe(), "aud": ["orders"], "exp": now() + 3600, **changes}
    return {name: value for name, value in full.items() if value is not None}


@pytest.mark.parametrize("alg", SVID_ALGORITHMS)
def test_each_of_the_nine_algorithms_is_taken(workloads, signers, alg):
    reply = workloads.client.request("GET", "/workloads/x", token=mint(signers[alg], claims()))
    event = workloads.check(reply, 200, "allowed", proven_by="jwt_svid", issuer=spiffe(""))
    assert event["actor"]["user"]["uid"] == spiffe()
    assert reply.seen("x-postern-identity") == [spiffe()]
    assert reply.seen("authorization") == []


def test_each_defect_has_its_reason(workloads, domains, signers):
    es, rs = signers["ES256"], signers["RS256"]
    edward = Key.new("EdDSA", "svid-ES256")
    secret = Key.new("HS256", "svid-ES256")
    late, early = now() - 31, now() + 120
    cases = [
        (mint(es, claims(exp=late)), "token_expired"),
        (mint(es, claims(exp=None)), "claim_missing"),
        (mint(es, claims(nbf=early)), "token_not_yet_valid"),
        (mint(es, claims(iat=early)), "token_not_yet_valid"),
        (mint(es, claims(aud="others")), "audience_mismatch"),
        (mint(es, claims(aud=[])), "audience_mismatch"),
        (mint(es, claims(aud=None)), "claim_missing"),
        (mint(es, claims(aud=7)), "claim_missing"),
        (mint(es, claims(sub=None)), "issuer_unknown"),
        (mint(es, claims(sub="robot-7")), "issuer_unknown"),
        (mint(es, claims(sub="spiffe://prod.example/")), "svid_invalid"),
        (mint(es, claims(sub="spiffe://prod.example/a//b")), "svid_invalid"),
        (mint(es, claims(sub="spiffe://PROD.example/a")), "svid_invalid"),
        (mint(es, claims(sub="SPIFFE://prod.example/a")), "svid_invalid"),
        (mint(es, claims(sub=spiffe(READER, STRANGER))), "trust_domain_unknown"),
        # Another domain's name under this domain's key, and the other way round.
        (mint(es, claims(sub=spiffe(READER, PARTNER))), "key_unknown"),
        (domains.token(READER, PROD, signed_by=PARTNER), "key_unknown"),
        (mint(Key(f"{PARTNER}-1", es.alg, es.private), claims(sub=spiffe(READER, PARTNER))), "signature_invalid"),
        (mint(es, claims(), {"kid": "svid-RS256"}), "algorithm_not_allowed"),
        (mint(es, claims(), {"kid": "nobody"}), "key_unknown"),
        (mint(es, claims(), {"typ": "at+jwt"}), "type_mismatch"),
        (mint(es, claims(), {"typ": "jwt"}), "type_mismatch"),
        (mint(es, claims(), {"crit": ["exp"], "exp": 1}), "credential_malformed"),
        (mint(edward, claims()), "algorithm_not_allowed"),
        (mint(secret, claims()), "algorithm_not_allowed"),
        (flipped(mint(es, claims())), "signature_invalid"),
        (flipped(mint(rs, claims()), part=1), None),
        (mint(Key("svid-ES256", "ES256", Key.new("ES256").private), claims()), "signature_invalid"),
    ]
    for token, expected in cases:
        reply = workloads.client.request("GET", "/any/x", token=token)
        event = workloads.envoy.audit.one(reply.request_id)
        assert reply.status == 401, (expected, reply)
        assert expected in (None, reason(event)), (expected, event)
        assert event["actor"]["user"].get("uid") is None
    for typ in (None, "JWT", "JOSE"):
        token = mint(es, claims(), {"typ": typ})
        workloads.check(workloads.client.request("GET", "/any/x", token=token), 200, "allowed")


def test_another_domain_is_verified_by_its_own_bundle(workloads, domains):
    token = domains.token(READER, PARTNER)
    event = workloads.check(workloads.client.request("GET", "/any/x", token=token), 200, "allowed")
    assert event["actor"]["user"]["uid"] == spiffe(READER, PARTNER)
    workloads.check(workloads.client.request("GET", "/workloads/x", token=token), 403, "not_allowed")


def generated(signers: dict[str, Key], count: int) -> list[tuple[str, str]]:
    """Tokens good and bad, each with what was done to it; the same ones every time but for signatures."""
    chance = random.Random(20261124)
    stranger = {alg: Key(key.kid, alg, Key.new(alg).private) for alg, key in signers.items()}
    subjects = [spiffe(), spiffe("/a"), spiffe("/ns/a-b/sa/c_d.e"), spiffe("/A/b")]
    bad_subjects = ["", "me", "https://prod.example/a", "spiffe://prod.example//a", spiffe("/a/"), spiffe("/a/./b"),
                    spiffe("/a/%41"), spiffe("/a?b"), spiffe("/a#b"), "spiffe://prod.example:80/a",
                    "spiffe://u@prod.example/a", "spiffe:///a", "spiffe://", spiffe("/ä"), None, 7]  # fmt: skip
    defects = {
        "none": lambda c, h: None,
        "none again": lambda c, h: c.update(aud=chance.choice(["orders", ["a", "orders"], ["orders", "b"]])),
        "more claims": lambda c, h: c.update(jti="1", iss="https://anyone.example", nested={"a": [1]}),
        "in time by its nbf": lambda c, h: c.update(nbf=now() - 60, iat=now() - 60),
        "expired": lambda c, h: c.update(exp=now() - chance.randint(120, 9999)),
        "no exp": lambda c, h: c.pop("exp"),
        "exp a text": lambda c, h: c.update(exp="tomorrow"),
        "audience": lambda c, h: c.update(aud=chance.choice([["others"], "Orders", ["orders "], []])),
        "no aud": lambda c, h: c.pop("aud"),
        "subject": lambda c, h: c.update(sub=chance.choice(bad_subjects)),
        "other domain": lambda c, h: c.update(sub=spiffe("/a", chance.choice([PARTNER, STRANGER, "prod.example.evil"]))),
        "unknown key": lambda c, h: h.update(kid="nobody"),
        "typ JOSE": lambda c, h: h.update(typ="JOSE"),
        "other typ": lambda c, h: h.update(typ=chance.choice(["at+jwt", "dpop+jwt", "x"])),
    }  # fmt: skip
    tokens = []
    for number in range(count):
        alg = SVID_ALGORITHMS[number % len(SVID_ALGORITHMS)]
        name = chance.choice(list(defects) + ["forged", "flipped", "alg"])
        body, header = claims(sub=chance.choice(subjects)), {}
        defects.get(name, defects["none"])(body, header)
        body = {claim: value for claim, value in body.items() if value is not None}
        signer = stranger[alg] if name == "forged" else signers[alg]
        token = mint(signer, body, header)
        if name == "flipped":
            token = flipped(token, chance.choice([1, 2]), chance.randint(5, 40))
        if name == "alg":
            other = chance.choice([a for a in SVID_ALGORITHMS if a != alg])
            full = {"alg": other, "kid": signer.kid, "typ": "JWT"}
            token = compact(full, body, signer.sign)
        tokens.append((f"{alg} {name}", token))
    return tokens


def test_the_verdict_is_that_of_another_implementation(domains, workloads, signers, bundle):
    """On each of 360 generated tokens, PyPI's spiffe says what Postern says."""
    theirs = {
        PROD: JwtBundle.parse(TrustDomain(PROD), json.dumps(bundle).encode()),
        PARTNER: JwtBundle.parse(TrustDomain(PARTNER), json.dumps(domains.bundle(PARTNER)).encode()),
    }

    def other(token: str) -> bool:
        try:
            domain = JwtSvid.parse_insecure(token, {"orders"}).spiffe_id.trust_domain.name
            JwtSvid.parse_and_validate(token, theirs[domain], {"orders"})
            return True
        except Exception:  # Whatever it is, it is no yes.
            return False

    kept = workloads.client.connection()
    verdicts, differences = {True: 0, False: 0}, []
    for what, token in generated(signers, 360):
        reply = workloads.client.request("GET", "/any/x", token=token, on=kept)
        ours = reply.status == 200
        verdicts[ours] += 1
        if ours != other(token):
            differences.append((what, reply.reason))
    assert differences == []
    assert min(verdicts.values()) > 80, verdicts
    kept.close()


@pytest.fixture
def spire():
    started = provider.Provider()
    yield started
    started.stop()


def endpoint(domains, keys, **timing) -> dict:
    """A policy whose first domain has a bundle endpoint."""
    policy = domains.policy(keys)
    remote = {"cluster": "spire", "uri": f"http://{BUNDLE}", **fetched.QUICK, **timing}
    policy["trust_domains"][0]["jwt_svid"]["bundle"] = {"remote": remote}
    return policy


def serve(spire, *signers: Key, **members) -> None:
    spire.answers[BUNDLE] = provider.document({**issuer.bundle(*signers), **members})


def metric(gate: Gate, name: str) -> int:
    return gate.envoy.stats("postern.bundles").get(f"wasmcustom.postern.bundles.{PROD}.{name}", 0)


def test_a_bundle_endpoint_is_fetched_followed_and_held(domains, keys, upstream, tmp_path, spire):
    """First bundle, rotation, rollback refused, outage outlived up to max_stale, and back."""
    first, second = Key.new("ES256", "first"), Key.new("ES256", "second")
    old, new = (mint(key, claims()) for key in (first, second))
    tweak = fetched.clusters(spire=spire.port)
    serve(spire, first, spiffe_sequence=5)
    with Gate.open(endpoint(domains, keys), upstream, tmp_path, tweak=tweak, concurrency=4) as gate:

        def ask(token) -> str:
            return gate.client.request("GET", "/workloads/x", token=token).reason

        def everywhere(token, expected) -> bool:
            return all(ask(token) == expected for _ in range(16))

        before = gate.envoy.vms()
        assert ask(old) == "allowed"
        assert ask(new) == "key_unknown"
        serve(spire, second, spiffe_sequence=6)
        assert fetched.eventually(lambda: everywhere(new, "allowed") and everywhere(old, "key_unknown"))
        # An older bundle, and one that has lost its number, are refused; the last good one stays.
        serve(spire, first, spiffe_sequence=5)
        assert fetched.eventually(lambda: metric(gate, "fetches.sequence_rollback") >= 2)
        assert everywhere(new, "allowed") and everywhere(old, "key_unknown")
        serve(spire, first)
        count = metric(gate, "fetches.sequence_rollback")
        assert fetched.eventually(lambda: metric(gate, "fetches.sequence_rollback") > count)
        assert everywhere(new, "allowed") and everywhere(old, "key_unknown")
        assert "spiffe_sequence went back from 6 to 5" in gate.envoy.log()
        # The same number again is taken.
        serve(spire, second, first, spiffe_sequence=6)
        assert fetched.eventually(lambda: everywhere(old, "allowed"))
        spire.down()
        assert everywhere(new, "allowed")
        assert fetched.eventually(lambda: ask(new) == "keys_unavailable", timeout=30)
        reply = gate.client.request("GET", "/workloads/x", token=new)
        event = gate.check(reply, 503, "keys_unavailable")
        assert fetched.keys_of(event)["failure"] in ("status", "no_answer", "not_dispatched")
        spire.up()
        assert fetched.eventually(lambda: everywhere(new, "allowed"), timeout=90)
        assert gate.envoy.vms() == before
        assert gate.envoy.failures() == []


def test_an_empty_bundle_revokes_everything_of_its_domain(domains, keys, upstream, tmp_path, spire):
    signer = Key.new("ES256", "first")
    reader, partner = domains.prod.workload(READER), domains.authorities[PARTNER].workload(READER)
    token, theirs = mint(signer, claims()), domains.token(READER, PARTNER)
    tweak = spiffe_lab.changes(fetched.clusters(spire=spire.port), spiffe_lab.mutual_tls(domains))
    serve(spire, signer, spiffe_sequence=1)
    with Gate.open(endpoint(domains, keys, refresh="2s"), upstream, tmp_path, tweak=tweak, concurrency=4) as gate:
        by_token, by_certificate, other = (spiffe_lab.caller(gate, one) for one in (None, reader, partner))

        def asked() -> set[str]:
            """By token and by certificate, on connections enough for every worker."""
            reasons = {by_token.request("GET", "/workloads/x", token=token).reason for _ in range(8)}
            return reasons | {by_certificate.request("GET", "/workloads/x").reason for _ in range(8)}

        assert asked() == {"allowed"}
        serve(spire, spiffe_sequence=2)
        assert fetched.eventually(lambda: asked() == {"svid_invalid"}), asked()
        reply = by_certificate.request("GET", "/workloads/x")
        assert "has revoked all its keys" in reply.json["detail"]
        # The other domain's are as good as before, and so are the issuer's tokens.
        assert other.request("GET", "/any/x").reason == "allowed"
        assert by_token.request("GET", "/any/x", token=theirs).reason == "allowed"
        assert by_token.request("GET", "/any/x", token=keys.token()).reason == "allowed"
        serve(spire, signer, spiffe_sequence=3)
        assert fetched.eventually(lambda: asked() == {"allowed"})


def test_the_bundles_own_hint_shortens_the_refresh_within_bounds(domains, keys, upstream, tmp_path, spire):
    signer = Key.new("ES256", "first")
    tweak = fetched.clusters(spire=spire.port)
    timing = {"refresh": "1h", "max_stale": "2h", "cooldown": "1s"}
    serve(spire, signer, spiffe_refresh_hint=0)
    with Gate.open(endpoint(domains, keys, **timing), upstream, tmp_path, tweak=tweak) as gate:
        assert fetched.eventually(lambda: metric(gate, "fetches.ok") >= 6)
        # No more often than the cooldown allows, a tenth less. One that is late, as the provider saw it,
        # is nearer to the next: what counts is how many there were in all that time.
        seen = [one.at for one in spire.asked]
        assert seen[-1] - seen[0] > 0.8 * (len(seen) - 1)
        serve(spire, signer, spiffe_refresh_hint=999_999)
        assert fetched.eventually(lambda: spire.asked[-1].answer is spire.answers[BUNDLE])
        count = spire.count()
        assert not fetched.eventually(lambda: spire.count() > count, timeout=3)


@pytest.mark.parametrize("body, cause", [
    (b"{}", "bad_bundle"), (b'{"keys": 7}', "bad_bundle"), (b'{"keys": [], "spiffe_sequence": -1}', "bad_bundle"),
    (b'{"keys": [], "keys": []}', "not_json"), (b"<html>", "not_json"),
])  # fmt: skip
def test_what_is_no_bundle_revokes_nothing(domains, keys, upstream, tmp_path, spire, body, cause):
    signer = Key.new("ES256", "first")
    tweak = fetched.clusters(spire=spire.port)
    serve(spire, signer)
    with Gate.open(endpoint(domains, keys), upstream, tmp_path, tweak=tweak) as gate:
        token = mint(signer, claims())
        assert gate.client.request("GET", "/workloads/x", token=token).reason == "allowed"
        spire.answers[BUNDLE] = provider.answer(body)
        assert fetched.eventually(lambda: metric(gate, f"fetches.{cause}") > 0)
        assert gate.client.request("GET", "/workloads/x", token=token).reason == "allowed"

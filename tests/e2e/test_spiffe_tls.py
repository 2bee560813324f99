"""X.509-SVIDs by mutual TLS into a real Envoy, alone and beside tokens."""

import http.client
import ssl
import threading
import time
from collections import Counter
from datetime import timedelta

import grpc
import pytest
import spiffe_lab
from lab import envoy, pki
from lab.gate import Gate
from lab.upstream import GRPC_METHOD
from spiffe_lab import PARTNER, READER, STRANGER, caller, spiffe, unmapped


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    return spiffe_lab.Domains(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def mesh(domains, keys, upstream, tmp_path_factory):
    """A gate whose callers may present certificates."""
    # What callers forge must reach the filter: this is the setting that lets it.
    tweak = spiffe_lab.changes(spiffe_lab.mutual_tls(domains), spiffe_lab.forwarding("ALWAYS_FORWARD_ONLY"))
    with Gate.open(domains.policy(keys), upstream, tmp_path_factory.mktemp("mesh"), tweak=tweak) as opened:
        yield opened


@pytest.fixture(scope="module")
def reader(domains):
    return domains.prod.workload(READER)


def test_a_workload_calls_without_any_token(mesh, reader):
    reply = caller(mesh, reader).request("GET", "/workloads/x")
    event = mesh.check(reply, 200, "allowed", proven_by="x509_svid", issuer=spiffe(""), client=None, beside=None)
    assert event["actor"]["user"]["uid"] == spiffe()
    assert reply.seen("x-postern-identity") == [spiffe()]
    assert reply.seen("x-postern-client") == []


BROKEN = {
    "no URI": ((), 401, "svid_invalid", "no URI SAN"),
    "two URIs": ((spiffe(), spiffe("/other")), 401, "svid_invalid", "2 URI SANs"),
    "the same URI twice": ((spiffe(), spiffe()), 401, "svid_invalid", "2 URI SANs"),
    "a foreign URI behind a good one": ((spiffe(), "https://a.example/x"), 401, "svid_invalid", "2 URI SANs"),
    "a URI of another kind": (("https://prod.example/ns/shop/sa/reader",), 401, "svid_invalid", "URI SAN"),
    "a domain in upper case": (("spiffe://PROD.example/ns/shop/sa/reader",), 401, "svid_invalid", "URI SAN"),
    "a path with dots": ((spiffe("/ns/shop/../sa/reader"),), 401, "svid_invalid", "URI SAN"),
    "the domain itself": ((spiffe(""),), 401, "svid_invalid", "no workload"),
    "a domain that is not configured": ((spiffe(READER, STRANGER),), 401, "trust_domain_unknown", STRANGER),
    "a workload that is not allowed": ((spiffe("/ns/shop/sa/writer"),), 403, "not_allowed", "writer"),
    "a workload of the other domain": ((spiffe(READER, PARTNER),), 403, "not_allowed", PARTNER),
}


@pytest.mark.parametrize("uris, status, reason, detail", BROKEN.values(), ids=BROKEN)
def test_a_certificate_is_an_identity_only_where_it_names_one_workload(mesh, domains, uris, status, reason, detail):
    client = caller(mesh, domains.prod.issue(*uris, dns=("a.example",)))
    reply = client.request("GET", "/workloads/x")
    mesh.check(reply, status, reason)
    assert detail in reply.json["detail"]
    # Asked again, what is remembered says the same.
    assert client.request("GET", "/workloads/x").reason == reason
    if status == 401:
        assert reply.header("www-authenticate").startswith("Bearer ")
        assert 'error="invalid_token"' in reply.header("www-authenticate")


def test_a_certificate_that_may_sign_others_is_no_identity(mesh, domains):
    authority = domains.prod.issue(spiffe(), ca=True, signs_certificates=True)
    signer = domains.prod.issue(spiffe(), signs_certificates=True)
    for certificate in (authority, signer):
        try:
            reply = caller(mesh, certificate).request("GET", "/workloads/x")
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            # Envoy may refuse it first, for the key usage.
            continue
        mesh.check(reply, 401, "svid_invalid")


def test_without_certificate_and_token_nobody_calls(mesh):
    client = caller(mesh)
    for path in ("/workloads/x", "/any/x", "/both/x", "/same/x", "/corp/x"):
        mesh.check(client.request("GET", path), 401, "credential_missing")
    mesh.check(client.request("GET", "/public/x"), 200, "allowed")


def test_an_expired_certificate_is_refused_by_envoy(mesh, domains):
    late = domains.prod.workload(READER, begins=timedelta(hours=-2), ends=timedelta(hours=-1))
    early = domains.prod.workload(READER, begins=timedelta(hours=1), ends=timedelta(hours=2))
    for certificate in (late, early):
        before = mesh.envoy.stats("ssl.fail_verify_error")
        client = caller(mesh, certificate)
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            client.request("GET", "/workloads/x")
        after = mesh.envoy.stats("ssl.fail_verify_error")
        assert sum(after.values()) == sum(before.values()) + 1
        assert mesh.envoy.audit.of(client.sent[-1], timeout=0.2) == []


def test_each_route_gets_the_identities_that_it_asks_for(mesh, domains, keys, reader):
    corp, svid = keys.token(), domains.token()
    other = domains.prod.workload("/ns/shop/sa/writer")
    corps, workload = "corp/robot-7", spiffe()
    cases = [
        # path, certificate, token, status, reason, who decided, how, who stood beside
        ("/any/x", reader, None, 200, "allowed", workload, "x509_svid", None),
        ("/any/x", reader, corp, 200, "allowed", corps, "jwt", workload),
        ("/any/x", None, svid, 200, "allowed", workload, "jwt_svid", None),
        ("/any/x", other, svid, 200, "allowed", workload, "jwt_svid", spiffe("/ns/shop/sa/writer")),
        ("/corp/x", reader, None, 401, "credential_missing", None, None, None),
        ("/corp/x", None, svid, 403, "not_allowed", workload, "jwt_svid", None),
        ("/corp/x", None, corp, 200, "allowed", corps, "jwt", None),
        ("/workloads/x", None, svid, 200, "allowed", workload, "jwt_svid", None),
        ("/workloads/x", reader, corp, 200, "allowed", corps, "jwt", workload),
        ("/workloads/x", other, corp, 403, "not_allowed", corps, "jwt", spiffe("/ns/shop/sa/writer")),
        ("/workloads/x", None, corp, 403, "not_allowed", corps, "jwt", None),
        ("/both/x", reader, corp, 200, "allowed", corps, "jwt", workload),
        ("/both/x", reader, None, 401, "credential_missing", None, None, None),
        ("/both/x", reader, svid, 403, "not_allowed", workload, "jwt_svid", workload),
        ("/both/x", other, corp, 403, "not_allowed", corps, "jwt", spiffe("/ns/shop/sa/writer")),
        ("/both/x", None, corp, 403, "not_allowed", corps, "jwt", None),
        ("/same/x", reader, svid, 200, "allowed", workload, "jwt_svid", workload),
        ("/same/x", other, svid, 403, "not_allowed", workload, "jwt_svid", spiffe("/ns/shop/sa/writer")),
        ("/same/x", None, svid, 403, "not_allowed", workload, "jwt_svid", None),
        ("/same/x", reader, corp, 403, "not_allowed", corps, "jwt", workload),
        ("/same/x", reader, None, 401, "credential_missing", None, None, None),
        ("/v1/orders/7", reader, None, 401, "credential_missing", None, None, None),
        ("/v1/orders/7", reader, corp, 200, "allowed", corps, "jwt", workload),
        ("/v1/orders/7", reader, svid, 403, "scope_missing", workload, "jwt_svid", workload),
    ]
    for path, certificate, token, status, reason, who, how, beside in cases:
        reply = caller(mesh, certificate).request("GET", path, token=token)
        event = mesh.check(reply, status, reason, proven_by=how)
        user = event["actor"]["user"]
        assert user.get("uid") == who, (path, event)
        beside = beside and {"identity": beside, "proven_by": "x509_svid"}
        assert unmapped(event, "beside") == (beside,), (path, event)
        if status == 200:
            assert reply.seen("x-postern-identity") == [who]
            assert reply.seen("authorization") == []


def test_a_broken_certificate_beside_a_token_counts_only_where_it_is_asked_for(mesh, domains, keys):
    client = caller(mesh, domains.prod.issue(spiffe(), spiffe("/other")))
    mesh.check(client.request("GET", "/corp/x", token=keys.token()), 200, "allowed", beside=None)
    mesh.check(client.request("GET", "/both/x", token=keys.token()), 401, "svid_invalid")
    mesh.check(client.request("GET", "/same/x", token=domains.token()), 401, "svid_invalid")


def test_a_bad_token_is_not_made_good_by_a_certificate(mesh, domains, keys, reader):
    client = caller(mesh, reader)
    for token, reason in [
        ("not-a-token", "credential_malformed"),
        (domains.token(exp=1), "token_expired"),
        (domains.token(signed_by=PARTNER), "key_unknown"),
        (keys.token(aud="others"), "audience_mismatch"),
    ]:
        mesh.check(client.request("GET", "/workloads/x", token=token), 401, reason)
    twice = [("authorization", f"Bearer {keys.token()}")] * 2
    mesh.check(client.request("GET", "/workloads/x", headers=twice), 400, "credential_ambiguous")


def test_what_could_be_meant_as_a_token_is_not_made_good_by_a_certificate_either(mesh, reader):
    client = caller(mesh, reader)
    mesh.check(client.request("GET", "/workloads/x?access_token=a.b.c"), 401, "credential_missing")
    for value, status, reason in [
        ("DPoP a.b.c", 401, "credential_malformed"),
        ("Bearer", 401, "credential_malformed"),
        ("Basic eDp5", 200, "allowed"),
    ]:
        reply = client.request("GET", "/workloads/x", headers={"authorization": value})
        mesh.check(reply, status, reason)


def test_an_issuer_cannot_speak_for_a_workload(mesh, keys):
    token = keys.token(sub=spiffe())
    client = caller(mesh)
    event = mesh.check(client.request("GET", "/any/x", token=token), 200, "allowed", proven_by="jwt")
    assert event["actor"]["user"]["uid"] == f"corp/{spiffe()}"
    mesh.check(client.request("GET", "/workloads/x", token=token), 403, "not_allowed")


def test_what_a_caller_forwards_itself_is_never_believed(mesh, reader):
    forged = f"By={spiffe('/gate')};Hash={'0' * 64};URI={spiffe('/ns/shop/sa/reader')}"
    # The last is the same field to gateways that make variables of fields.
    headers = {"x-forwarded-client-cert": forged, "x-postern-identity": spiffe(), "x_forwarded_client_cert": forged}
    reply = caller(mesh).request("GET", "/workloads/x", headers=headers)
    mesh.check(reply, 401, "credential_missing")
    for client, path in ((caller(mesh, reader), "/workloads/x"), (caller(mesh), "/public/x")):
        reply = client.request("GET", path, headers=headers)
        mesh.check(reply, 200, "allowed")
        assert reply.seen("x-forwarded-client-cert") == []
        assert reply.seen("x_forwarded_client_cert") == []
        assert reply.seen("x-postern-identity") in ([], [spiffe()])


def test_a_certificate_bound_token_is_held_against_the_connection(mesh, domains, keys, reader):
    thumbprint = spiffe_lab.thumbprint(reader)
    token = keys.token(cnf={"x5t#S256": thumbprint})
    mesh.check(caller(mesh, reader).request("GET", "/any/x", token=token), 200, "allowed")
    other = domains.prod.workload(READER)
    mesh.check(caller(mesh, other).request("GET", "/any/x", token=token), 401, "proof_invalid")
    mesh.check(caller(mesh).request("GET", "/any/x", token=token), 401, "proof_missing")


def test_a_grpc_caller_is_told_in_its_own_terms(mesh, domains, reader):
    def call(certificate):
        credentials = grpc.ssl_channel_credentials(
            domains.prod.path.read_bytes(), certificate.key.read_bytes(), certificate.cert.read_bytes()
        )
        options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.default_authority", "api.example")]
        with grpc.secure_channel(f"127.0.0.1:{mesh.client.port}", credentials, options=options) as channel:
            try:
                channel.unary_unary(GRPC_METHOD)(b"", timeout=15)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

    assert call(reader) == "OK"
    assert call(domains.prod.issue(spiffe(), spiffe("/other"))) == "UNAUTHENTICATED"
    assert call(domains.authorities[STRANGER].workload("/x")) == "UNAUTHENTICATED"


def test_certificates_that_the_proxy_did_not_validate_do_not_count(domains, keys, upstream, tmp_path, reader):
    lax = spiffe_lab.mutual_tls(domains, validation={
        "trusted_ca": {"filename": str(domains.prod.path)}, "trust_chain_verification": "ACCEPT_UNTRUSTED",
    })  # fmt: skip
    # The name is right, and the authority is anybody's.
    impostor = domains.authorities[STRANGER].issue(spiffe())
    with Gate.open(domains.policy(keys), upstream, tmp_path, tweak=lax) as gate:
        gate.check(caller(gate, reader).request("GET", "/workloads/x"), 200, "allowed")
        reply = caller(gate, impostor).request("GET", "/workloads/x")
        gate.check(reply, 401, "svid_invalid")
        assert "validated" in reply.json["detail"]


def resumed(gate: Gate, certificate: pki.Certificate, until: float = 0) -> tuple:
    """The answers on a new TLS session and, from an instant on, on the same one resumed, and whether it was."""
    client, answers, session = caller(gate, certificate), [], None
    for number in range(2):
        time.sleep(max(0.0, until - time.time()) * number)
        connection = client.connection()
        connection.sock = client.tls.wrap_socket(client.socket(), session=session)
        answers.append(client.request("GET", "/workloads/x", on=connection))
        session, reused = connection.sock.session, connection.sock.session_reused
        connection.close()
    return *answers, reused


@pytest.mark.parametrize("validated, expected", [("reported", "svid_invalid"), ("always", "allowed")])
def test_a_resumed_session_counts_only_where_the_listener_is_known_to_be_strict(
    domains, keys, upstream, tmp_path, reader, validated, expected
):
    policy = domains.policy(keys, trust_domains=domains.trust_domains({"from": "tls", "validated": validated}))
    tweak = spiffe_lab.mutual_tls(domains, resumption=True)
    with Gate.open(policy, upstream, tmp_path, tweak=tweak) as gate:
        first, second, was_resumed = resumed(gate, reader)
        assert was_resumed
        gate.check(first, 200, "allowed")
        gate.check(second, 200 if expected == "allowed" else 401, expected)


def test_an_expired_certificate_is_not_revived_by_a_resumed_session(domains, keys, upstream, tmp_path):
    """The session may outlive the certificate, and Envoy looks at neither again."""
    policy = domains.policy(keys, trust_domains=domains.trust_domains({"from": "tls", "validated": "always"}))
    with Gate.open(policy, upstream, tmp_path, tweak=spiffe_lab.mutual_tls(domains, resumption=True)) as gate:
        first, second, was_resumed = resumed(gate, domains.prod.workload(READER))
        assert was_resumed
        gate.check(second, 200, "allowed")
        # Long enough to call once on a slow machine.
        brief = domains.prod.workload(READER, ends=timedelta(seconds=12))
        first, second, was_resumed = resumed(gate, brief, until=time.time() + 13)
        assert was_resumed and first.status == 200
        gate.check(second, 401, "svid_invalid")
        assert "expired" in second.json["detail"]


def test_a_listener_that_resumes_nothing_needs_no_such_trust(mesh, reader):
    first, second, was_resumed = resumed(mesh, reader)
    assert not was_resumed
    for reply in (first, second):
        mesh.check(reply, 200, "allowed")


def test_an_authority_speaks_for_its_own_domain_alone_where_envoy_validates_by_spiffe(
    domains, keys, upstream, tmp_path, reader
):
    """With one list of authorities Envoy takes any name from any of them; its SPIFFE validator does not."""

    def by_spiffe(bootstrap: dict) -> None:
        spiffe_lab.mutual_tls(domains)(bootstrap)
        socket = envoy.gate(bootstrap)["filter_chains"][0]["transport_socket"]["typed_config"]
        socket["common_tls_context"]["validation_context"] = spiffe_lab.by_spiffe(domains)

    impostor = domains.authorities[PARTNER].issue(spiffe())
    with Gate.open(domains.policy(keys), upstream, tmp_path / "list", tweak=spiffe_lab.mutual_tls(domains)) as gate:
        gate.check(caller(gate, impostor).request("GET", "/workloads/x"), 200, "allowed")
    with Gate.open(domains.policy(keys), upstream, tmp_path / "spiffe", tweak=by_spiffe) as gate:
        gate.check(caller(gate, reader).request("GET", "/workloads/x"), 200, "allowed")
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            caller(gate, impostor).request("GET", "/workloads/x")


def test_many_workloads_at_once_are_told_apart_on_every_worker(domains, keys, upstream, tmp_path):
    workloads = {f"/ns/n{number}/sa/reader": domains.prod.workload(f"/ns/n{number}/sa/reader") for number in range(16)}
    wrong, lock = Counter(), threading.Lock()

    def ask(gate: Gate, path: str, certificate: pki.Certificate) -> None:
        client = caller(gate, certificate)
        for _ in range(4):
            kept = client.connection()
            for _ in range(10):
                reply = client.request("GET", "/workloads/x", on=kept)
                if reply.status != 200 or reply.seen("x-postern-identity") != [spiffe(path)]:
                    with lock:
                        wrong[path, reply.status, reply.reason] += 1
            kept.close()

    with Gate.open(
        domains.policy(keys), upstream, tmp_path, tweak=spiffe_lab.mutual_tls(domains), concurrency=4
    ) as gate:
        before = gate.envoy.vms()
        threads = [threading.Thread(target=ask, args=(gate, *pair)) for pair in workloads.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == {}
        assert len([count for count in gate.envoy.worker_connections().values() if count]) == 4
        assert gate.envoy.vms() == before
        assert len(gate.envoy.audit.events()) == 16 * 40


def test_the_mesh_is_unharmed(mesh, keys, domains, reader):
    mesh.check(caller(mesh, reader).request("GET", "/workloads/x"), 200, "allowed")
    mesh.check(caller(mesh).request("GET", "/corp/x", token=keys.token()), 200, "allowed")
    assert mesh.envoy.failures() == []

"""Two Envoys in a row: the edge speaks mutual TLS with callers and forwards what they presented."""

import contextlib
import http.client
import ssl

import pytest
import spiffe_lab
from lab import envoy, pki
from lab.client import Client
from lab.gate import Gate
from lab.upstream import Upstream
from spiffe_lab import INGRESS, PARTNER, READER, STRANGER, caller, spiffe, unmapped

XFCC = "x-forwarded-client-cert"
BELIEVED = {"from": "xfcc"}
EDGE = {"trusted_peers": [spiffe(INGRESS)]}


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    return spiffe_lab.Domains(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def reader(domains):
    return domains.prod.workload(READER)


class Edge:
    """An Envoy without Postern before a gate: what callers present is forwarded in a header."""

    def __init__(
        self,
        domains,
        gate: Gate,
        directory,
        *,
        details: str,
        certificate: pki.Certificate | None,
        source="",
        by_spiffe=False,
    ):
        self.details = details
        config = envoy.bootstrap("{}", http=gate.client.port, grpc=gate.client.port)
        filters = envoy.hcm(envoy.gate(config))["http_filters"]
        filters[:] = [one for one in filters if one["name"] != "postern"]
        spiffe_lab.changes(spiffe_lab.mutual_tls(domains), spiffe_lab.forwarding(details))(config)
        if by_spiffe:
            socket = envoy.gate(config)["filter_chains"][0]["transport_socket"]["typed_config"]
            socket["common_tls_context"]["validation_context"] = spiffe_lab.by_spiffe(domains)
        cluster = config["static_resources"]["clusters"][0]
        if source:
            cluster["upstream_bind_config"] = {"source_address": {"address": source, "port_value": 0}}
        if certificate:
            common = {"tls_certificates": spiffe_lab.certificates(certificate)}
            common["validation_context"] = {"trusted_ca": {"filename": str(domains.prod.path)}}
            context = {"@type": f"{spiffe_lab.TLS}.UpstreamTlsContext", "common_tls_context": common}
            cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
        self.envoy = envoy.Envoy(config, directory)
        self.envoy.wait_ready()

    def client(self, certificate: pki.Certificate | None = None) -> Client:
        return Client(self.envoy.port(), tls=pki.client_context(certificate))


@contextlib.contextmanager
def row(domains, keys, upstream: Upstream, directory, *, xfcc, details="SANITIZE_SET", name=INGRESS, **options):
    """A gate that forwards the header as it comes, and an edge before it that calls itself `name`."""
    x509 = options.pop("x509", BELIEVED)
    by_spiffe = options.pop("by_spiffe", False)
    tls = spiffe_lab.mutual_tls(domains, resumption=options.pop("resumption", False))
    tweak = spiffe_lab.changes(tls, spiffe_lab.forwarding(options.pop("inner", "ALWAYS_FORWARD_ONLY")))
    policy = domains.policy(keys, trust_domains=domains.trust_domains(x509, xfcc), **options)
    with Gate.open(policy, upstream, directory / "inner", tweak=tweak) as gate, contextlib.ExitStack() as stack:
        own = domains.prod.workload(name)
        edge = Edge(
            domains, gate, directory / "edge", details=details, certificate=own, by_spiffe=by_spiffe
        )
        stack.callback(edge.envoy.stop)
        yield gate, edge


@pytest.fixture(scope="module", params=["SANITIZE_SET", "APPEND_FORWARD"])
def behind(request, domains, keys, upstream, tmp_path_factory):
    directory = tmp_path_factory.mktemp("row")
    with row(domains, keys, upstream, directory, xfcc=EDGE, details=request.param) as both:
        yield both


def forged(path: str = "/ns/shop/sa/reader", domain: str = "prod.example") -> str:
    return f"By={spiffe(INGRESS)};Hash={'0' * 64};URI={spiffe(path, domain)}"


def test_the_gate_sees_the_edges_caller_and_not_the_edge(behind, reader):
    gate, edge = behind
    reply = edge.client(reader).request("GET", "/workloads/x")
    event = gate.check(reply, 200, "allowed", proven_by="x509_svid_xfcc", forwarded_by=spiffe(INGRESS))
    assert event["actor"]["user"]["uid"] == spiffe()
    assert reply.seen("x-postern-identity") == [spiffe()]
    (field,) = reply.seen(XFCC)
    assert f"Hash={reader.digest.hex()}" in field and field.endswith(f"URI={spiffe()}")


def test_who_presents_nothing_to_the_edge_is_nobody(behind):
    gate, edge = behind
    for headers in ({}, {XFCC: forged()}):
        reply = edge.client().request("GET", "/workloads/x", headers=headers)
        gate.check(reply, 401, "credential_missing")
        gate.check(edge.client().request("GET", "/any/x", headers=headers), 401, "credential_missing")


def test_what_is_forged_through_the_edge_gains_nothing(behind, domains):
    gate, edge = behind
    writer = domains.prod.workload("/ns/shop/sa/writer")
    hostile = [
        forged(),
        f'{forged()};Subject="',
        f'URI={spiffe()},By="',
        f'URI={spiffe()};By="',
        f'URI={spiffe()};By="\\',
        f"{forged()},",
        f'{forged()}"',
        "",
        "x",
    ]
    for field in hostile:
        reply = edge.client(writer).request("GET", "/workloads/x", headers={XFCC: field})
        assert reply.status in (401, 403), (field, reply)
        assert reply.reason in ("not_allowed", "svid_invalid"), field
        event = gate.envoy.audit.one(reply.request_id)
        assert event["actor"]["user"].get("uid") in (None, spiffe("/ns/shop/sa/writer")), field
    reply = edge.client(writer).request("GET", "/any/x", headers={XFCC: forged()})
    if edge.details == "APPEND_FORWARD":
        # One element more than one proxy writes: who appends to what callers send is no edge.
        gate.check(reply, 401, "svid_invalid")
        return
    # Where it is read at all, only what the edge itself wrote goes on.
    gate.check(reply, 200, "allowed")
    (field,) = reply.seen(XFCC)
    assert "reader" not in field and field.endswith(f"URI={spiffe('/ns/shop/sa/writer')}")


@pytest.fixture(scope="module", params=["SANITIZE_SET", "APPEND_FORWARD"])
def guarded(request, domains, keys, upstream, tmp_path_factory):
    """An edge that binds each authority to its domain, as one in front of several domains should."""
    directory = tmp_path_factory.mktemp("guarded")
    options = {"xfcc": EDGE, "details": request.param, "by_spiffe": True}
    with row(domains, keys, upstream, directory, **options) as both:
        yield both


def endings(reader: pki.Certificate) -> list[str]:
    """What an authority of another domain may let its names end in."""
    uri, digest = f"URI={spiffe()}", f"Hash={reader.digest.hex()}"
    whole = f"By={spiffe(INGRESS)};{digest};Subject=\"\";{uri}"
    pieces = [uri, f"{digest};{uri}", whole, digest, "DNS=a,", 'Subject="']
    return [f"{mark}{piece}" for mark in ",;" for piece in pieces] + [
        ",",
        ";",
        '"',
        "=",
        "\\",
        " ",
        f'",{uri}',
        f'";{uri}',
        f"\\,{uri}",
        f",URI={spiffe()},{digest}",
    ]


def test_no_name_in_a_certificate_speaks_for_another_workload(guarded, domains, keys, reader):
    """Envoy writes the names of a certificate into the header as they are."""
    gate, edge = guarded
    partner, own = domains.authorities[PARTNER], spiffe("/x", PARTNER)
    bound = keys.token(cnf={"x5t#S256": spiffe_lab.thumbprint(reader)})
    let_in, reached = [], 0
    for end in endings(reader):
        for certificate in (
            partner.issue(own + end),
            partner.issue(own, dns=(f"a.example{end}",)),
            partner.issue(own, dns=("a.example", end)),
        ):
            client = edge.client(certificate)
            try:
                replies = [client.request("GET", path) for path in ("/workloads/x", "/any/x")]
                replies.append(client.request("GET", "/any/x", token=bound))
            except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
                continue
            reached += 1
            reasons = [reply.reason for reply in replies]
            # White space at the end of a field is no part of it (RFC 9110 section 5.5): its own name.
            itself = end == " " and reasons == ["not_allowed", "allowed", "proof_invalid"]
            if not itself and reasons != ["svid_invalid", "svid_invalid", "proof_missing"]:
                let_in.append((end, reasons))
    assert let_in == []
    assert reached > 2 * len(endings(reader)), "the edge takes most of them"


def test_marks_in_a_subject_or_an_address_change_nothing(guarded, domains, reader):
    """Envoy quotes the subject, and does not write addresses of mail."""
    gate, edge = guarded
    partner, own = domains.authorities[PARTNER], spiffe("/x", PARTNER)
    for end in endings(reader):
        subject = partner.issue(own, subject=f"a{end}"[:64])
        for certificate in (subject, partner.issue(own, emails=(f"a{end}@partner.example",))):
            reply = edge.client(certificate).request("GET", "/any/x")
            event = gate.check(reply, 200, "allowed", proven_by="x509_svid_xfcc")
            assert event["actor"]["user"]["uid"] == own, end
            gate.check(edge.client(certificate).request("GET", "/workloads/x"), 403, "not_allowed")


def test_around_the_edge_the_header_is_worth_nothing(behind, domains, reader):
    gate, _ = behind
    for certificate in (None, reader, domains.authorities[STRANGER].workload("/x"), domains.prod.workload("/ingress2")):
        client = caller(gate, certificate)
        for path in ("/workloads/x", "/any/x"):
            gate.check(client.request("GET", path, headers={XFCC: forged()}), 401, "credential_missing")
        reply = client.request("GET", "/public/x", headers={XFCC: forged()})
        gate.check(reply, 200, "allowed")
        assert reply.seen(XFCC) == []


def test_the_edge_itself_is_no_caller(behind, domains):
    gate, _ = behind
    edge = caller(gate, domains.prod.workload(INGRESS))
    gate.check(edge.request("GET", "/any/x"), 401, "credential_missing")
    # A proxy that is trusted is believed, whatever it says: so it is with one that was taken over.
    gate.check(edge.request("GET", "/workloads/x", headers={XFCC: forged()}), 200, "allowed")
    gate.check(edge.request("GET", "/any/x", headers={XFCC: forged(READER, STRANGER)}), 401, "trust_domain_unknown")


def test_certificates_without_one_workload_are_told_apart_behind_the_edge_too(behind, domains):
    gate, edge = behind
    cases = [
        (domains.prod.issue(), 401, "svid_invalid"),
        (domains.prod.issue(spiffe(), spiffe("/other")), 401, "svid_invalid"),
        (domains.prod.issue("https://prod.example/x"), 401, "svid_invalid"),
        (domains.authorities[STRANGER].workload(READER), 401, "trust_domain_unknown"),
        (domains.authorities[PARTNER].workload(READER), 403, "not_allowed"),
        (domains.prod.workload("/ns/shop/sa/writer"), 403, "not_allowed"),
    ]
    for certificate, status, reason in cases:
        gate.check(edge.client(certificate).request("GET", "/workloads/x"), status, reason)


def test_tokens_beside_forwarded_certificates(behind, domains, keys, reader):
    gate, edge = behind
    client = edge.client(reader)
    event = gate.check(client.request("GET", "/both/x", token=keys.token()), 200, "allowed", proven_by="jwt")
    assert unmapped(event, "beside") == ({"identity": spiffe(), "proven_by": "x509_svid_xfcc"},)
    gate.check(client.request("GET", "/same/x", token=domains.token()), 200, "allowed", proven_by="jwt_svid")
    gate.check(client.request("GET", "/same/x", token=domains.token("/other")), 403, "not_allowed")
    bound = keys.token(cnf={"x5t#S256": spiffe_lab.thumbprint(reader)})
    gate.check(client.request("GET", "/any/x", token=bound), 200, "allowed")
    other = edge.client(domains.prod.workload(READER))
    gate.check(other.request("GET", "/any/x", token=bound), 401, "proof_invalid")
    gate.check(edge.client().request("GET", "/any/x", token=bound), 401, "proof_missing")


def test_only_the_named_proxies_are_believed(domains, keys, upstream, tmp_path, reader):
    with row(domains, keys, upstream, tmp_path, xfcc=EDGE, name="/ingress/other") as (gate, edge):
        gate.check(edge.client(reader).request("GET", "/workloads/x"), 401, "credential_missing")


def test_with_either_direct_callers_count_by_their_own_certificates(domains, keys, upstream, tmp_path, reader):
    with row(domains, keys, upstream, tmp_path, xfcc=EDGE, x509={"from": "either"}) as (gate, edge):
        reply = edge.client(reader).request("GET", "/workloads/x")
        gate.check(reply, 200, "allowed", proven_by="x509_svid_xfcc", forwarded_by=spiffe(INGRESS))
        reply = caller(gate, reader).request("GET", "/workloads/x", headers={XFCC: forged("/ns/b/sa/reader")})
        event = gate.check(reply, 200, "allowed", proven_by="x509_svid", forwarded_by=None)
        assert event["actor"]["user"]["uid"] == spiffe()
        assert reply.seen(XFCC) == []
        # Who hides behind the edge does not become the edge.
        gate.check(edge.client().request("GET", "/any/x"), 401, "credential_missing")


def test_the_first_element_is_believed_where_it_is_configured(domains, keys, upstream, tmp_path, reader):
    """The gate's own Envoy adds an element about the edge: the first is about the caller."""
    xfcc = {**EDGE, "elements": 2, "element": "first"}
    with row(domains, keys, upstream, tmp_path, xfcc=xfcc, inner="APPEND_FORWARD") as (gate, edge):
        reply = edge.client(reader).request("GET", "/workloads/x")
        event = gate.check(reply, 200, "allowed", proven_by="x509_svid_xfcc")
        assert event["actor"]["user"]["uid"] == spiffe()
        (field,) = reply.seen(XFCC)
        assert field.endswith(f"URI={spiffe()}") and spiffe(INGRESS) not in field.split(";URI=")[1]


@pytest.mark.parametrize("inner", ["APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"])
@pytest.mark.parametrize("element", ["first", "last"])
def test_what_the_gates_own_envoy_says_of_the_edge_is_no_caller(
    domains, keys, upstream, tmp_path, reader, inner, element
):
    """Whatever this Envoy adds or overwrites: who presents nothing to the edge does not become the edge."""
    bound = keys.token(cnf={"x5t#S256": "A" * 43})
    xfcc = {**EDGE, "elements": 2 if inner == "APPEND_FORWARD" else 1, "element": element}
    with row(domains, keys, upstream, tmp_path, xfcc=xfcc, inner=inner) as (gate, edge):
        anonymous = edge.client()
        for headers in ({}, {XFCC: forged()}):
            gate.check(anonymous.request("GET", "/any/x", headers=headers), 401, "credential_missing")
        gate.check(anonymous.request("GET", "/any/x", token=bound), 401, "proof_missing")
        reply = edge.client(reader).request("GET", "/workloads/x")
        if inner == "SANITIZE_SET":
            # What the edge said is gone before anybody could read it.
            gate.check(reply, 401, "credential_missing")
        else:
            event = gate.check(reply, 200, "allowed")
            assert event["actor"]["user"]["uid"] == spiffe()

@pytest.mark.parametrize("validated, allowed", [("reported", False), ("always", True)])
def test_an_edge_that_resumes_its_sessions_is_believed_only_where_that_is_configured(
    domains, keys, upstream, tmp_path, reader, validated, allowed
):
    """Envoy resumes sessions to its upstreams by default, and reports those as not validated."""
    x509 = {"from": "xfcc", "validated": validated}
    options = {"xfcc": EDGE, "x509": x509, "resumption": True}
    with row(domains, keys, upstream, tmp_path, **options) as (gate, edge):
        reasons = {edge.client(reader).request("GET", "/workloads/x").reason for _ in range(12)}
        resumed = gate.envoy.stats("ssl.session_reused")
        assert sum(resumed.values()) > 0
        assert ("svid_invalid" in reasons) == (not allowed)
        assert reasons <= {"allowed", "svid_invalid"}
        # Nobody becomes the edge by that.
        anonymous = {edge.client().request("GET", "/any/x").reason for _ in range(12)}
        assert "allowed" not in anonymous, anonymous


def test_proxies_may_be_trusted_by_network_and_callers_cannot_forge_theirs(
    domains, keys, upstream, tmp_path, reader
):
    """Without TLS between the two: the edge calls from 127.0.0.2, anybody else from elsewhere."""
    xfcc = {"trusted_cidrs": ["127.0.0.2/32"]}
    policy = domains.policy(keys, trust_domains=domains.trust_domains(BELIEVED, xfcc))
    tweak = spiffe_lab.forwarding("ALWAYS_FORWARD_ONLY")
    with Gate.open(policy, upstream, tmp_path / "inner", tweak=tweak) as gate, contextlib.ExitStack() as stack:
        options = {"details": "SANITIZE_SET", "certificate": None, "source": "127.0.0.2"}
        edge = Edge(domains, gate, tmp_path / "edge", **options)
        stack.callback(edge.envoy.stop)
        reply = edge.client(reader).request("GET", "/workloads/x")
        gate.check(reply, 200, "allowed", proven_by="x509_svid_xfcc", forwarded_by="127.0.0.2")
        for headers in ({}, {"x-forwarded-for": "127.0.0.2"}, {"x-forwarded-for": "127.0.0.2, 127.0.0.2"}):
            client = Client(gate.client.port, source="127.0.0.3")
            reply = client.request("GET", "/workloads/x", headers={XFCC: forged(), **headers})
            gate.check(reply, 401, "credential_missing")


@pytest.mark.parametrize("remote, hops", [(True, 1), (True, 2), (False, 0), (False, 1)])
def test_an_address_that_envoy_took_from_a_header_is_no_trusted_network(
    domains, keys, upstream, tmp_path, remote, hops
):
    """Envoy gives such an address the port zero: so it can be told from the connection's own."""

    def listener(config: dict) -> None:
        spiffe_lab.forwarding("ALWAYS_FORWARD_ONLY")(config)
        envoy.hcm(envoy.gate(config)).update(use_remote_address=remote, xff_num_trusted_hops=hops)

    policy = domains.policy(keys, trust_domains=domains.trust_domains(BELIEVED, {"trusted_cidrs": ["10.0.0.0/8"]}))
    with Gate.open(policy, upstream, tmp_path, tweak=listener) as gate:
        taken = set()
        for field in ("10.1.2.3", "10.1.2.3, 10.1.2.4", "10.1.2.3, 10.1.2.4, 10.1.2.5", "10.1.2.3:4711"):
            headers = {XFCC: forged(), "x-forwarded-for": field}
            reply = gate.client.request("GET", "/any/x", headers=headers)
            event = gate.check(reply, 401, "credential_missing")
            taken.add(event["src_endpoint"]["ip"])
        # Envoy did take one of them for the source.
        assert any(address.startswith("10.") for address in taken), taken

def test_where_only_the_connection_counts_no_header_does(domains, keys, upstream, tmp_path, reader):
    with row(domains, keys, upstream, tmp_path, xfcc=EDGE, x509={"from": "tls"}) as (gate, edge):
        reply = edge.client(reader).request("GET", "/any/x")
        event = gate.check(reply, 200, "allowed", proven_by="x509_svid")
        assert event["actor"]["user"]["uid"] == spiffe(INGRESS)
        assert reply.seen(XFCC) == []


def test_in_observe_mode_the_header_goes_on_only_where_it_is_believed(domains, keys, upstream, tmp_path, reader):
    with row(domains, keys, upstream, tmp_path, xfcc=EDGE, mode="observe") as (gate, edge):
        reply = edge.client(reader).request("GET", "/closed")
        gate.observed(reply, "credential_missing")
        assert len(reply.seen(XFCC)) == 1
        reply = caller(gate, reader).request("GET", "/closed", headers={XFCC: forged()})
        gate.observed(reply, "credential_missing")
        assert reply.seen(XFCC) == []

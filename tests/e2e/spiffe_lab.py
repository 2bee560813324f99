"""Trust domains with their X.509 authorities and JWT keys, and Envoys that speak mutual TLS."""

from pathlib import Path

import policies
from lab import envoy, pki
from lab.client import Client
from lab.gate import Gate
from lab.issuer import Key, b64, bundle, mint, now

PROD, PARTNER, STRANGER = "prod.example", "partner.example", "stranger.example"
READER = "/ns/shop/sa/reader"
INGRESS = "/ingress"
TLS = f"{envoy.TYPES}envoy.extensions.transport_sockets.tls.v3"


def spiffe(path: str = READER, domain: str = PROD) -> str:
    return f"spiffe://{domain}{path}"


class Domains:
    """Three authorities that the listener trusts; two of their domains are configured."""

    def __init__(self, directory: Path):
        self.authorities = {name: pki.Authority(directory, name) for name in (PROD, PARTNER, STRANGER)}
        self.keys = {name: Key.new("ES256", f"{name}-1") for name in (PROD, PARTNER, STRANGER)}
        self.prod = self.authorities[PROD]
        self.all = directory / "all.ca.pem"
        self.all.write_bytes(b"".join(authority.path.read_bytes() for authority in self.authorities.values()))
        self.server = self.prod.issue(spiffe("/gate"), dns=("localhost",))

    def bundle(self, name: str = PROD, **members) -> dict:
        """The bundle of a domain (SPIFFE Trust Domain and Bundle section 4)."""
        return {**bundle(self.keys[name]), **members}

    def token(self, path: str = READER, name: str = PROD, *, signed_by: str | None = None, **claims) -> str:
        """A JWT-SVID."""
        full = {"sub": spiffe(path, name), "aud": "orders", "exp": now() + 3600, **claims}
        full = {claim: value for claim, value in full.items() if value is not None}
        return mint(self.keys[signed_by or name], full)

    def policy(self, keys: policies.Keys, **changes) -> dict:
        """An issuer and two trust domains, and a route for each way of asking."""
        base = policies.main(keys)
        return {**base, "trust_domains": self.trust_domains(), "routes": base["routes"] + ROUTES, **changes}

    def trust_domains(self, x509: dict | None = None, xfcc: dict | None = None) -> list[dict]:
        """The two domains, whose X.509-SVIDs come from the connection unless it is said otherwise."""
        more = {"x509_svid": x509 or {"from": "tls"}} | ({"xfcc": xfcc} if xfcc else {})
        return [
            {"name": name, "jwt_svid": {"audiences": ["orders"], "bundle": {"inline": self.bundle(name)}}, **more}
            for name in (PROD, PARTNER)
        ]


ROUTES = [
    {"name": "workloads", "match": {"path": "/workloads/{rest*}"}, "allow": {"spiffe": [spiffe("/ns/*/sa/reader")]}},
    {
        "name": "both",
        "match": {"path": "/both/{rest*}"},
        "allow": {"issuers": ["corp"], "spiffe": [spiffe("/ns/*/sa/reader")]},
    },
    {"name": "same", "match": {"path": "/same/{rest*}"}, "allow": {"same_workload": True}},
    {"name": "corp", "match": {"path": "/corp/{rest*}"}, "allow": {"issuers": ["corp"]}},
]
"""Beside these, `/any/` takes every identity."""


def certificates(server: pki.Certificate) -> list[dict]:
    return [{"certificate_chain": {"filename": str(server.cert)}, "private_key": {"filename": str(server.key)}}]


def mutual_tls(domains: Domains, *, validation: dict | None = None, resumption: bool = False, required: bool = False):
    """A change of a bootstrap: its listener takes certificates of all three authorities."""

    def change(config: dict) -> None:
        common = {"tls_certificates": certificates(domains.server), "alpn_protocols": ["h2", "http/1.1"]}
        common["validation_context"] = {"trusted_ca": {"filename": str(domains.all)}, **(validation or {})}
        context = {"common_tls_context": common, "require_client_certificate": required}
        if not resumption:
            context |= {"disable_stateless_session_resumption": True, "disable_stateful_session_resumption": True}
        context["@type"] = f"{TLS}.DownstreamTlsContext"
        chain = envoy.gate(config)["filter_chains"][0]
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}

    return change


def by_spiffe(domains: Domains) -> dict:
    """A validation by Envoy's SPIFFE validator, which binds each authority to its own domain."""
    bundles = [
        {"name": name, "trust_bundle": {"filename": str(authority.path)}}
        for name, authority in domains.authorities.items()
    ]
    config = {"@type": f"{TLS}.SPIFFECertValidatorConfig", "trust_domains": bundles}
    return {"custom_validator_config": {"name": "envoy.tls.cert_validator.spiffe", "typed_config": config}}


def forwarding(details: str):
    """A change of a bootstrap: what its listener does with x-forwarded-client-cert."""

    def change(config: dict) -> None:
        manager = envoy.hcm(envoy.gate(config))
        manager["forward_client_cert_details"] = details
        manager["set_current_client_cert_details"] = {"subject": True, "uri": True, "dns": True}

    return change


def changes(*all_of):
    def change(config: dict) -> None:
        for one in all_of:
            one(config)

    return change


def caller(gate: Gate, certificate: pki.Certificate | None = None, **options) -> Client:
    """A client of a gate that speaks TLS, with a certificate or without."""
    return Client(gate.client.port, tls=pki.client_context(certificate), **options)


def unmapped(event: dict, *names: str) -> tuple:
    return tuple(event["unmapped"].get(name) for name in names)


def thumbprint(certificate: pki.Certificate) -> str:
    """What `cnf.x5t#S256` says of a certificate (RFC 8705 section 3.1)."""
    return b64(certificate.digest)

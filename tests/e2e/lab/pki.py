"""Certificate authorities of trust domains, made at run time, and certificates good and broken."""

import hashlib
import itertools
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_numbers = itertools.count()


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, in files."""

    cert: Path
    key: Path
    leaf: x509.Certificate

    @property
    def digest(self) -> bytes:
        """The SHA-256 of its DER."""
        return hashlib.sha256(self.leaf.public_bytes(serialization.Encoding.DER)).digest()


class Authority:
    """The X.509 authority of a trust domain."""

    def __init__(self, directory: Path, trust_domain: str):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.trust_domain = trust_domain
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"authority of {trust_domain}")
        builder = _builder(name, name, self._key.public_key(), timedelta(days=-1), timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        uri = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")
        builder = builder.add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        self._cert = builder.sign(self._key, hashes.SHA256())
        self.path = directory / f"{trust_domain}.ca.pem"
        self.path.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        *uris: str,
        dns: tuple[str, ...] = (),
        emails: tuple[str, ...] = (),
        subject: str = "a workload",
        ca: bool = False,
        signs_certificates: bool = False,
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(hours=12),
    ) -> Certificate:
        """A certificate with exactly these SANs; without any it has no SAN extension."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(subject), self._cert.subject, key.public_key(), begins, ends)
        sans = [x509.UniformResourceIdentifier(uri) for uri in uris] + [x509.DNSName(name) for name in dns]
        sans += [x509.RFC822Name(address) for address in emails]
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=signs_certificates), critical=True)
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(purposes, critical=False)
        leaf = builder.sign(self._key, hashes.SHA256())
        stem = f"{self.trust_domain}.{next(_numbers)}"
        issued = Certificate(self.directory / f"{stem}.pem", self.directory / f"{stem}.key", leaf)
        issued.cert.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued

    def workload(self, path: str, **options) -> Certificate:
        """The X.509-SVID of a workload of the domain."""
        return self.issue(f"spiffe://{self.trust_domain}{path}", **options)


def client_context(certificate: Certificate | None = None) -> ssl.SSLContext:
    """A TLS client that presents that certificate, and takes whatever the server presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate.cert, certificate.key)
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, key, begins: timedelta, ends: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )

"""A token issuer of its own: keys made at run time, tokens good and deliberately broken.

Every token, signature and secret that is ever made is remembered in `minted`, so that a test can
look for them where they must not be.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES", "HS") for bits in HASHES) + ("EdDSA",)
"""The thirteen algorithms of the configuration reference."""


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(number: int, size: int | None = None) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


class Minted:
    """Everything that must never be seen in a log."""

    def __init__(self):
        self.tokens: set[str] = set()
        self.secrets: set[bytes] = set()

    def token(self, text: str) -> str:
        self.tokens.add(text)
        return text

    def leaks(self, log: bytes) -> list[str]:
        """What of it the log holds: the beginning of a payload or a signature is enough."""
        # A payload's first bytes are the same in many tokens, and no secret as such; a part as
        # long as this is unique to a token or close to it.
        length = 24
        parts = {
            part[:length].encode() for token in self.tokens for part in token.split(".")[1:] if len(part) >= length
        }
        runs = re.findall(rb"[A-Za-z0-9_-]{%d,}" % length, log)
        found = {run[:length] for run in runs} & parts
        found |= {secret for secret in self.secrets if secret in log}
        return sorted(part.decode(errors="backslashreplace") for part in found)


minted = Minted()


@dataclass
class Key:
    """A signing key and the name it goes by."""

    kid: str
    alg: str
    private: object = field(repr=False)

    @classmethod
    def new(cls, alg: str, kid: str | None = None, **options) -> "Key":
        kid = kid or f"{alg.lower()}-{os.urandom(4).hex()}"
        return cls(kid, alg, _private(alg, **options))

    def sign(self, message: bytes, alg: str | None = None) -> bytes:
        """Signs as RFC 7518 section 3 says; `alg` may be another one of the same key type."""
        alg = alg or self.alg
        hashed = HASHES.get(alg[-3:])
        match alg[:2]:
            case "RS":
                return self.private.sign(message, padding.PKCS1v15(), hashed())
            case "PS":
                pss = padding.PSS(padding.MGF1(hashed()), salt_length=hashed.digest_size)
                return self.private.sign(message, pss, hashed())
            case "ES":
                size = (self.private.curve.key_size + 7) // 8
                r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashed())))
                return r.to_bytes(size, "big") + s.to_bytes(size, "big")
            case "HS":
                return hmac.new(self.private, message, hashed.name).digest()
            case _:
                return self.private.sign(message)

    def jwk(self) -> dict:
        """The key as a verifier needs it: public, or the secret itself for HMAC."""
        named = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg.startswith("HS"):
            return {**named, "kty": "oct", "k": b64(self.private)}
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {**named, "kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
            curve = {256: "P-256", 384: "P-384", 521: "P-521"}[public.curve.key_size]
            return {
                **named,
                "kty": "EC",
                "crv": curve,
                "x": _unsigned(numbers.x, size),
                "y": _unsigned(numbers.y, size),
            }
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {**named, "kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def public_pem(self) -> bytes:
        """The public key as SPKI PEM: what algorithm confusion takes for an HMAC secret."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def _private(alg: str, bits: int = 2048, secret: bytes | None = None):
    if alg.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, bits)
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg]())
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    secret = secret or os.urandom(int(alg[-3:]) // 8)
    minted.secrets |= {secret, b64(secret).encode(), secret.hex().encode()}
    return secret


def jwks(*keys: Key) -> dict:
    """A JWK Set (RFC 7517 section 5)."""
    return {"keys": [key.jwk() for key in keys]}


def bundle(*keys: Key) -> dict:
    """The bundle of a SPIFFE trust domain (SPIFFE Trust Domain and Bundle section 4)."""
    members = [{**key.jwk(), "use": "jwt-svid"} for key in keys]
    return {"keys": [{name: value for name, value in jwk.items() if name != "alg"} for jwk in members]}


def compact(header: dict | bytes, payload: dict | bytes, sign) -> str:
    """Puts a compact JWS together from any header and payload, JSON or not.

    `sign` takes the signing input and gives the signature's bytes.
    """
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(b64(part) for part in parts)
    return minted.token(f"{signing_input}.{b64(sign(signing_input.encode()))}")


def mint(key: Key, claims: dict | bytes, header: dict | None = None, alg: str | None = None) -> str:
    """Signs claims with a key; `header` adds to or replaces (None: takes out) header members."""
    full = {"alg": alg or key.alg, "typ": "JWT", "kid": key.kid, **(header or {})}
    full = {name: value for name, value in full.items() if value is not None}
    return compact(full, claims, lambda message: key.sign(message, alg))


def unsigned(claims: dict) -> str:
    """A token of `alg: none` (RFC 7518 section 3.6)."""
    return compact({"alg": "none", "typ": "JWT"}, claims, lambda _message: b"")


def confused(key: Key, claims: dict) -> str:
    """An HS256 token whose secret is an RSA key's public half (RFC 8725 section 2.1)."""
    header = {"alg": "HS256", "typ": "JWT", "kid": key.kid}
    return compact(header, claims, lambda message: hmac.new(key.public_pem(), message, hashlib.sha256).digest())


def flipped(token: str, part: int = 2, at: int = 8) -> str:
    """The same token with one character of one part changed to another of the alphabet."""
    parts = token.split(".")
    text = parts[part]
    other = "A" if text[at] != "A" else "B"
    parts[part] = text[:at] + other + text[at + 1 :]
    return minted.token(".".join(parts))


def now() -> int:
    return int(time.time())

"""Tokens minted once, kept under target/bench/tokens, one file of lines an algorithm or kind.

`RS256` and so on are good tokens; `RS256-forged` the same with bad signatures, `RS256-malformed`
one that lacks its signature, `RS256-unscoped` one without the scope that the policy asks for, and
`RS256-missing` no token at all.
"""

import base64
import json
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ISSUER = "https://idp.example"
AUDIENCE = "orders"
ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
VARIANTS = ("", "-forged", "-malformed", "-unscoped", "-missing")
KINDS = [algorithm + variant for algorithm in ALGORITHMS for variant in VARIANTS]
LIFETIME = 7 * 86400
LEAST_LIFETIME_LEFT = 86400


class Tokens:
    """A directory with `KIND.txt`, a token a line, and `about.json`."""

    def __init__(self, directory: Path, count: int):
        self.directory = directory
        about = directory / "about.json"
        self.about = json.loads(about.read_text()) if about.exists() else {}
        if not self.good_enough(count):
            self.about = mint(directory, count)
            about.write_text(json.dumps(self.about))

    def good_enough(self, count: int) -> bool:
        about = {"exp": 0, "count": 0, "kinds": []} | self.about
        fresh = about["exp"] >= time.time() + LEAST_LIFETIME_LEFT
        return fresh and about["count"] >= count and about["kinds"] == KINDS

    @property
    def count(self) -> int:
        return self.about["count"]

    @property
    def jwks(self) -> dict:
        """The JWK Set that verifies every token here."""
        return self.about["jwks"]

    def file(self, kind: str) -> Path:
        return self.directory / f"{kind}.txt"

    def lines(self, kind: str) -> list[str]:
        return self.file(kind).read_text().splitlines()

    def first(self, kind: str) -> str:
        with self.file(kind).open() as lines:
            return next(lines).strip()

    def signature_parts(self, algorithm: str) -> tuple[bytes, bytes, bytes]:
        """The key as SPKI, a signature as BoringSSL takes it, and what was signed."""
        message, signature = self.first(algorithm).rsplit(".", 1)
        raw = base64.urlsafe_b64decode(signature + "==")
        if algorithm == "ES256":
            raw = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        return base64.b64decode(self.about["spki"][algorithm]), raw, message.encode()


def mint(directory: Path, count: int) -> dict:
    print(f"minting {count} tokens for each of {', '.join(ALGORITHMS)}", flush=True)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "about.json").unlink(missing_ok=True)
    now = int(time.time())
    about = {"exp": now + LIFETIME, "count": count, "kinds": KINDS, "jwks": {"keys": []}, "spki": {}}
    for algorithm in ALGORITHMS:
        key, jwk, sign = new_key(algorithm)
        about["jwks"]["keys"].append(jwk)
        about["spki"][algorithm] = base64.b64encode(spki(key)).decode()
        payloads = (claims(now, number, "orders.read orders.write") for number in range(count))
        good = [signed(algorithm, sign, payload) for payload in payloads]
        unscoped = signed(algorithm, sign, claims(now, 0, "orders.write"))
        lines = [good, list(map(forged, good)), [good[0].rpartition(".")[0]], [unscoped], [""]]
        for kind, tokens in zip(VARIANTS, lines, strict=True):
            (directory / f"{algorithm}{kind}.txt").write_text("".join(f"{token}\n" for token in tokens))
    return about


def forged(token: str) -> str:
    """The token with the first character of its signature changed, a lower one where that is possible."""
    # An RSA signature above the modulus would be refused before any arithmetic.
    head, signature = token.rsplit(".", 1)
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def claims(now: int, number: int, scope: str) -> dict:
    return {
        "iss": ISSUER,
        "aud": [AUDIENCE],
        "sub": f"service-{number % 97:02d}@corp.example",
        "client_id": f"client-{number % 97:02d}",
        "scope": scope,
        "tenant": {"id": "t-4711", "tier": "gold"},
        "iat": now - 60,
        "exp": now + LIFETIME,
        "jti": f"00000000-0000-4000-8000-{number:012d}",
    }


def signed(algorithm: str, sign, payload: dict) -> str:
    header = {"alg": algorithm, "kid": f"bench-{algorithm.lower()}", "typ": "JWT"}
    text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return f"{text}.{b64(sign(text.encode()))}"


def new_key(algorithm: str):
    """A fresh key, its public JWK, and the function that signs with it."""
    common = {"kid": f"bench-{algorithm.lower()}", "alg": algorithm, "use": "sig"}
    if algorithm in ("RS256", "PS256"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_numbers()
        jwk = {"kty": "RSA", "n": number64(public.n, 256), "e": number64(public.e, 3)}
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        pad = padding.PKCS1v15() if algorithm == "RS256" else pss
        return key, common | jwk, lambda text: key.sign(text, pad, hashes.SHA256())
    if algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": number64(public.x, 32), "y": number64(public.y, 32)}
        return key, common | jwk, lambda text: p1363(key.sign(text, ec.ECDSA(hashes.SHA256())))
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return key, common | {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}, key.sign


def spki(key) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, kind)


def p1363(der: bytes) -> bytes:
    # RFC 7518 section 3.4: R and S, each as 32 octets.
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def number64(number: int, size: int) -> str:
    return b64(number.to_bytes(size, "big"))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""Policies whose keys are fetched, and tokens for them."""

import json
import time

from lab import envoy, provider
from lab.gate import Gate
from lab.issuer import Key, mint, now

CLUSTER = "idp"
FOREVER = {"timeout": "5s", "refresh": "1h", "cooldown": "1h", "wait": "20s"}
"""Nothing but the first keys is ever fetched, and requests wait for them as long as a test may take."""
QUICK = {"timeout": "1s", "refresh": "1s", "max_stale": "6s", "cooldown": "1s", "wait": "1s"}


def host(name: str) -> str:
    return f"{name}.example"


def target(name: str, path: str = provider.JWKS) -> str:
    """What the provider is asked for an issuer's keys."""
    return host(name) + path


def issuer(name: str = "corp", *, cluster: str = CLUSTER, **timing) -> dict:
    """An issuer whose key set is at `http://NAME.example/jwks` of a cluster."""
    remote = {"cluster": cluster, "uri": f"http://{target(name)}", **timing}
    return _issuer(name, {"remote": remote})


def discovered(name: str, *, cluster: str = CLUSTER, **members) -> dict:
    """An issuer whose key set is found through the metadata of `http://NAME.example`."""
    return _issuer(name, {"discovery": {"cluster": cluster, **members}})


def _issuer(name: str, keys: dict) -> dict:
    return {"name": name, "issuer": f"http://{host(name)}", "audiences": ["orders"], "keys": keys}


def policy(*issuers: dict) -> dict:
    return {
        "version": 1,
        "issuers": list(issuers),
        "routes": [
            {"name": "any", "match": {"path": "/any/{rest*}"}},
            {"name": "orders-grpc", "match": {"methods": ["POST"], "path": "/postern.demo.Orders/Get"}},
            {"name": "public", "match": {"path": "/public/{rest*}"}, "public": True},
        ],
        # Floods of tokens with unknown keys are what is tested, and all come from one address.
        "source": {"pressure": {"rate": "100000/1s"}},
        "responses": {"detail": "full"},
    }


def metadata(name: str, **members) -> dict:
    """The metadata of an issuer (OpenID Connect Discovery 1.0 section 3)."""
    return {"issuer": f"http://{host(name)}", "jwks_uri": f"http://{target(name)}", **members}


def token(key: Key, name: str = "corp", **claims) -> str:
    claims = {"iss": f"http://{host(name)}", "aud": "orders", "sub": "robot-7", "exp": now() + 3600, **claims}
    return mint(key, claims)


def clusters(**ports: int | None):
    """A change of a bootstrap that adds clusters; one with None has no endpoint."""

    def add(config: dict) -> None:
        config["static_resources"]["clusters"] += [envoy.cluster(name, port) for name, port in ports.items()]

    return add


def waiting(gate: Gate) -> int:
    """How many requests the gate says that it holds."""
    return gate.envoy.stats("postern.keys.waiting").get("wasmcustom.postern.keys.waiting", 0)


def eventually(question, timeout: float = 20.0, pause: float = 0.05):
    """Asks until the answer is true, and gives it; the last one where it never is."""
    deadline = time.monotonic() + timeout
    while not (found := question()) and time.monotonic() < deadline:
        time.sleep(pause)
    return found


def keys_of(event: dict) -> dict:
    """What audit says of the keys behind a decision."""
    return event["unmapped"].get("keys", {})


def as_json(value) -> bytes:
    return json.dumps(value).encode()

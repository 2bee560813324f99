"""The policy that most tests run against, the keys for it, and tokens that it takes."""

from lab import issuer
from lab.gate import Gate
from lab.issuer import ALGORITHMS, Key, jwks, mint

CORP = "https://idp.example"
SHARED = "https://hmac.example"
HOST_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""Those that the proxy itself can check (HOSTS: verify_signature)."""

SCOPES = "orders.read orders.write"


class Keys:
    """One key an algorithm, and a stranger's under the same names."""

    def __init__(self):
        self.good = {alg: Key.new(alg, f"key-{alg}") for alg in ALGORITHMS}
        self.stranger = {alg: Key.new(alg, f"key-{alg}") for alg in ALGORITHMS}

    def set(self, *, symmetric: bool) -> dict:
        return jwks(*(key for alg, key in self.good.items() if alg.startswith("HS") == symmetric))

    def token(self, alg: str = "ES256", header: dict | None = None, **claims) -> str:
        """A token that every route takes; claims replace or (None) take out its own."""
        return mint(self.good[alg], claims_for(alg, **claims), header)


def claims_for(alg: str = "ES256", **claims) -> dict:
    now = issuer.now()
    full = {
        "iss": SHARED if alg.startswith("HS") else CORP,
        "aud": "orders",
        "sub": "robot-7",
        "client_id": "billing-batch",
        "scope": SCOPES,
        "iat": now - 5,
        "exp": now + 3600,
        "tenant": {"name": "acme", "tier": "gold"},
        **claims,
    }
    return {name: value for name, value in full.items() if value is not None}


def issuers(keys: Keys, **members) -> list[dict]:
    return [
        {
            "name": "corp",
            "issuer": CORP,
            "audiences": ["orders"],
            "keys": {"inline": keys.set(symmetric=False)},
            "claim_headers": {"x-tenant": "tenant.name"},
            **members,
        },
        {
            "name": "shared",
            "issuer": SHARED,
            "audiences": ["orders"],
            "algorithms": [alg for alg in ALGORITHMS if alg.startswith("HS")],
            "keys": {"inline": keys.set(symmetric=True)},
        },
    ]


def main(keys: Keys, **issuer_members) -> dict:
    return {
        "version": 1,
        "issuers": issuers(keys, **issuer_members),
        "routes": [
            {
                "name": "read-orders",
                "match": {"hosts": ["api.example"], "methods": ["GET", "HEAD"], "path": "/v1/orders/{id}"},
                "allow": {"scopes": {"all": ["orders.read"]}},
            },
            {
                "name": "write-orders",
                "match": {"hosts": ["api.example"], "methods": ["POST"], "path": "/v1/orders"},
                "allow": {"scopes": {"all": ["orders.write"]}},
                "when": [{"body_bytes_max": "1KiB"}],
            },
            {"name": "any", "match": {"path": "/any/{rest*}"}},
            {
                "name": "closed",
                "match": {"path": "/closed"},
                "allow": {"scopes": {"all": ["orders.read", "nobody.has"]}},
            },
            {
                "name": "observed",
                "match": {"path": "/observed/{rest*}"},
                "allow": {"scopes": {"all": ["nobody.has"]}},
                "mode": "observe",
            },
            {"name": "connect", "match": {"methods": ["CONNECT"], "path": "/tunnel"}},
            {"name": "orders-grpc", "match": {"methods": ["POST"], "path": "/postern.demo.Orders/Get"}},
            {
                "name": "orders-grpc-closed",
                "match": {"methods": ["POST"], "path": "/postern.demo.Orders/Delete"},
                "allow": {"scopes": {"all": ["nobody.has"]}},
            },
            {"name": "public", "match": {"path": "/public/{rest*}"}, "public": True},
        ],
        # Many tests fail on purpose, and all come from one address.
        "source": {"pressure": {"rate": "100000/1s"}},
        "responses": {
            "realm": "orders",
            "resource_metadata": "https://api.example/.well-known/oauth-protected-resource",
            "detail": "full",
        },
    }


def assert_well(gate: Gate, keys: Keys, before: dict[str, int] | None = None) -> None:
    """Good requests pass and anonymous ones do not, on every worker; no VM failed or came back."""
    token = keys.token()
    # Held at the same time, so that each worker has one of them.
    held = [gate.client.connection() for _ in range(2)]
    for connection in held:
        gate.check(gate.client.request("GET", "/v1/orders/1", token=token, on=connection), 200, "allowed")
        gate.check(gate.client.request("GET", "/v1/orders/1", on=connection), 401, "credential_missing")
    for connection in held:
        connection.close()
    assert gate.envoy.failures() == []
    if before is not None:
        assert gate.envoy.vms() == before

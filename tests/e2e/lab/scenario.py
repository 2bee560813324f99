"""The steps of `envoy/demo/scenario.yaml`: read, turned into tokens and requests, and judged."""

import json
import re
from dataclasses import dataclass

import yaml

from . import ROOT, issuer
from .client import Client

DEMO = ROOT / "envoy" / "demo"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass
class Outcome:
    """What one step led to, as the demo shows it and a test compares it."""

    status: int
    reason: str
    grpc: int | None
    challenge: str | None
    seen: list[list[str]] | None
    event: dict
    body: dict | None


class Scenario:
    """The steps, and the keys they are signed with, made now."""

    def __init__(self, lifetime: str | None = None):
        document = yaml.safe_load((DEMO / "scenario.yaml").read_text())
        self.steps: list[dict] = document["steps"]
        for step in self.steps:
            # What `postern test` can play and a live run cannot.
            if "time" in step or step["request"].keys() & {"source", "certificate", "body_bytes"}:
                raise ValueError(f"a live run cannot play: {step['title']}")
        self._token = document["token"]
        if lifetime:
            self._token["claims"]["exp"] = f"now+{lifetime}"
        self._signers: dict[str, dict] = document["keys"]
        self._keys = {name: issuer.Key.new(spec["alg"], spec["kid"]) for name, spec in self._signers.items()}

    def policy(self) -> dict:
        """The plugin configuration with the public key in it."""
        text = (DEMO / "postern.yaml").read_text()
        for name, spec in self._signers.items():
            for member, document in (("jwks", issuer.jwks), ("bundle", issuer.bundle)):
                if member in spec:
                    text = text.replace(f"${{{spec[member]}}}", json.dumps(document(self._keys[name])))
        return yaml.safe_load(text)

    def token(self, spec: dict | None) -> str | None:
        """The token of a step."""
        if spec is None:
            return None
        name = spec.get("key", self._token["key"])
        key = self._keys[name]
        usual = {} if self._signers[name].get("bare") else self._token["claims"]
        claims = _instants(_merged(usual, spec.get("claims", {})))
        header = _merged({**self._token["header"], "alg": key.alg, "kid": key.kid}, spec.get("header", {}))
        match spec.get("forge"):
            case None:
                return issuer.mint(key, claims, header)
            case "none":
                return issuer.unsigned(claims)
            case "hs256":
                return issuer.confused(key, claims)
            case "truncated":
                return issuer.minted.token(issuer.mint(key, claims, header).rsplit(".", 1)[0])
            case "tampered":
                head, _, signature = issuer.mint(key, claims, header).split(".")
                raised = issuer.b64(json.dumps({**claims, "scope": "orders.read orders.write"}).encode())
                return issuer.minted.token(f"{head}.{raised}.{signature}")
            case other:
                raise ValueError(f"no such forgery: {other}")

    def play(self, step: dict, client: Client, events) -> Outcome:
        """Sends the request of a step; `events` gives the only audit event of a request id."""
        request, token = step["request"], self.token(step.get("token"))
        headers = request.get("headers", {})
        if request.get("grpc"):
            metadata = [("authorization", f"Bearer {token}")] if token else []
            answer = client.grpc(method=request["path"], metadata=metadata)
            event = events(answer.request_id)
            challenge = dict(answer.metadata).get("www-authenticate")
            status = event.get("http_response", {}).get("code", 0)
            seen = answer.headers if answer.code == 0 else None
            return Outcome(status, event.get("status_detail", ""), answer.code, challenge, seen, event, None)
        reply = client.request(
            request.get("method", "GET"),
            request["path"],
            token=token,
            headers=headers,
            body=request["body"].encode() if "body" in request else None,
            host=request.get("host"),
        )
        event = events(reply.request_id)
        seen = reply.json["headers"] if reply.status == 200 else None
        body = None if seen is not None else reply.json
        return Outcome(
            reply.status, event.get("status_detail", ""), None, reply.header("www-authenticate"), seen, event, body
        )


def surprises(step: dict, outcome: Outcome) -> list[str]:
    """Where an outcome is not what its step expects."""
    expect = step["expect"]
    unmapped = outcome.event.get("unmapped", {})
    wanted = {
        "reason": (expect["reason"], outcome.reason),
        "route": (expect.get("route"), unmapped.get("route")),
        "mode": (expect.get("mode", "enforce"), unmapped.get("mode")),
    }
    # A refused gRPC call is HTTP 200 on the wire, and its code is what the client acts on.
    if not step["request"].get("grpc"):
        wanted["status"] = (expect["status"], outcome.status)
        if outcome.body is not None:
            wanted["reason in the body"] = (expect["reason"], outcome.body.get("reason"))
    if "grpc" in expect:
        wanted["gRPC code"] = (expect["grpc"], outcome.grpc)
    if "scope" in expect:
        wanted["scope"] = (f'scope="{expect["scope"]}"', _scope(outcome.challenge))
    found = [f"{name}: expected {want!r}, got {got!r}" for name, (want, got) in wanted.items() if want != got]
    return found + _upstream_surprises(expect.get("upstream"), outcome.seen, expect)


def _upstream_surprises(wanted: dict | None, seen: list[list[str]] | None, expect: dict) -> list[str]:
    if wanted is None:
        passes = expect["status"] == 200
        return [] if passes == (seen is not None) else [f"the upstream saw {seen}"]
    if seen is None:
        return ["the request did not reach the upstream"]
    found = []
    for name, value in wanted.items():
        values = [text for key, text in seen if key.lower() == name.lower()]
        if values != ([] if value is None else [value]):
            found.append(f"upstream {name}: expected {value!r}, got {values!r}")
    return found


def _scope(challenge: str | None) -> str | None:
    found = re.search(r'scope="[^"]*"', challenge or "")
    return found[0] if found else None


def _merged(base: dict, changes: dict) -> dict:
    merged = {**base, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _instants(value):
    """Replaces `now+5m` and the like by NumericDates, at any depth."""
    if isinstance(value, dict):
        return {name: _instants(member) for name, member in value.items()}
    if isinstance(value, str) and (found := re.fullmatch(r"now([+-]\d+)([smhd])", value)):
        return issuer.now() + int(found[1]) * SECONDS[found[2]]
    return value

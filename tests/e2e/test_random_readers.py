"""Random tables, each read by the gate and by the proxy, and very many random requests against them.

No request that Postern allows reaches another upstream than its route names; no protected name
reaches one in any folding unless Postern set it; and on a protected route no credential does.

`$POSTERN_READERS` is how many requests are sent in all, `$POSTERN_READERS_SEED` what they and the
tables are drawn from. A failure names its seed.
"""

import os
import random
import time
from collections import Counter
from dataclasses import asdict

import policies
import pytest
from lab import envoy, swarm, tables
from lab.audit import reason, request_id
from lab.gate import Gate, permissive
from lab.issuer import flipped, mint, minted
from lab.readers import folded

COUNT = int(os.environ.get("POSTERN_READERS", "100000"))
SEED = int(os.environ.get("POSTERN_READERS_SEED", "15"))
TABLES = 5
OVERRIDES = {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"}
OVERRIDES |= {"x-forwarded-prefix"}
CLAIMS = dict(zip(tables.CLAIM_HEADERS, ["tenant.name", "tenant.tier", "app"]))


def protected(name: str) -> bool:
    kind = folded(name)
    return kind.startswith("x-postern-") or kind in CLAIMS or kind == "x-forwarded-client-cert"


def mask(seen: dict) -> int:
    """Which of the good tokens were sent with a request."""
    return int(seen["id"].rsplit("-", 1)[1])


def good_tokens(keys) -> list[str]:
    """Callers that differ in all that an upstream is told of them."""
    return [
        keys.token(sub="robot-0", app="shop"),
        keys.token(sub="robot-1", client_id="other", tenant=None, scope="orders.read nobody.has"),
        keys.token(sub="robot-2", client_id=None, scope="read", tenant={"name": "globex", "tier": None}),
    ]


def strange_tokens(keys) -> list[str]:
    claims = policies.claims_for(sub="ceo")
    return [mint(keys.stranger["ES256"], claims), flipped(keys.token(sub="ceo")), keys.token(exp=1), "x", "a.b.c"]


def policy(keys, rows) -> dict:
    return {
        "version": 1,
        "issuers": policies.issuers(keys, claim_headers=CLAIMS)[:1],
        "routes": [row.policy() for row in rows],
        # All come from one address, and most fail.
        "source": {"pressure": {"mode": "off"}},
    }


def bootstrap(keys, rows, ports: dict[str, int]) -> dict:
    some = next(iter(ports.values()))
    config = envoy.bootstrap(policy(keys, rows), http=some, grpc=some)
    permissive(config)
    manager = envoy.hcm(envoy.gate(config))
    manager["route_config"]["virtual_hosts"] = tables.virtual_hosts(rows)
    # One bad request costs only itself.
    manager["http2_protocol_options"]["override_stream_error_on_invalid_http_message"] = True
    static = config["static_resources"]["clusters"]
    trailers = static[0]["typed_extension_protocol_options"]
    for name, port in ports.items():
        static.append(envoy.cluster(name, port) | {"typed_extension_protocol_options": trailers})
    return config


class Oracle:
    """What may be seen behind the gate of one table."""

    def __init__(self, rows, events: dict[str, list[dict]], known: dict[int, set[tuple[str, str]]]):
        self.rows, self.events, self.known = {row.name: row for row in rows}, events, known

    def complaints(self, seen: dict):
        """What is wrong with a request that reached an upstream: of which kind, and how."""
        events = self.events.get(seen["id"], [])
        if len(events) != 1 or reason(events[0]) != "allowed":
            yield "not let in", f"{[reason(event) for event in events]}"
            return
        row = self.rows[events[0]["unmapped"]["route"]]
        if seen["upstream"] != row.name and not (seen["upstream"] == "mirror" and "mirror" in str(row.action)):
            yield "another upstream", f"{seen['upstream']}, not that of {row.name} {row.host} {row.path}"
        if seen["method"] != seen["method"].upper() or row.methods and seen["method"] not in row.methods:
            yield "another method", f"not of {row.methods or 'those in upper case'}"
        yield from self._fields(seen, row)

    def _fields(self, seen: dict, row):
        told = Counter()
        for name, value in [*seen["headers"], *seen["trailers"]]:
            kind = folded(name)
            if protected(name):
                told[(name, value)] += 1
            elif kind in OVERRIDES:
                yield "an override", name
            elif row.scope != "public" and (kind == "authorization" or "eyJ" in value):
                yield "a credential", f"{name}: {value[:16]}"
            elif kind == "connection" and any(protected(one.strip()) for one in value.split(",")):
                yield "a name in connection", value
        # Of a caller that sent no good token nothing can be told.
        expected = Counter() if row.scope == "public" else Counter(self.known.get(mask(seen), {("a", "token"): 1}))
        if told != expected:
            yield "a name not proven", f"{dict(told)}"


def baseline(gate, tokens: list[str]) -> None:
    """A clean request of each caller, whose fields are the ones to expect."""
    for index, token in enumerate(tokens):
        reply = gate.client.request("GET", "/", host="baseline.example", token=token, request_id=f"b-0-0-{1 << index}")
        assert reply.status == 200, reply


@pytest.mark.parametrize("number", range(TABLES))
def test_what_is_let_in_reaches_the_upstream_of_its_route_and_tells_nothing_unproven(keys, tmp_path, number):
    seed, count = SEED * TABLES + number, COUNT // TABLES
    rows = tables.table(seed, ports=number % 2 == 1)
    rows.append(tables.Row("baseline", "baseline.example", "/{rest*}", [], "any"))
    recorder = swarm.Recorder(tmp_path / "behind", [*(row.name for row in rows), "mirror", "rest"])
    tokens, strange = good_tokens(keys), strange_tokens(keys)
    words = asdict(tables.Words.of(rows, random.Random(seed)))
    begin = time.monotonic()
    try:
        with Gate.running(bootstrap(keys, rows, recorder.ports), tmp_path / "gate") as gate:
            before = gate.envoy.vms()
            baseline(gate, tokens)
            drawn = {"words": words, "tokens": tokens, "strange": strange, "seed": seed, "count": count}
            answered = swarm.send(gate.client.port, tmp_path, **drawn)
            assert gate.envoy.vms() == before
    finally:
        seen = recorder.stop()
    took = time.monotonic() - begin
    by_id = {}
    for event in gate.envoy.audit.events():
        by_id.setdefault(request_id(event), []).append(event)
    # What the proxy refused before Postern saw it has no id.
    by_id.pop("", None)
    known = {
        mask(one): {(name, value) for name, value in one["headers"] if protected(name)}
        for one in seen
        if one["id"].startswith("b-")
    }
    reasons = Counter(reason(events[0]) for events in by_id.values())
    told = f"seed {SEED}, table {number}: {answered} of {count} answered, {len(seen)} arrived, {took:.1f} s, {reasons}"
    print(told)
    assert len(known) == len(tokens) and all(known.values())
    oracle = Oracle(rows, by_id, known)
    found = [(*complaint, one) for one in seen for complaint in oracle.complaints(one)]
    kinds = Counter(kind for kind, *_ in found)
    firsts = {kind: [one for one in found if one[0] == kind][:3] for kind in kinds}
    assert not found, f"{told}\n{kinds}\n" + "\n".join(str(one) for some in firsts.values() for one in some)
    assert [wanted for wanted, events in by_id.items() if len(events) != 1] == [], told
    # It was a test of something.
    assert answered > count * 0.9 and reasons["allowed"] > count / 20, told
    expected = {"path_ambiguous", "method_ambiguous", "credential_missing", "credential_ambiguous", "signature_invalid"}
    assert expected <= reasons.keys(), told
    # The log has more events than those of all other tests together: what the end of the run asks of
    # each was asked here, and the log is not kept.
    assert gate.envoy.failures() == [] and minted.leaks(gate.envoy.log_path.read_bytes()) == []
    gate.envoy.log_path.unlink()
    envoy.Envoy.everyone.remove(gate.envoy)

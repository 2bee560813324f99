"""What is compared: one Envoy configuration each, alike in everything but the filters."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import wasm_floor
from filters import ONE, file_access_log, jwt_authn, local_ratelimit, rbac, wasm
from tokens import ALGORITHMS, AUDIENCE, ISSUER, Tokens

GROUPS = ("cached", "fresh", "refused", "scale", "workers", "calls")
NONE, DIRECT = "none", "direct"
AUDIT_LINE = '"class_uid":6003'
NEVER_AGAIN = {"rate": "1/1d", "burst": 1}


@dataclass
class Record:
    """The log that holds one line a request, and text that such a line has."""

    file: Path
    text: str

    def count(self) -> int:
        with self.file.open(errors="replace") as lines:
            return sum(self.text in line for line in lines)


@dataclass
class Scenario:
    name: str
    what: str
    group: str
    tokens: str = "RS256"  # the kind of token that every request has
    fresh: bool = False  # a new token for each request, or one token for all
    count: int = 0  # how many tokens there are where not all that were made, so that all were seen
    keys: int = 0  # how many values of x-key there are
    status: int = 200  # what every request is answered with,
    says: str = ""  # and text in the body of that answer
    filters: list = field(default_factory=list)
    access_log: list = field(default_factory=list)
    checks: list = field(default_factory=list)  # asked before measuring: (kind of token, status, text)
    base: str = NONE  # what costs are told over
    against: str | None = None  # Envoy's own filters that do the like
    direct: bool = False  # Envoy answers by itself
    workers: int = 1
    native_cache: bool | None = None  # jwt_authn answers every request from its cache, or none
    record: Record | None = None
    latency: bool = False  # its latency is measured too
    extra: bool = False  # measured only where named, or with --all


BESIDE = "-beside"  # how the names of another module's scenarios end


def all_scenarios(tokens: Tokens, module: Path, work: Path, beside: Path | None = None) -> list[Scenario]:
    """Every scenario, what is held against each other side by side; Postern's only if it is built.

    Those of the module `beside` are told against Postern's own.
    """
    made = Native(tokens, work).all()
    if module.exists():
        made += Postern(tokens, module, work).all()
    if beside:
        made += [replace(other, against=other.name.removesuffix(BESIDE)) for other in Postern(tokens, beside, work, BESIDE).all()]
    order = {scenario.name: number for number, scenario in enumerate(made)}

    def place(scenario: Scenario) -> tuple[int, int]:
        return GROUPS.index(scenario.group), order.get(scenario.against, order[scenario.name])

    return bases() + sorted(made, key=place)


def bases() -> list[Scenario]:
    """What costs are told over; each is measured in every group that needs it."""
    return [
        Scenario(NONE, "router alone", "", latency=True),
        Scenario(DIRECT, "router alone, which answers 401 itself", "", direct=True, status=401, base=DIRECT),
        *(Scenario(f"{NONE}-{workers}", f"router alone, {workers} workers", "", workers=workers) for workers in (2, 4)),
    ]


@dataclass
class Native:
    """Envoy's own filters, and modules that do next to nothing."""

    tokens: Tokens
    work: Path

    def all(self) -> list[Scenario]:
        made = [self.cached("RS256"), self.chain("chain", "cached", latency=True)]
        made += [self.cached(algorithm, extra=True) for algorithm in ALGORITHMS[1:]]
        made += [self.fresh(algorithm) for algorithm in ALGORITHMS]
        made += [*self.refused(), self.descriptors(10), self.descriptors(1000), *self.floors(), *self.calls()]
        return made + [
            self.chain(f"chain-{number}-workers", "workers", base=base(number), workers=number) for number in (1, 2, 4)
        ]

    def cached(self, algorithm: str, extra: bool = False) -> Scenario:
        return Scenario(
            f"jwt-{algorithm.lower()}-cached", f"jwt_authn {algorithm}, one token, its cache on", "cached", algorithm,
            filters=[jwt_authn(self.tokens, cache=True)], checks=jwt_checks(algorithm), native_cache=True, extra=extra,
        )  # fmt: skip

    def fresh(self, algorithm: str) -> Scenario:
        return Scenario(
            f"jwt-{algorithm.lower()}-fresh", f"jwt_authn {algorithm}, a fresh token each, no cache", "fresh", algorithm,
            fresh=True, filters=[jwt_authn(self.tokens, cache=False)], checks=jwt_checks(algorithm),
            native_cache=False, latency=algorithm == "RS256",
        )  # fmt: skip

    def chain(self, name: str, group: str, bucket: dict | None = None, **more) -> Scenario:
        log = self.work / f"{name}.access.log"
        return Scenario(
            name, "jwt_authn RS256 (one token, its cache on) + rbac + local_ratelimit + JSON access log", group,
            filters=[jwt_authn(self.tokens, cache=True, metadata=True), rbac(), local_ratelimit(bucket)],
            access_log=[file_access_log(log)], native_cache=True,
            record=Record(log, '@corp.example"'),
            **{"checks": [*jwt_checks("RS256"), ("RS256-unscoped", 403, "RBAC")]} | more,
        )  # fmt: skip

    def refused(self) -> list[Scenario]:
        """Refusals as they are cheapest: jwt_authn has no log here."""
        jwt = [jwt_authn(self.tokens, cache=True)]
        alone = {"group": "refused", "base": DIRECT, "filters": jwt, "status": 401}
        return [
            Scenario("jwt-refused-missing", "jwt_authn, no token", tokens="RS256-missing", says="missing", **alone),
            Scenario("jwt-refused-malformed", "jwt_authn, a malformed token", tokens="RS256-malformed", says="Jwt", **alone),
            Scenario("jwt-refused-forged", "jwt_authn, a bad signature, a new token each",
                     tokens="RS256-forged", fresh=True, says="verification fails", **alone),
            Scenario("jwt-refused-again", "jwt_authn, one token with a bad signature again and again",
                     tokens="RS256-forged", says="verification fails", **alone),
            self.chain("chain-refused-scope", "refused", tokens="RS256-unscoped", status=403, says="RBAC", base=DIRECT),
            self.chain("chain-refused-limited", "refused", ONE, status=429, says="rate_limited", base=DIRECT,
                       checks=[("RS256", 200, "")]),
        ]  # fmt: skip

    def descriptors(self, keys: int) -> Scenario:
        """Envoy's own limit with a bucket for each value it meets, and nothing else."""
        value = {"request_headers": {"header_name": "x-key", "descriptor_key": "key"}}
        bucket = {"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"}
        descriptor = {"entries": [{"key": "key"}], "token_bucket": bucket}
        limit = local_ratelimit(
            rate_limits=[{"actions": [value]}], descriptors=[descriptor], max_dynamic_descriptors=keys
        )
        what = f"local_ratelimit alone, a descriptor with {keys} values"
        return Scenario(f"local-ratelimit-{keys}-keys", what, "scale", keys=keys, filters=[limit], extra=True)

    def floors(self) -> list[Scenario]:
        """What no filter can be cheaper than."""
        calls = "a module that makes the calls of a known token and one limit"
        made = [
            self.floor("wasm-empty", wasm_floor.empty(), "a module that does nothing"),
            self.floor("wasm-floor", wasm_floor.floor(), "a module that reads the header map and logs a line"),
            # Shown beside the chain: no module that has to make these calls can be cheaper.
            self.floor("wasm-calls", wasm_floor.calling(), calls, against="chain", extra=False),
        ]
        for algorithm in ("RS256", "ES256"):
            module = wasm_floor.verifying("sha256", *self.tokens.signature_parts(algorithm))
            what = f"the same, and has Envoy verify one {algorithm} signature"
            made.append(self.floor(f"wasm-floor-{algorithm.lower()}", module, what))
        for scenario in made[1:]:
            scenario.record = Record(self.work / f"{scenario.name}.log", AUDIT_LINE)
        return made

    def calls(self) -> list[Scenario]:
        """What a call of the host costs, so many of it a request."""
        modules = {name: wasm_floor.repeating(name) for name in wasm_floor.CALLS}
        many = wasm_floor.REPEATED
        alone = {"group": "calls", "extra": False}
        return [
            self.floor("wasm-empty-alone", wasm_floor.empty(), "a module that does nothing", **alone),
            *(self.floor(f"wasm-{many}-{name}", module, f"{many} times {name}", **alone) for name, module in modules.items()),
        ]

    def floor(self, name: str, module: bytes, what: str, **more) -> Scenario:
        file = self.work / f"{name}.wasm"
        file.write_bytes(module)
        return Scenario(name, what, filters=[wasm("floor", file, "")], **{"group": "cached", "extra": True} | more)


def base(workers: int) -> str:
    return NONE if workers == 1 else f"{NONE}-{workers}"


def jwt_checks(algorithm: str) -> list:
    return [(f"{algorithm}-missing", 401, "missing"), (f"{algorithm}-forged", 401, "verification fails")]


def postern_checks(algorithm: str) -> list:
    return [
        (f"{algorithm}-missing", 401, "credential_missing"),
        (f"{algorithm}-forged", 401, "signature_invalid"),
        (f"{algorithm}-unscoped", 403, "scope_missing"),
    ]


@dataclass
class Postern:
    """The scenarios of the module."""

    tokens: Tokens
    module: Path
    work: Path
    suffix: str = ""

    def all(self) -> list[Scenario]:
        fresh = [scenario for algorithm in ALGORITHMS for scenario in self.fresh(algorithm)]
        return [*self.cached(), *fresh, *self.refused(), *self.scale(), *self.workers()]

    def cached(self) -> list[Scenario]:
        return [
            self.scenario("postern-cached", "RS256, one token", against="jwt-rs256-cached"),
            self.scenario("postern-cached-limit", "RS256, one token, a rate limit", limit=True, against="chain", latency=True),
            self.scenario("postern-cached-batched", "RS256, one token, a rate limit", limit=True, batch="64KiB", against="chain", latency=True),
            self.scenario("postern-cached-quiet", "RS256, one token", audited=False, against="jwt-rs256-cached"),
            self.scenario("postern-cached-risk", "RS256, one token, every signal of risk", risk=True),
        ]

    def fresh(self, algorithm: str) -> list[Scenario]:
        name, what = f"postern-{algorithm.lower()}-fresh", f"{algorithm}, a fresh token each"
        same = {"group": "fresh", "tokens": algorithm, "fresh": True, "against": f"jwt-{algorithm.lower()}-fresh"}
        return [
            self.scenario(name, what, latency=algorithm == "RS256", **same),
            self.scenario(f"{name}-quiet", what, audited=False, extra=True, **same),
            *([self.shared(same)] if algorithm == "RS256" else []),
        ]

    def shared(self, same: dict) -> Scenario:
        """Tokens that are remembered where all workers find them, and not by the one that is asked."""
        what = "RS256, tokens that another worker has verified"
        return self.scenario("postern-rs256-shared", what, share=True, count=5000, **same)

    def refused(self) -> list[Scenario]:
        forged = {"status": 401, "says": "signature_invalid", "tokens": "RS256-forged"}
        return [
            self.refusal("missing", "no token", status=401, says="credential_missing", tokens="RS256-missing"),
            self.refusal("malformed", "a malformed token", status=401, says="credential_malformed", tokens="RS256-malformed"),
            self.refusal("forged", "a bad signature, a new token each", fresh=True, **forged),
            self.refusal("again", "one token with a bad signature again and again", **forged),
            self.refusal("quiet", "a bad signature, a new token each", fresh=True, audited=False, extra=True,
                         against="jwt-refused-forged", **forged),
            self.refusal("scope", "the scope is missing", status=403, says="scope_missing", tokens="RS256-unscoped",
                         against="chain-refused-scope"),
            self.refusal("limited", "past its limit", status=429, says="rate_limited", limit=NEVER_AGAIN,
                         checks=[("RS256", 200, "")], against="chain-refused-limited"),
            self.refusal("throttled", "a source that failed too often", status=429, says="source_throttled",
                         tokens="RS256-forged", pressure=NEVER_AGAIN, against=None,
                         checks=[("RS256-forged", 401, "signature_invalid")]),
        ]  # fmt: skip

    def refusal(self, name: str, what: str, **more) -> Scenario:
        quiet_sources = {"mode": "off"}
        more = {"against": f"jwt-refused-{name}", "pressure": quiet_sources, "checks": []} | more
        return self.scenario(f"postern-refused-{name}", what, group="refused", base=DIRECT, **more)

    def scale(self) -> list[Scenario]:
        sizes = {"10": 10, "1k": 1000, "10k": 10_000, "100k": 100_000}
        routes = [self.sized(name, "one of so many routes", routes=sizes[name]) for name in ("10", "1k", "10k")]
        clients = [self.sized(name, "one of so many clients", clients=sizes[name]) for name in ("10", "1k", "100k")]
        keys = [self.sized(name, "a limit of so many keys", limit=True, keys=sizes[name]) for name in ("10", "100k")]
        return routes + clients + keys

    def sized(self, size: str, what: str, **more) -> Scenario:
        name = f"postern-cached-{size}-{list(more)[-1]}"
        return self.scenario(name, f"RS256, one token, {what}", group="scale", **more)

    def workers(self) -> list[Scenario]:
        return [
            self.scenario(
                f"postern-{n}-workers", f"RS256, one token, a rate limit, {n} workers", group="workers",
                limit=True, workers=n, base=base(n), against=f"chain-{n}-workers",
            )
            for n in (1, 2, 4)
        ]  # fmt: skip

    def scenario(self, name, what, group="cached", audited=True, **more) -> Scenario:
        settings = {key: more.pop(key) for key in ("limit", "clients", "routes", "risk", "pressure", "batch", "share") if key in more}
        keyed = more.get("keys", 0) > 0
        configuration = json.dumps(postern_config(self.tokens, audited, keyed=keyed, **settings))
        name += self.suffix
        scenario = Scenario(name, f"Postern {what}, scopes, {'all' if audited else 'nothing'} audited", group, **more)
        scenario.filters = [wasm("postern", self.module, configuration)]
        if "checks" not in more:
            scenario.checks = postern_checks(scenario.tokens)
        # Postern's audit goes where Envoy's own log goes.
        scenario.record = Record(self.work / f"{name}.log", AUDIT_LINE) if audited else None
        return scenario


def postern_config(
    tokens: Tokens, audited=True, limit=None, clients=0, routes=1, risk=False, pressure=None, keyed=False, batch=None, share=False
) -> dict:
    issuer = {"name": "corp", "issuer": ISSUER, "audiences": [AUDIENCE]}
    issuer |= {"keys": {"inline": tokens.jwks}, "algorithms": list(ALGORITHMS)}
    shares = "all" if audited else {"allowed": 0, "denied": 0}
    names = [f"other-{number}" for number in range(routes - 1)] + ["orders"]
    config = {
        "version": 1,
        "issuers": [issuer],
        "routes": [route(name) for name in names],
        "audit": {"log": {"level": "info", "decisions": shares}},
    }
    if share:
        config["tokens"] = {"share": True, "cache": "64KiB"}
    if batch:
        config["audit"]["log"]["batch"] = batch
    if risk:
        # A benchmark is a burst, and would be denied.
        config["risk"] = {"actions": []}
    if pressure:
        config["source"] = {"pressure": pressure}
    if clients:
        # The last one is that of the one token.
        clients = [f"other-{number}" for number in range(clients - 1)] + ["client-00"]
        config["clients"] = [{"name": name, "match": {"issuer": "corp", "client": name}} for name in clients]
    if limit:
        rate = {"rate": "1000000/1s"} if limit is True else limit
        config["limits"] = [{"name": "own", "key": ["header:x-key"] if keyed else ["client", "route"]} | rate]
        config["routes"][-1]["limits"] = ["own"]
        config["counters"] = {"slots": 1 << 18}  # room for every key of every scenario
    return config


def route(name: str) -> dict:
    match = {"methods": ["GET"], "path": f"/v1/{name}/{{id}}"}
    return {"name": f"read-{name}", "match": match, "allow": {"scopes": {"all": ["orders.read"]}}}

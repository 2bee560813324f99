"""What is compared: one Envoy configuration each, alike in everything but the filters."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import wasm_floor
from tokens import ALGORITHMS, AUDIENCE, ISSUER, Tokens

TYPE = "type.googleapis.com/envoy.extensions"


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
    algorithm: str = "RS256"
    fresh: bool = False  # a new token for each request, or one token for all
    filters: list = field(default_factory=list)
    access_log: list = field(default_factory=list)
    authenticates: bool = True  # a forged or missing token gets 401
    authorizes: bool = False  # a token without the scope gets 403
    native_cache: bool | None = None  # jwt_authn answers every request from its cache, or none
    record: Record | None = None
    extra: bool = False  # measured only where named


def all_scenarios(tokens: Tokens, module: Path, work: Path) -> list[Scenario]:
    """Every scenario, what is held against each other side by side; Postern's only if it is built."""
    postern = Postern(tokens, module, work)
    scenarios = [Scenario("none", "router alone", authenticates=False), *floors(tokens, work)]
    scenarios += [jwt_scenario(tokens, algorithm, cache=True) for algorithm in ALGORITHMS]
    scenarios += [chain(tokens, work), *postern.cached(), native_limit()]
    for algorithm in ALGORITHMS:
        scenarios += [jwt_scenario(tokens, algorithm, cache=False), *postern.fresh(algorithm)]
    return scenarios


def floors(tokens: Tokens, work: Path) -> list[Scenario]:
    """What no filter can be cheaper than."""
    scenarios = [
        floor(work, "wasm-empty", wasm_floor.empty(), "a module that does nothing"),
        floor(work, "wasm-floor", wasm_floor.floor(), "a module that reads the header map and logs a line"),
    ]
    for algorithm in ("RS256", "ES256"):
        module = wasm_floor.verifying("sha256", *tokens.signature_parts(algorithm))
        what = f"the same, and has Envoy verify one {algorithm} signature"
        scenarios.append(floor(work, f"wasm-floor-{algorithm.lower()}", module, what))
    for scenario in scenarios[1:]:
        scenario.record = Record(work / f"{scenario.name}.log", '"class_uid":6003')
        scenario.extra = True
    return scenarios


def floor(work: Path, name: str, module: bytes, what: str) -> Scenario:
    file = work / f"{name}.wasm"
    file.write_bytes(module)
    return Scenario(name, what, filters=[wasm("floor", file, "")], authenticates=False)


def jwt_scenario(tokens: Tokens, algorithm: str, cache: bool) -> Scenario:
    name, what = ("cached", "one token, its cache on") if cache else ("fresh", "a fresh token each, no cache")
    return Scenario(
        f"jwt-{algorithm.lower()}-{name}",
        f"jwt_authn {algorithm}, {what}",
        algorithm,
        fresh=not cache,
        filters=[jwt_authn(tokens, cache)],
        native_cache=cache,
    )


def chain(tokens: Tokens, work: Path) -> Scenario:
    log = work / "chain.access.log"
    return Scenario(
        "chain",
        "jwt_authn RS256, one token, its cache on + rbac + local_ratelimit + JSON access log",
        filters=[jwt_authn(tokens, cache=True, metadata=True), rbac(), local_ratelimit()],
        access_log=[file_access_log(log)],
        authorizes=True,
        native_cache=True,
        record=Record(log, '"subject":"service-00@corp.example"'),
    )


def native_limit() -> Scenario:
    """Envoy's own limit with a bucket for each value it meets, and nothing else."""
    value = {"request_headers": {"header_name": ":authority", "descriptor_key": "host"}}
    bucket = {"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"}
    descriptor = {"entries": [{"key": "host"}], "token_bucket": bucket}
    limit = local_ratelimit(
        rate_limits=[{"actions": [value]}], descriptors=[descriptor], max_dynamic_descriptors=100
    )
    what = "local_ratelimit with a descriptor"
    return Scenario("local-ratelimit-descriptor", what, filters=[limit], authenticates=False)


@dataclass
class Postern:
    """The scenarios of the module, none where it is not built."""

    tokens: Tokens
    module: Path
    work: Path

    def cached(self) -> list[Scenario]:
        return [
            *self.scenario("postern-cached", "RS256, one token"),
            *self.scenario("postern-cached-limit", "RS256, one token, a rate limit", limit=True),
            *self.scenario("postern-cached-quiet", "RS256, one token", audited=False),
            *self.scenario("postern-cached-risk", "RS256, one token, every signal of risk", risk=True),
            *self.scenario("postern-cached-10-clients", "RS256, one token, one of 10 clients", clients=10),
            *self.scenario("postern-cached-100k-clients", "RS256, one token, one of 100,000 clients", clients=100_000),
        ]

    def fresh(self, algorithm: str) -> list[Scenario]:
        name, what = f"postern-{algorithm.lower()}-fresh", f"{algorithm}, a fresh token each"
        return [
            *self.scenario(name, what, algorithm, fresh=True),
            *self.scenario(f"{name}-quiet", what, algorithm, fresh=True, audited=False),
        ]

    def scenario(
        self, name, what, algorithm="RS256", fresh=False, audited=True, limit=False, clients=0, risk=False
    ) -> list[Scenario]:
        if not self.module.exists():
            return []
        configuration = json.dumps(postern_config(self.tokens, "all" if audited else "denied", limit, clients, risk))
        scenario = Scenario(name, f"Postern {what}, scopes, {'all' if audited else 'denials'} audited")
        scenario.algorithm, scenario.fresh, scenario.authorizes = algorithm, fresh, True
        scenario.filters = [wasm("postern", self.module, configuration)]
        scenario.extra = not audited or clients > 0 or risk
        # Postern's audit goes where Envoy's own log goes.
        scenario.record = Record(self.work / f"{name}.log", '"class_uid":6003') if audited else None
        return [scenario]


def postern_config(tokens: Tokens, decisions: str, limit: bool, clients: int, risk: bool) -> dict:
    route = {
        "name": "read-orders",
        "match": {"methods": ["GET"], "path": "/v1/orders/{id}"},
        "allow": {"scopes": {"all": ["orders.read"]}},
    }
    issuer = {
        "name": "corp",
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "keys": {"inline": tokens.jwks},
        "algorithms": list(ALGORITHMS),
    }
    config = {
        "version": 1,
        "issuers": [issuer],
        "routes": [route],
        "audit": {"log": {"level": "info", "decisions": decisions}},
    }
    if risk:
        # A benchmark is a burst, and would be denied.
        config["risk"] = {"actions": []}
    if clients:
        # The last one is that of the one token.
        names = [f"other-{number}" for number in range(clients - 1)] + ["client-00"]
        config["clients"] = [{"name": name, "match": {"issuer": "corp", "client": name}} for name in names]
    if limit:
        route["limits"] = ["per-client"]
        config["limits"] = [{"name": "per-client", "key": ["client", "route"], "rate": "1000000/1s"}]
    return config


def wasm(name: str, module: Path, configuration: str) -> dict:
    config = {
        "name": name,
        "root_id": name,
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}},
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
        "failure_policy": "FAIL_CLOSED",
    }
    return http_filter("wasm", "wasm.v3.Wasm", config=config)


def jwt_authn(tokens: Tokens, cache: bool, metadata: bool = False) -> dict:
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(tokens.jwks)},
    }
    if metadata:
        provider["payload_in_metadata"] = "claims"
    if cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": 100}
    rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}
    return http_filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", providers={"corp": provider}, rules=[rule])


def rbac() -> dict:
    path = {"url_path": {"path": {"prefix": "/v1/orders/"}}}
    method = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    scope = {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "claims"}, {"key": "scope"}],
        # The cheapest rule there is, to the native chain's advantage: it takes part of a scope too.
        "value": {"string_match": {"contains": "orders.read"}},
    }
    policy = {
        "permissions": [{"and_rules": {"rules": [path, method]}}],
        "principals": [{"sourced_metadata": {"metadata_matcher": scope}}],
    }
    rules = {"action": "ALLOW", "policies": {"read-orders": policy}}
    return http_filter("rbac", "rbac.v3.RBAC", rules=rules)


def local_ratelimit(**more) -> dict:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return http_filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="bench",
        token_bucket={"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"},
        filter_enabled=always,
        filter_enforced=always,
        **more,
    )


def file_access_log(path: Path) -> dict:
    claim = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:{})%"
    fields = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%PATH(NQ)%",
        "protocol": "%PROTOCOL%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "duration": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "source": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "user_agent": "%REQ(USER-AGENT)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "route": "%ROUTE_NAME%",
        "issuer": claim.format("iss"),
        "subject": claim.format("sub"),
        "client": claim.format("client_id"),
        "scope": claim.format("scope"),
    }
    file = {"@type": f"{TYPE}.access_loggers.file.v3.FileAccessLog", "path": str(path)}
    return {"name": "file", "typed_config": file | {"log_format": {"json_format": fields}}}


def http_filter(name: str, message: str, **config) -> dict:
    typed = {"@type": f"{TYPE}.filters.http.{message}", **config}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def bootstrap(scenario: Scenario, upstream_port: int) -> dict:
    """The whole Envoy configuration of a scenario, every port but the upstream's to be chosen by Envoy."""
    listener = {
        "name": "ingress",
        "address": loopback(0),
        "filter_chains": [{"filters": [connection_manager(scenario)]}],
    }
    endpoint = {"endpoint": {"address": loopback(upstream_port)}}
    cluster = {
        "name": "upstream",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {
        "admin": {"address": loopback(0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def connection_manager(scenario: Scenario) -> dict:
    route = {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
    typed = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "normalize_path": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*scenario.filters, http_filter("router", "router.v3.Router")],
        "access_log": scenario.access_log,
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}


def loopback(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

"""Envoy's configuration: its own filters as they are compared, and the bootstrap around them."""

import json
from pathlib import Path

from tokens import AUDIENCE, ISSUER, Tokens

TYPE = "type.googleapis.com/envoy.extensions"
PLENTY = {"max_tokens": 1000000, "tokens_per_fill": 1000000, "fill_interval": "1s"}
ONE = {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"}
REFUSAL = '{"type":"about:blank","title":"Unauthorized","status":401,"detail":"' + "x" * 80 + '"}'


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


def local_ratelimit(bucket: dict | None = None, **more) -> dict:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return http_filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="bench",
        token_bucket=bucket or PLENTY,
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


def bootstrap(scenario, upstream_port: int, port: int = 0) -> dict:
    """The whole Envoy configuration of a scenario; Envoy chooses the port where none is given."""
    listener = {
        "name": "ingress",
        "address": loopback(port),
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


def connection_manager(scenario) -> dict:
    answer = {"direct_response": {"status": 401, "body": {"inline_string": REFUSAL}}}
    route = {"name": "all", "match": {"prefix": "/"}} | (
        answer if scenario.direct else {"route": {"cluster": "upstream"}}
    )
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

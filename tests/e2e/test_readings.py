"""One request, and three readers: Postern, the proxy's routes, and the upstream.

An Envoy with virtual hosts, prefixes and rewrites as operators write them, and an upstream that says
which cluster it was reached by. What Postern lets through without a credential reaches nothing but
what is public.
"""

import uuid

import policies
import pytest
from lab import envoy, http2
from lab.client import Reply
from lab.gate import Gate, changed

PUBLIC_SITE = [
    {"name": "static", "match": {"hosts": ["static.example"], "path": "/{rest*}"}, "public": True},
    {"name": "api", "match": {"hosts": ["api.example"], "path": "/{rest*}"}},
]
PORTS = [
    {"name": "any", "match": {"hosts": ["api.example:*"], "path": "/{rest*}"}},
    {"name": "one", "match": {"hosts": ["api.example:8443"], "path": "/{rest*}"}},
]
PUBLIC_PREFIX = [
    {"name": "public", "match": {"path": "/public/{rest*}"}, "public": True},
    {"name": "rest", "match": {"path": "/{rest*}"}},
]
METHODS = [
    {
        "name": "delete",
        "match": {"methods": ["DELETE"], "path": "/v1/x/{id}"},
        "allow": {"scopes": {"all": ["nobody.has"]}},
    },
    {"name": "x", "match": {"path": "/v1/x/{id}"}, "allow": {"scopes": {"all": ["orders.read"]}}},
    {"name": "dav", "match": {"methods": ["PROPFIND"], "path": "/dav/{rest*}"}},
]
UPSTREAMS = [
    {"name": "public", "match": {"path": "/public/{rest*}"}, "public": True, "upstreams": ["static"]},
    {"name": "tried", "match": {"path": "/tried/{rest*}"}, "public": True, "mode": "observe"},
    {"name": "moved", "match": {"path": "/moved"}, "public": True},
    {"name": "direct", "match": {"path": "/direct"}, "public": True},
    {"name": "either", "match": {"path": "/either"}, "public": True, "upstreams": ["static", "api"]},
    {"name": "rest", "match": {"path": "/{rest*}"}},
]


def to(cluster: str, path: dict, **action) -> dict:
    """A route that says by which cluster the upstream was reached."""
    reached = {"header": {"key": "x-reached", "value": cluster}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {"match": path, "route": {"cluster": cluster, **action}, "request_headers_to_add": [reached]}


def by_host(config: dict) -> None:
    """A static site, and an API that takes every other host."""
    _virtual_hosts(
        config,
        {"name": "static", "domains": ["static.example"], "routes": [to("static", {"prefix": "/"})]},
        {"name": "rest", "domains": ["*"], "routes": [to("api", {"prefix": "/"})]},
    )


def by_prefix(config: dict) -> None:
    """A static site below a prefix, and an API behind a rewrite that drops the first segment."""
    rewrite = {"pattern": {"regex": "^/[^/]+/"}, "substitution": "/"}
    _virtual_hosts(
        config,
        {
            "name": "all",
            "domains": ["*"],
            "routes": [
                to("static", {"prefix": "/public/"}),
                to("api", {"prefix": "/dav/"}),
                to("api", {"prefix": "/v1/"}),
                {"match": {"path": "/moved"}, "redirect": {"path_redirect": "/elsewhere"}},
                {"match": {"path": "/direct"}, "direct_response": {"status": 204}},
                to("static", {"path": "/either"}),
                to("api", {"prefix": "/"}, regex_rewrite=rewrite),
            ],
        },
    )


def _virtual_hosts(config: dict, *hosts: dict) -> None:
    envoy.hcm(envoy.gate(config))["route_config"]["virtual_hosts"] = list(hosts)
    clusters = config["static_resources"]["clusters"]
    http = next(c for c in clusters if c["name"] == "upstream_http")
    clusters += [{**http, "name": name} for name in ("static", "api")]


@pytest.fixture(scope="module")
def gates(upstream, keys, tmp_path_factory):
    """Opens each gate once."""
    import contextlib

    with contextlib.ExitStack() as stack:
        opened: dict[str, Gate] = {}

        def open_one(name: str) -> Gate:
            routes, tweak, more = {
                "site": (PUBLIC_SITE, by_host, {}),
                "ports": (PORTS, by_host, {}),
                "prefix": (PUBLIC_PREFIX, by_prefix, {}),
                "methods": (METHODS, by_prefix, {}),
                "upstreams": (UPSTREAMS, by_prefix, {"defaults": {"upstreams": ["api"]}}),
            }[name]
            if name not in opened:
                policy = changed(policies.main(keys), routes=routes, **more)
                directory = tmp_path_factory.mktemp(name)
                opened[name] = stack.enter_context(Gate.open(policy, upstream, directory, tweak=tweak))
            return opened[name]

        yield open_one


def reached(reply: Reply) -> str:
    return reply.seen("x-reached")[0]


# Hosts


@pytest.mark.parametrize("host", ["static.example:8443", "static.example.", "static.example:", "STATIC.example:80"])
def test_a_host_with_a_port_or_a_dot_does_not_reach_the_api_as_the_public_site(gates, host):
    gate = gates("site")
    gate.check(gate.client.request("GET", "/v1/orders/7", host=host), 403, "route_unknown")


@pytest.mark.parametrize("host", ["static.example", "STATIC.example"])
def test_the_public_site_is_reached_by_its_name_in_any_case(gates, host):
    gate = gates("site")
    reply = gate.client.request("GET", "/v1/orders/7", host=host)
    gate.check(reply, 200, "allowed", route="static")
    assert reached(reply) == "static"


@pytest.mark.parametrize(
    ("host", "route"), [("api.example", "any"), ("API.example:80", "any"), ("API.example:8443", "one")]
)
def test_a_port_that_is_named_is_matched(gates, keys, host, route):
    gate = gates("ports")
    gate.check(gate.client.request("GET", "/v1/orders/7", host=host), 401, "credential_missing", route=route)
    reply = gate.client.request("GET", "/v1/orders/7", host=host, token=keys.token())
    gate.check(reply, 200, "allowed", route=route)
    assert reached(reply) == "api"


# Paths


@pytest.mark.parametrize("path", ["/%70ublic/v1/orders/7", "/publi%63/v1/orders/7", "/public;x/v1/orders/7"])
def test_a_path_that_only_some_decode_does_not_reach_the_api_as_a_public_one(gates, path):
    gate = gates("prefix")
    gate.check(gate.client.request("GET", path), 400, "path_ambiguous")


def test_what_stands_for_a_parameter_may_be_encoded(gates):
    gate = gates("prefix")
    reply = gate.client.request("GET", "/public/%70ublic/caf%C3%A9")
    gate.check(reply, 200, "allowed", route="public")
    assert (reached(reply), reply.json["target"]) == ("static", "/public/%70ublic/caf%C3%A9")


# Methods


def by_http2(gate: Gate, method: str, path: str, token: str | None = None, *fields) -> Reply:
    request_id = str(uuid.uuid4())
    headers = [(":method", method), (":scheme", "http"), (":authority", "api.example"), (":path", path)]
    headers += [("x-request-id", request_id), *fields]
    if token:
        headers.append(("authorization", f"Bearer {token}"))
    return http2.request(gate.client.port, headers, request_id=request_id)


@pytest.mark.parametrize("method", ["delete", "Delete", "get"])
def test_a_method_in_another_case_does_not_get_around_its_route(gates, keys, method):
    gate = gates("methods")
    gate.check(by_http2(gate, method, "/v1/x/7", keys.token()), 400, "method_ambiguous")


def test_a_method_in_another_case_is_an_invalid_argument_of_grpc(gates, keys):
    reply = by_http2(gates("methods"), "post", "/v1/x/7", keys.token(), ("content-type", "application/grpc"))
    assert (reply.status, reply.header("grpc-status")) == (200, "3")


def test_methods_are_matched_in_upper_case_and_extensions_by_name(gates, keys):
    gate = gates("methods")
    gate.check(by_http2(gate, "DELETE", "/v1/x/7", keys.token()), 403, "scope_missing", route="delete")
    gate.check(by_http2(gate, "PATCH", "/v1/x/7", keys.token()), 200, "allowed", route="x")
    for method in ("PROPFIND", "PURGE", "MADE-UP"):
        gate.check(by_http2(gate, method, "/v1/x/7", keys.token()), 403, "route_unknown")
    gate.check(by_http2(gate, "PROPFIND", "/dav/7", keys.token()), 200, "allowed", route="dav")


# Upstreams


def test_the_proxy_has_to_send_a_request_to_an_upstream_of_its_route(gates, keys):
    gate = gates("upstreams")
    reply = gate.client.request("GET", "/public/x")
    gate.check(reply, 200, "allowed", route="public")
    assert reached(reply) == "static"
    reply = gate.client.request("GET", "/either")
    gate.check(reply, 200, "allowed", route="either")
    reply = gate.client.request("GET", "/orders/7", token=keys.token())
    gate.check(reply, 200, "allowed", route="rest")
    assert reached(reply) == "api"


@pytest.mark.parametrize("path", ["/moved", "/direct"])
def test_what_the_proxy_answers_itself_has_no_upstream(gates, path):
    gate = gates("upstreams")
    event = gate.check(gate.client.request("GET", path), 403, "upstream_mismatch")
    assert event["message"] == "the proxy has chosen no upstream"


def test_another_upstream_than_the_route_names_is_refused_and_named(upstream, keys, tmp_path):
    """The same requests, by a proxy whose routes have changed."""
    policy = changed(policies.main(keys), routes=UPSTREAMS, defaults={"upstreams": ["api"]})

    def turned(config):
        by_prefix(config)
        for route in envoy.hcm(envoy.gate(config))["route_config"]["virtual_hosts"][0]["routes"]:
            if "route" in route:
                route["route"]["cluster"] = {"static": "api", "api": "static"}[route["route"]["cluster"]]

    with Gate.open(policy, upstream, tmp_path, tweak=turned) as gate:
        event = gate.check(gate.client.request("GET", "/public/x"), 403, "upstream_mismatch", route="public")
        assert event["message"] == 'the proxy has chosen "api"'
        reply = gate.client.request("GET", "/orders/7", token=keys.token())
        gate.check(reply, 403, "upstream_mismatch", route="rest")
        gate.observed(gate.client.request("GET", "/tried/x"), "upstream_mismatch")
        gate.check(gate.client.request("GET", "/either"), 200, "allowed")


def test_of_weighted_upstreams_only_those_of_the_route_are_reached(upstream, keys, tmp_path):
    policy = changed(policies.main(keys), routes=UPSTREAMS, defaults={"upstreams": ["api"]})

    def weighted(config):
        by_prefix(config)
        one = {"header": {"key": "x-reached", "value": "%UPSTREAM_CLUSTER%"}}
        route = {"weighted_clusters": {"clusters": [{"name": name, "weight": 1} for name in ("static", "api")]}}
        routes = envoy.hcm(envoy.gate(config))["route_config"]["virtual_hosts"][0]["routes"]
        routes[0] = {"match": {"prefix": "/public/"}, "route": route, "request_headers_to_add": [one]}

    with Gate.open(policy, upstream, tmp_path, tweak=weighted) as gate:
        replies = [gate.client.request("GET", "/public/x") for _ in range(40)]
        assert {reply.reason for reply in replies} == {"allowed", "upstream_mismatch"}
        assert {reached(reply) for reply in replies if reply.status == 200} == {"static"}


def test_the_proxy_chooses_again_where_its_routes_look_at_what_postern_sets(upstream, keys, tmp_path):
    """Envoy looks for the route again once a filter has set a field: `upstreams` was checked before.

    So its routes must not look at such fields, and `check` says so (`proxy-field`).
    """
    policy = changed(policies.main(keys), routes=UPSTREAMS, defaults={"upstreams": ["api"]})

    def by_field(config):
        by_prefix(config)
        routes = envoy.hcm(envoy.gate(config))["route_config"]["virtual_hosts"][0]["routes"]
        present = {"prefix": "/", "headers": [{"name": "x-postern-identity", "present_match": True}]}
        routes.insert(0, to("static", present))

    with Gate.open(policy, upstream, tmp_path, tweak=by_field) as gate:
        reply = gate.client.request("GET", "/orders/7", token=keys.token())
        gate.check(reply, 200, "allowed", route="rest")
        assert reached(reply) == "static"
        forged = gate.client.request("GET", "/orders/7", token=keys.token(), headers=[("x-postern-identity", "a")])
        gate.check(forged, 403, "upstream_mismatch", route="rest")

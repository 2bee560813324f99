"""What a caller says to the upstream past the gate, for upstreams that read names more leniently.

PHP and every CGI reader make one name of `x-postern-identity`, `x.postern.identity` and
`x~postern_identity`; what they would find is what is looked at here.
"""

import re
import uuid

import policies
import pytest
import spiffe_lab
from lab import http2
from lab.gate import Gate, changed

SEPARATORS = "-_.~!|^'`+#$%&*"
FORGED = [
    (name.replace("-", separator), "corp/admin")
    for separator in SEPARATORS
    for name in ("x-postern-identity", "x-postern-scopes", "x-postern-client", "x-tenant")
]
OVERRIDES = [
    ("X-HTTP-Method-Override", "DELETE"),
    ("x_http_method", "DELETE"),
    ("x.method.override", "DELETE"),
    ("X-Original-URL", "/admin"),
    ("x-original-uri", "/admin"),
    ("x_rewrite_url", "/admin"),
    ("x-forwarded-prefix", "/admin"),
]
# Those that no Envoy takes in a field's name are refused by it.
ROUTES = ["/any/thing", "/public/thing", "/observed/thing"]


def cgi(fields) -> dict[str, list[str]]:
    """The fields under the names that a CGI reader gives them."""
    found = {}
    for name, value in fields:
        found.setdefault(re.sub("[^A-Z0-9]", "_", name.upper()), []).append(value)
    return found


def policy(keys) -> dict:
    base = policies.main(keys)
    routes = [
        {
            "name": "items",
            "match": {"path": "/items"},
            "when": [
                {"query": "page_size", "max": 100, "required": False},
                {"header": "x-env", "in": ["test"], "required": False},
            ],
        },
        {"name": "priced", "match": {"path": "/priced"}, "limits": ["by-size"]},
    ]
    limits = [
        {"name": "by-size", "key": ["client"], "rate": "10000/1m", "cost": {"query": "page_size", "per": 50}},
        {"name": "by-team", "key": ["header:x-team"], "rate": "10000/1m"},
    ]
    audit = {"purpose_header": "x-purpose"}
    return changed(base, routes=base["routes"] + routes, limits=limits, audit=audit)


@pytest.fixture(scope="module")
def folded(upstream, keys, tmp_path_factory):
    with Gate.open(policy(keys), upstream, tmp_path_factory.mktemp("folded")) as opened:
        yield opened


@pytest.mark.parametrize("path", ROUTES)
def test_no_protected_name_reaches_the_upstream_in_any_spelling(folded, keys, path):
    reply = folded.client.request("GET", path, token=keys.token(), headers=FORGED + OVERRIDES)
    assert reply.status == 200, reply
    seen = cgi(reply.json["headers"])
    assert not any("corp/admin" in value for values in seen.values() for value in values), seen
    assert not any(value in ("DELETE", "/admin") for values in seen.values() for value in values), seen
    proven = path == "/any/thing"
    assert ("HTTP_" + "X_POSTERN_IDENTITY" in {"HTTP_" + name for name in seen}) == proven


@pytest.mark.parametrize("path", ROUTES)
def test_trailers_have_no_protected_name_and_no_credential(folded, keys, path):
    request_id = str(uuid.uuid4())
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example"), (":path", path)]
    headers += [("x-request-id", request_id), ("authorization", f"Bearer {keys.token()}")]
    trailers = [("x.postern.identity", "corp/admin"), ("x~tenant", "globex"), ("authorization", "Bearer a.b.c")]
    reply = http2.request(folded.client.port, headers, data=b"x", trailers=[*trailers, ("kept", "1")])
    assert reply.status == 200, reply
    assert [name.lower() for name, _ in reply.json["trailers"]] == ["kept"]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ([("x-env", "test")], "allowed"),
        ([("x_env", "prod")], "context_denied"),
        ([("x.env", "prod")], "context_denied"),
        ([("x-env", "test"), ("x_env", "prod")], "context_denied"),
    ],
)
def test_a_field_decides_only_where_no_reader_finds_another(folded, keys, fields, expected):
    reply = folded.client.request("GET", "/items", token=keys.token(), headers=fields)
    folded.check(reply, 200 if expected == "allowed" else 403, expected)


NAMES = ["page.size", "page%20size", "page[size", "page_size[]", "%20page_size", "+page_size", "page_size%00x"]
NAMES += ["page_size%5B%5D", "page_size[0]", "PAGE_SIZE", "?page_size"]


@pytest.mark.parametrize("path", ["/items", "/priced"])
@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_decides_only_where_no_reader_finds_another(folded, keys, path, name):
    for query in (f"{name}=5000", f"page_size=5&{name}=5000", f"{name}=5000&page_size=5"):
        reply = folded.client.request("GET", f"{path}?{query}", token=keys.token())
        folded.check(reply, 400, "query_ambiguous")
    reply = folded.client.request("GET", f"{path}?page_size=5&page=2&sort[by]=age", token=keys.token())
    folded.check(reply, 200, "allowed")


NAMED = ["x-postern-identity", "X-Tenant", "x_postern_scopes", "authorization", "x-env", "x-team", "x-purpose"]


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("path", ["/any/thing", "/public/thing"])
def test_an_upgrade_does_not_name_what_must_arrive_in_connection(folded, keys, path, named):
    request_id = str(uuid.uuid4())
    lines = [f"GET {path} HTTP/1.1", "host: api.example", f"x-request-id: {request_id}"]
    lines += [f"connection: upgrade, {named}", "upgrade: websocket", f"authorization: Bearer {keys.token()}"]
    answer = folded.client.raw(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert folded.envoy.audit.one(request_id)["status_detail"] == "connection_ambiguous"


def test_a_method_in_the_query_is_refused(folded, keys):
    for query in ("_method=DELETE", "%5Fmethod=DELETE", "_method[]=DELETE"):
        reply = folded.client.request("POST", f"/any/thing?{query}", token=keys.token(), body=b"")
        folded.check(reply, 400, "method_ambiguous")
        reply = folded.client.request("GET", f"/any/thing?{query}", token=keys.token())
        folded.check(reply, 200, "allowed")


# Credentials


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    return spiffe_lab.Domains(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module", params=[False, True], ids=["hidden", "forwarded"])
def mesh(request, domains, keys, upstream, tmp_path_factory):
    """A gate whose callers may present certificates."""
    tweak = spiffe_lab.changes(spiffe_lab.mutual_tls(domains), spiffe_lab.forwarding("ALWAYS_FORWARD_ONLY"))
    base = domains.policy(keys)
    base["issuers"][0]["forward"] = request.param
    with Gate.open(base, upstream, tmp_path_factory.mktemp("mesh"), tweak=tweak) as opened:
        yield opened


UNPROVEN = {
    "Bearer\ta.b.c": 401,
    "Bearer: a.b.c": 401,
    "a.b.c": 401,
    "JWT token": 401,
    "Basic x; Bearer token": 401,
    "Basic x, Bearer token": 400,
    "Basic eDp5": 200,
    "Negotiate YIIx": 200,
}


@pytest.mark.parametrize("value", UNPROVEN)
def test_nothing_unproven_goes_on_beside_a_certificate(mesh, domains, value):
    client = spiffe_lab.caller(mesh, domains.prod.workload(spiffe_lab.READER))
    forged = [("x.forwarded.client.cert", "URI=spiffe://prod.example/admin")]
    reply = client.request("GET", "/workloads/x", headers=[("authorization", value), *forged])
    assert reply.status == UNPROVEN[value], reply
    if reply.status == 200:
        assert reply.seen("x-postern-identity") == [spiffe_lab.spiffe()]
        assert reply.seen("authorization") == []
        assert "X_FORWARDED_CLIENT_CERT" not in cgi(reply.json["headers"])


@pytest.mark.parametrize("forward", [False, True])
def test_a_token_goes_on_from_a_public_route_only_if_it_is_a_forwarding_issuers(opened, keys, forward):
    gate = opened(policies.main(keys, forward=forward), concurrency=1)
    good = keys.token()
    forged = policies.mint(keys.stranger["ES256"], policies.claims_for())
    sent = {
        f"Bearer {good}": forward,
        f"Bearer\t{good}": False,
        f"Bearer {forged}": False,
        f"Bearer {keys.token('HS256')}": False,
        f"Bearer {keys.token(iss='https://nobody.example')}": False,
        f"Bearer {keys.token(exp=1)}": False,
        "Bearer opaque": False,
        "Basic eDp5": True,
    }
    for value, kept in sent.items():
        reply = gate.client.request("GET", "/public/x", headers=[("authorization", value)])
        assert reply.seen("authorization") == ([value] if kept else []), value

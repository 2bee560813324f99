"""A random table of routes, and from it both the policy of Postern and the routes of Envoy.

Each row has a host, a path template, methods, a scope, and an upstream of its own. The two are
written from the same rows and by the documented order of each: what they read alike, they lead to
the same row.
"""

import random
import re
from dataclasses import dataclass, field

HOSTS = ["static.example", "api.example", "shop.example"]
LITERALS = ["public", "v1", "orders", "admin"]
METHODS = [["GET", "HEAD"], ["DELETE"], ["POST"], ["PURGE"]]
SCOPES = ["public", "public", "any", "any", "read", "nobody.has"]
CLAIM_HEADERS = ["x-tenant", "client-tier", "x-app-user"]


@dataclass
class Row:
    name: str
    host: str
    """As `hosts` has it; empty for any."""
    path: str
    methods: list[str]
    scope: str
    action: dict = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[int, ...]:
        """A literal beats a parameter, a parameter beats a rest, segment by segment."""
        segments = self.path[1:].split("/")
        return tuple(2 if one.endswith("*}") else 1 if one.startswith("{") else 0 for one in segments)

    @property
    def order(self) -> tuple:
        host = 2 if not self.host else 1 if self.host.startswith("*") else 0
        return (self.kinds, host, not self.methods)

    def policy(self) -> dict:
        match = {"path": self.path}
        if self.host:
            match["hosts"] = [self.host]
        if self.methods:
            match["methods"] = self.methods
        row = {"name": self.name, "match": match}
        if self.scope == "public":
            row["public"] = True
        elif self.scope != "any":
            row["allow"] = {"scopes": {"all": [self.scope]}}
        return row

    def route(self) -> dict:
        """Envoy's: on the path as it was sent (HTTP route components: `prefix`, `safe_regex`)."""
        if re.fullmatch(r"(/[a-z0-9]+)*/\{rest\*\}", self.path):
            match = {"prefix": self.path.removesuffix("{rest*}")}
        else:
            regex = self.path.replace("{rest*}", ".*").replace("{id}", "[^/]+")
            match = {"safe_regex": {"regex": regex}}
        if self.methods:
            match["headers"] = [{"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(self.methods)}}}]
        return {"match": match, "route": {"cluster": self.name, "timeout": "15s", **self.action}}


def table(seed: int, *, ports: bool) -> list[Row]:
    """Rows of which no two are equally specific; with `ports`, some hosts name one, or any."""
    chance = random.Random(seed)
    hosts = [*HOSTS, "*.wild.example", ""]
    if ports:
        # No host stands there twice, so that what beats what is the same for both readers.
        hosts[1:3] = ["api.example:8443", "shop.example:*"]
    rows, known = [], set()
    for host in hosts:
        # Where every host has a catch-all, most requests lead somewhere.
        paths = [] if not host else ["/{rest*}"]
        paths += [_path(chance) for _ in range(chance.randint(2, 4))]
        for path in paths:
            kinds = [[]] if path == "/{rest*}" or chance.random() < 0.6 else [[], chance.choice(METHODS)]
            for methods in kinds:
                if (host, path, bool(methods)) not in known:
                    known.add((host, path, bool(methods)))
                    action = _action(chance) if path != "/{rest*}" else {}
                    scope = chance.choice(SCOPES)
                    rows.append(Row(f"row-{len(rows)}", host, path, methods, scope, action))
    return rows


def _path(chance: random.Random) -> str:
    literals = chance.sample(LITERALS, chance.randint(1, 2))
    end = chance.choice(["{rest*}", "{rest*}", "{id}", "{id}/{rest*}", ""])
    return "/" + "/".join([*literals, end] if end else literals)


def _action(chance: random.Random) -> dict:
    """What the proxy does to the path behind the decision, or whom it lets see a copy."""
    drop = {"pattern": {"regex": "^/[^/?]+(/.*)$"}, "substitution": "\\1"}
    mirror = {"request_mirror_policies": [{"cluster": "mirror"}]}
    return chance.choice([{}, {}, {"regex_rewrite": drop}, mirror])


def virtual_hosts(rows: list[Row]) -> list[dict]:
    """One for each host of the table, with the rows that can match there, the most specific first."""
    hosts = dict.fromkeys(row.host for row in rows)
    made = []
    for host in hosts:
        domains = ["*"] if not host else [host.removesuffix(":*"), host] if host.endswith(":*") else [host]
        fits = sorted((row for row in rows if row.host in (host, "")), key=lambda row: row.order)
        rest = {"match": {"prefix": "/"}, "route": {"cluster": "rest", "timeout": "15s"}}
        made.append({"name": host or "rest", "domains": domains, "routes": [*(row.route() for row in fits), rest]})
    return made


# Requests


@dataclass
class Words:
    """What requests against a table are made of: drawn with repetition, common forms more often."""

    hosts: list[str]
    paths: list[str]
    methods: list[str]
    names: list[str]
    """Names of fields that a caller may not set, in every folding."""

    @classmethod
    def of(cls, rows: list[Row], chance: random.Random) -> "Words":
        hosts, paths = [], []
        for row in rows:
            host = (row.host or "any.example").replace("*.", "a.").replace(":*", "")
            hosts += [host] * 12 + spellings_of_host(host)
            for _ in range(40):
                path = row.path.replace("{rest*}", chance.choice(["", "x", "v1/orders/7"])).replace("{id}", "7")
                paths += [path] * 3 + [spelling_of_path(path, chance) for _ in range(3)]
        methods = ["GET"] * 20 + ["HEAD", "POST", "DELETE", "PUT", "PURGE"] * 6
        methods += ["delete", "Delete", "get", "gET", "post", "PoST", "purge", "Head", "put"]
        protected = [f"x-postern-{part}" for part in ("identity", "client", "scopes", "risk", "new")]
        protected += [*CLAIM_HEADERS, "x-forwarded-client-cert"]
        overrides = ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"]
        names = [_spelling_of_name(name, chance) for name in protected * 24 + [*overrides, "x-forwarded-prefix"] * 4]
        return cls(hosts, paths, methods, names)


def spellings_of_host(host: str) -> list[str]:
    bare = host.partition(":")[0]
    made = [f"{bare}:8443", f"{bare}:80", f"{bare}.", f"{bare}:", f"{bare}.:8443", bare.upper(), f"{bare.title()}:443"]
    return [*made, bare, f"{bare}:8443.", f"{bare}..", f"x.{bare}", f"{bare}:08443", bare.replace(".", "%2e", 1)]


def spelling_of_path(path: str, chance: random.Random) -> str:
    """The same path in other words, or one that some reader takes for it."""
    at = chance.randrange(1, len(path)) if len(path) > 1 else 0
    one = path[at : at + 1] or "x"
    encoded = f"%{ord(one):02x}" if chance.random() < 0.5 else f"%{ord(one):02X}"
    slash = path.find("/", 1)
    return chance.choice(
        [
            path[:at] + encoded + path[at + 1 :],
            path[:at] + encoded + path[at + 1 :],
            "/" + "".join(f"%{ord(letter):02x}" if letter.isalnum() else letter for letter in path[1:]),
            path[:at] + one.upper() + path[at + 1 :],
            path[:slash] + ";v=1" + path[slash:] if slash > 0 else path + ";v=1",
            path[:slash] + "/.." + path[slash:] if slash > 0 else path + "/..",
            path[:slash] + "/%2e%2e" + path[slash:] if slash > 0 else "/." + path,
            "/" + path,
            path.replace("/", "//", 2),
            path + "/",
            path.rstrip("/") + "%2f",
            path + "?" + chance.choice(["a=b", "/public/", "_method=DELETE", "access_token=x"]),
            path.replace("/", "\\", 1) if chance.random() < 0.2 else path[:1] + path[1:].replace("/", "%5c", 1),
            path + "%00",
            path + "%c0%af",
            path + "#x",
            path + chance.choice([".json", "~", "%20", "+", "%zz", "\xe9"]),
        ]
    )


def _spelling_of_name(name: str, chance: random.Random) -> str:
    separators = "-----__..~!|^'`+*#$%&"
    made = "".join(chance.choice(separators) if one == "-" else one for one in name)
    return "".join(one.upper() if chance.random() < 0.1 else one for one in made)

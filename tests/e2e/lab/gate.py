"""An Envoy with Postern, a client for it, and the questions that every test asks of the two."""

import contextlib
import copy
from dataclasses import dataclass
from pathlib import Path

from . import envoy
from .audit import reason
from .client import Client, Reply
from .upstream import Upstream


@dataclass
class Gate:
    envoy: envoy.Envoy
    client: Client

    @classmethod
    @contextlib.contextmanager
    def open(cls, policy, upstream: Upstream, directory: Path, *, tweak=None, concurrency: int = 2):
        """Starts one; `tweak` may change the bootstrap. It is ended with the context."""
        config = envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc)
        for change in (permissive, tweak):
            if change:
                change(config)
        with cls.running(config, directory, concurrency=concurrency) as opened:
            yield opened

    @classmethod
    @contextlib.contextmanager
    def running(cls, config: dict, directory: Path, *, concurrency: int = 2):
        """Runs a bootstrap as it is."""
        proxy = envoy.Envoy(config, directory, concurrency=concurrency)
        try:
            proxy.wait_ready()
            yield cls(proxy, Client(proxy.port()))
        finally:
            proxy.stop()

    def check(self, reply: Reply, status: int, expected: str, **unmapped) -> dict:
        """Asserts an answer and the only event of its request, and gives the event."""
        assert (reply.status, reply.reason) == (status, expected), reply
        event = self.envoy.audit.one(reply.request_id)
        assert reason(event) == expected
        for name, value in unmapped.items():
            assert event["unmapped"].get(name) == value, event
        return event

    def observed(self, reply: Reply, expected: str) -> dict:
        """Asserts that a refusal was let through, and gives its event."""
        assert reply.status == 200, reply
        event = self.envoy.audit.one(reply.request_id)
        assert (reason(event), event["unmapped"]["mode"]) == (expected, "observe")
        return event


def permissive(config: dict) -> None:
    """Lets through Envoy what a stricter one would stop itself, so that Postern meets it."""
    listener = envoy.gate(config)
    # Both workers get their share of a handful of connections.
    listener["connection_balance_config"] = {"exact_balance": {}}
    manager = envoy.hcm(listener)
    manager["http_protocol_options"] = {"enable_trailers": True}
    manager["http2_protocol_options"] = {"allow_connect": True}
    manager["upgrade_configs"] = [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]
    options = f"{envoy.TYPES}envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http = next(c for c in config["static_resources"]["clusters"] if c["name"] == "upstream_http")
    http["typed_extension_protocol_options"] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": options,
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
        }
    }


def roomy(config: dict) -> None:
    """Raises Envoy's bounds on request headers as far as they go."""
    manager = envoy.hcm(envoy.gate(config))
    manager["max_request_headers_kb"] = 8192
    manager.setdefault("common_http_protocol_options", {})["max_headers_count"] = 10_000


def changed(policy: dict, **members) -> dict:
    """A copy of a policy with some members replaced."""
    return {**copy.deepcopy(policy), **members}

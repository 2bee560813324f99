"""The files that an operator copies are loaded as they are, but for addresses and keys."""

import json
import subprocess

import pytest
import yaml
from lab import ROOT, envoy
from lab.client import Client
from lab.issuer import Key, jwks, mint, now


def replaced(config: dict, upstream) -> dict:
    """The bootstrap to copy, with the paths and ports of this machine."""
    listener = envoy.gate(config)
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
    config["admin"]["address"]["socket_address"]["port_value"] = 0
    envoy.plugin(listener)["vm_config"]["code"]["local"]["filename"] = str(envoy.module())
    endpoint = config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = upstream.http
    envoy.hcm(listener)["preserve_external_request_id"] = True
    return config


def test_the_bootstrap_to_copy_starts_and_keeps_the_gate(upstream, tmp_path):
    config = replaced(yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text()), upstream)
    key = Key.new("ES256", "1")
    listener = envoy.gate(config)
    policy = json.loads(envoy.plugin(listener)["configuration"]["value"])
    policy["issuers"][0]["keys"]["inline"] = jwks(key)
    envoy.set_policy(listener, policy)
    proxy = envoy.Envoy(config, tmp_path)
    try:
        client = Client(proxy.wait_ready().port())
        claims = {
            "iss": "https://idp.example",
            "aud": "orders",
            "exp": now() + 60,
            "sub": "robot-7",
            "scope": "orders.read",
        }
        assert client.request("GET", "/v1/orders/1").reason == "credential_missing"
        assert client.request("GET", "/healthz").status == 200
        reply = client.request("GET", "/v1/orders/1", token=mint(key, claims), headers=[("x_postern_identity", "ceo")])
        assert reply.status == 200 and reply.seen("x_postern_identity") == []
        # What Envoy might repair, it does not.
        for path in ("/v1/../healthz", "/v1//orders/1", "/healthz%2f", "/v1/orders/%2e%2e", "/%68ealthz/."):
            reply = client.request("GET", path, token=mint(key, claims))
            assert (reply.status, reply.reason) == (400, "path_ambiguous"), path
    finally:
        proxy.stop()


def test_the_bootstrap_to_copy_is_taken_with_its_own_policy(upstream, tmp_path):
    proxy = envoy.Envoy(replaced(yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text()), upstream), tmp_path)
    try:
        assert Client(proxy.wait_ready().port()).request("GET", "/v1/orders/1").reason == "credential_missing"
    finally:
        proxy.stop()


@pytest.mark.parametrize("policy, code", [(None, 0), ('{"version": 1}', 1)], ids=["its own policy", "a broken one"])
def test_the_bootstrap_can_be_checked_before_it_is_loaded(upstream, tmp_path, policy, code):
    config = replaced(yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text()), upstream)
    if policy:
        envoy.set_policy(envoy.gate(config), policy)
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(config))
    checked = subprocess.run(
        [envoy.binary(), "--mode", "validate", "-c", str(path)], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == code, checked.stderr
    assert ("routes: is missing" in checked.stderr) == bool(code)


def test_the_policy_to_copy_is_taken(upstream, tmp_path):
    policy = yaml.safe_load((ROOT / "envoy" / "postern.yaml").read_text())
    proxy = envoy.Envoy(envoy.bootstrap(policy, http=upstream.http, grpc=upstream.grpc), tmp_path)
    try:
        client = Client(proxy.wait_ready().port())
        assert client.request("GET", "/v1/orders/1").reason == "credential_missing"
        assert client.request("GET", "/v1/reports/q3").status == 200
        assert client.request("GET", "/healthz").status == 200
    finally:
        proxy.stop()

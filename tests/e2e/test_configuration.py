"""No configuration opens the gate: a bad one is refused, whenever and however it comes, and the old
policy goes on. Where there is no old one, there is no gate to pass."""

import copy
import json
import time
import uuid
from dataclasses import dataclass

import policies
import pytest
from lab import ROOT, envoy
from lab.client import Client
from lab.gate import changed

BROKEN = json.loads((ROOT / "tests" / "data" / "broken_configs.json").read_text())
FAILURE_POLICIES = ["FAIL_CLOSED", "FAIL_RELOAD"]


def test_there_are_a_hundred_broken_configurations():
    assert len(BROKEN) >= 100
    assert len({case["name"] for case in BROKEN}) == len(BROKEN)


@dataclass
class Dynamic:
    """One Envoy whose listeners come from a file; `good` is the listener it started with."""

    proxy: envoy.Envoy
    listeners: envoy.DynamicListeners
    good: dict
    client: Client

    def listener(self, policy, failure_policy="FAIL_RELOAD", kind="StringValue", **members) -> dict:
        changed_listener = {**copy.deepcopy(self.good), **members}
        envoy.set_policy(changed_listener, policy, kind)
        envoy.plugin(changed_listener)["failure_policy"] = failure_policy
        return changed_listener

    def push(self, listener: dict, *more: dict) -> tuple[bool, str]:
        """Whether Envoy took it, and what it logged meanwhile."""
        start = len(self.proxy.log())
        self.listeners.listeners = [listener]
        taken = self.listeners.push(self.proxy, *more)
        return taken, self.proxy.log()[start:]

    def assert_closed(self) -> None:
        """An anonymous request gets the old policy's answer, on a connection of each worker."""
        for _ in range(2):
            reply = self.client.request("GET", "/v1/orders/1")
            assert (reply.status, reply.reason) == (401, "credential_missing")


@pytest.fixture(scope="module")
def dynamic(upstream, keys, tmp_path_factory):
    directory = tmp_path_factory.mktemp("dynamic")
    with envoy.reserved_port() as port:
        config = envoy.bootstrap(policies.main(keys), http=upstream.http, grpc=upstream.grpc, port=port)
        good = copy.deepcopy(envoy.gate(config))
        good["connection_balance_config"] = {"exact_balance": {}}
        listeners = envoy.DynamicListeners(config, directory / "lds")
        listeners.listeners = [good]
        listeners.write()
        proxy = envoy.Envoy(config, directory)
        try:
            proxy.wait_ready()
            yield Dynamic(proxy, listeners, good, Client(port))
        finally:
            proxy.stop()


def text_of(config) -> str:
    """A broken configuration as the text that Envoy hands over."""
    return config if isinstance(config, str) else json.dumps(config)


def wasm_lines(log: str) -> str:
    return "\n".join(line for line in log.splitlines() if "wasm log" in line)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case["name"])
def test_a_broken_update_is_refused_with_its_reasons_and_the_old_policy_goes_on(dynamic, case):
    number = BROKEN.index(case)
    listener = dynamic.listener(text_of(case["config"]), FAILURE_POLICIES[number % 2])
    taken, log = dynamic.push(listener)
    assert not taken
    said = wasm_lines(log)
    for error in case["errors"]:
        assert said.count(error) == 1, f"{error!r} is said {said.count(error)} times in:\n{log}"
    dynamic.assert_closed()


def test_a_good_update_takes_effect_and_a_broken_one_after_it_does_not(dynamic, keys):
    policy = policies.main(keys)
    stricter = changed(policy, routes=[route for route in policy["routes"] if route["name"] != "public"])
    assert dynamic.client.request("GET", "/public/x").status == 200
    taken, log = dynamic.push(dynamic.listener(stricter))
    assert taken, log
    wait_for(lambda: dynamic.client.request("GET", "/public/x").status == 403)
    for case in BROKEN[:3]:
        taken, _ = dynamic.push(dynamic.listener(text_of(case["config"])))
        assert not taken
        reply = dynamic.client.request("GET", "/public/x")
        assert (reply.status, reply.reason) == (403, "route_unknown")
    taken, log = dynamic.push(dynamic.listener(policy))
    assert taken, log
    wait_for(lambda: dynamic.client.request("GET", "/public/x").status == 200)
    dynamic.assert_closed()


NOTHING = {
    "no configuration": None,
    "an empty text": "",
    "white space": " \n\t",
    "null": "null",
    "an empty object": "{}",
    "a list": "[]",
    "only a version": '{"version": 1}',
}


@pytest.mark.parametrize("policy", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("failure_policy", FAILURE_POLICIES)
def test_an_update_without_a_policy_is_refused(dynamic, policy, failure_policy):
    taken, log = dynamic.push(dynamic.listener(policy, failure_policy))
    assert not taken, log
    dynamic.assert_closed()


@pytest.mark.parametrize("case", BROKEN[::20], ids=lambda case: case["name"])
def test_a_new_listener_with_a_broken_policy_never_opens(dynamic, case):
    with envoy.reserved_port() as port:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        new = dynamic.listener(text_of(case["config"]), name="new", address=address)
        taken, _ = dynamic.push(dynamic.good, new)
        assert not taken
        with pytest.raises(ConnectionRefusedError):
            Client(port).request("GET", "/v1/orders/1")
    dynamic.assert_closed()


def test_a_broken_update_goes_unnoticed_by_requests_under_way(dynamic, keys):
    """Requests that come while updates are refused are answered by the old policy, every one."""
    token = keys.token()
    connection = dynamic.client.connection()
    dynamic.push(dynamic.good)
    for case in BROKEN[5:8]:
        dynamic.listeners.listeners = [dynamic.listener(text_of(case["config"]))]
        dynamic.listeners.write()
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert dynamic.client.request("GET", "/v1/orders/1", on=connection).status == 401
            assert dynamic.client.request("GET", "/v1/orders/1", token=token, on=connection).status == 200
    connection.close()


def test_no_update_made_a_vm_fail(dynamic):
    assert dynamic.proxy.failures() == []


def at_start(policy, upstream, directory, failure_policy, kind="StringValue"):
    """Starts an Envoy with this as its first configuration: None where it ends by itself."""
    config = envoy.bootstrap(None, http=upstream.http, grpc=upstream.grpc)
    envoy.set_policy(envoy.gate(config), policy, kind)
    envoy.plugin(envoy.gate(config))["failure_policy"] = failure_policy
    proxy = envoy.Envoy(config, directory)
    try:
        return proxy.wait_ready()
    except envoy.EnvoyEnded:
        return None


STARTS = {case["name"]: text_of(case["config"]) for case in BROKEN[::25]} | {
    name: NOTHING[name] for name in ("no configuration", "an empty text", "an empty object")
}


@pytest.mark.parametrize("failure_policy", FAILURE_POLICIES)
@pytest.mark.parametrize("policy", STARTS.values(), ids=STARTS)
def test_a_broken_policy_at_the_start_lets_nobody_through(upstream, tmp_path, policy, failure_policy):
    proxy = at_start(policy, upstream, tmp_path, failure_policy)
    if proxy is None:
        return
    try:
        for path in ("/v1/orders/1", "/public/x", "/healthz"):
            reply = Client(proxy.port()).request("GET", path)
            assert (reply.status, reply.reason) == (503, "config_invalid")
    finally:
        proxy.stop()


@pytest.mark.parametrize("kind", ["StringValue", "Struct"])
def test_the_policy_may_come_as_text_or_as_a_struct(upstream, keys, tmp_path, kind):
    proxy = at_start(policies.main(keys), upstream, tmp_path, "FAIL_CLOSED", kind)
    assert proxy is not None
    try:
        client = Client(proxy.port())
        assert client.request("GET", "/v1/orders/1", token=keys.token()).status == 200
        assert client.request("GET", "/v1/orders/1").reason == "credential_missing"
    finally:
        proxy.stop()


@pytest.mark.parametrize("name", ["no-such-module.wasm", "empty.wasm", "garbage.wasm", "half.wasm"])
@pytest.mark.parametrize("failure_policy", FAILURE_POLICIES)
def test_a_module_that_does_not_load_lets_nobody_through(upstream, keys, tmp_path, name, failure_policy):
    path = tmp_path / name
    whole = envoy.module().read_bytes()
    contents = {"empty.wasm": b"", "garbage.wasm": b"\0asm\x01\0\0\0garbage", "half.wasm": whole[: len(whole) // 2]}
    if name in contents:
        path.write_bytes(contents[name])
    config = envoy.bootstrap(policies.main(keys), http=upstream.http, grpc=upstream.grpc)
    plugin = envoy.plugin(envoy.gate(config))
    plugin["failure_policy"] = failure_policy
    plugin["vm_config"]["code"]["local"]["filename"] = str(path)
    proxy = envoy.Envoy(config, tmp_path)
    proxy.expects_failure = True
    try:
        proxy.wait_ready()
        reply = Client(proxy.port()).request("GET", "/public/x")
        assert reply.status in (500, 503)
    except envoy.EnvoyEnded:
        pass
    finally:
        proxy.stop()


def test_a_private_key_in_the_policy_is_refused_and_not_logged(dynamic, keys):
    secret = uuid.uuid4().hex * 2
    policy = policies.main(keys)
    policy["issuers"][0]["keys"]["inline"]["keys"][0]["d"] = secret
    taken, log = dynamic.push(dynamic.listener(policy))
    assert not taken
    assert secret not in log
    dynamic.assert_closed()


def wait_for(condition, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""What Envoy does when a module traps, shown with one that does: closed, and never skipped.

It also shows that this suite would notice a trap of Postern's.
"""

import time

import policies
import pytest
from lab import envoy
from lab.client import Client
from lab.trap import trapping_module


@pytest.fixture
def trapped(upstream, keys, tmp_path, request):
    path = tmp_path / "trap.wasm"
    path.write_bytes(trapping_module())
    config = envoy.bootstrap(policies.main(keys), http=upstream.http, grpc=upstream.grpc)
    plugin = envoy.plugin(envoy.gate(config))
    plugin["vm_config"]["code"]["local"]["filename"] = str(path)
    plugin["failure_policy"] = request.param
    proxy = envoy.Envoy(config, tmp_path, concurrency=1)
    proxy.expects_failure = True
    yield proxy.wait_ready()
    proxy.stop()


@pytest.mark.parametrize("trapped", ["FAIL_CLOSED", "FAIL_RELOAD"], indirect=True)
def test_a_module_that_traps_lets_nobody_through(trapped):
    client = Client(trapped.port())
    # Long enough for a reload or two, so that a new VM's first request is among them.
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert client.request("GET", "/public/x").status == 503
        time.sleep(0.05)
    assert trapped.failures(), "a trap leaves a line in the log that this suite looks for"


@pytest.mark.parametrize("trapped", ["FAIL_RELOAD"], indirect=True)
def test_fail_reload_builds_a_new_vm(trapped):
    client = Client(trapped.port())
    deadline = time.monotonic() + 10
    while not trapped.vms()["wasm.postern.vm_reload_success"]:
        assert client.request("GET", "/public/x").status == 503
        assert time.monotonic() < deadline
        time.sleep(0.1)

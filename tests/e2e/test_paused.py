"""A proxy that hands over body and trailers of a request whose header fields are still held."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import policies
import pytest
from lab import envoy, http2
from lab.gate import Gate


@pytest.fixture
def provider(keys):
    """A provider of keys that answers when it is told to."""
    told = threading.Event()
    document = json.dumps(keys.set(symmetric=False)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told.wait(20)
            self.send_response(200)
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, told
    told.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def paused(provider, upstream, keys, tmp_path):
    """A gate whose requests are held for the first keys, in a proxy that goes on reading them."""
    port, told = provider

    def tweak(config):
        envoy.plugin(envoy.gate(config))["allow_on_headers_stop_iteration"] = True
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
        assignment = {"cluster_name": "idp", "endpoints": [endpoint]}
        cluster = {"name": "idp", "type": "STATIC", "load_assignment": assignment}
        config["static_resources"]["clusters"].append(cluster)

    remote = {"cluster": "idp", "uri": "http://idp.example/jwks", "timeout": "10s", "wait": "20s"}
    policy = policies.main(keys)
    policy["issuers"][0]["keys"] = {"remote": remote}
    with Gate.open(policy, upstream, tmp_path, tweak=tweak) as gate:
        yield gate, told


def test_trailers_that_come_while_a_request_is_held_are_stripped(paused, keys):
    gate, told = paused
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "api.example"), (":path", "/any/x")]
    head += [("authorization", f"Bearer {keys.token()}")]
    trailers = [("x-postern-identity", "corp/forged"), ("x-sum", "1")]
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(http2.request, gate.client.port, head, data=b"x", trailers=trailers)
        wait_for_one_held(gate)
        told.set()
        assert reply.result().status == 200
        assert reply.result().json["trailers"] == [["x-sum", "1"]]


@pytest.mark.parametrize(("chunks", "status", "reason"), [(3, 200, "allowed"), (10, 403, "context_denied")])
def test_a_body_that_comes_while_a_request_is_held_is_bounded_and_counted(paused, keys, chunks, status, reason):
    gate, told = paused

    def body():
        for _ in range(chunks):
            yield b"x" * 300
            time.sleep(0.05)
        wait_for_one_held(gate)
        told.set()

    reply = gate.client.request("POST", "/v1/orders", token=keys.token(), body=body())
    event = gate.check(reply, status, reason)
    assert event["http_request"]["body_length"] == chunks * 300


def wait_for_one_held(gate):
    while not gate.envoy.stats("postern.keys.waiting").get("wasmcustom.postern.keys.waiting"):
        time.sleep(0.02)

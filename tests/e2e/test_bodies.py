"""Bodies: the bound of a route, and that bodies pass whole where there is none."""

import pytest


def post(gate, keys, body, path="/v1/orders"):
    return gate.client.request("POST", path, token=keys.token(), body=body)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024])
def test_a_body_within_the_bound_passes_whole(gate, keys, size):
    for body in (bytes(size), iter([bytes(size)] if size else [])):
        reply = post(gate, keys, body)
        gate.check(reply, 200, "allowed", route="write-orders")
        assert reply.json["body_bytes"] == size


@pytest.mark.parametrize("size", [1025, 100_000, 2_000_000])
def test_a_declared_body_over_the_bound_is_refused(gate, keys, size):
    gate.check(post(gate, keys, bytes(size)), 403, "context_denied", route="write-orders")


@pytest.mark.parametrize("chunks", [[1025], [1000, 24, 1], [1] * 1025, [512] * 200])
def test_a_chunked_body_is_cut_off_at_the_bound(gate, keys, chunks):
    gate.check(post(gate, keys, iter([bytes(size) for size in chunks])), 403, "context_denied", route="write-orders")


def test_a_body_passes_whole_where_there_is_no_bound(gate, keys):
    for body in (bytes(3_000_000), iter([bytes(30_000)] * 100)):
        reply = post(gate, keys, body, "/any/thing")
        gate.check(reply, 200, "allowed", route="any")
        assert reply.json["body_bytes"] == 3_000_000


def test_the_bound_is_of_no_use_to_a_caller_without_a_token(gate):
    reply = gate.client.request("POST", "/v1/orders", body=bytes(10))
    gate.check(reply, 401, "credential_missing")

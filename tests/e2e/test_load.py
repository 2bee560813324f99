"""Ten thousand requests of mixed kinds, on two workers and many connections."""

import random
import threading
from collections import Counter

import policies
from lab.issuer import flipped, unsigned

REQUESTS = 10_000
CONNECTIONS = 16


def kinds(keys):
    """Method, path, headers, and the status and reason that must come; tokens are reused, as they are in life."""
    good = {alg: keys.token(alg) for alg in keys.good}
    table = [("GET", "/v1/orders/1", token, [], 200, "allowed") for token in good.values()]
    good = good["ES256"]
    table += [
        ("GET", "/v1/orders/1", None, [], 401, "credential_missing"),
        ("GET", "/v1/orders/1", "nonsense", [], 401, "credential_malformed"),
        ("GET", "/v1/orders/1", keys.token(exp=1), [], 401, "token_expired"),
        ("GET", "/v1/orders/1", keys.token(nbf=9_999_999_999), [], 401, "token_not_yet_valid"),
        ("GET", "/v1/orders/1", keys.token(aud="payroll"), [], 401, "audience_mismatch"),
        ("GET", "/v1/orders/1", keys.token(iss="https://x.example"), [], 401, "issuer_unknown"),
        ("GET", "/v1/orders/1", flipped(good), [], 401, "signature_invalid"),
        ("GET", "/v1/orders/1", unsigned(policies.claims_for()), [], 401, "algorithm_not_allowed"),
        ("GET", "/v1/orders/1", keys.token(scope="other"), [], 403, "scope_missing"),
        ("GET", "/nowhere", good, [], 403, "route_unknown"),
        ("GET", "/any//x", good, [], 400, "path_ambiguous"),
        ("GET", "/public/x", None, [("x-postern-identity", "ceo")], 200, "allowed"),
        ("POST", "/any/x", good, [("x-postern-identity", "ceo")], 200, "allowed"),
        ("GET", "/any/x", None, [("x-other", b"\xff\xfe")], 401, "credential_missing"),
    ]
    return table


def test_ten_thousand_requests_on_two_workers_are_all_answered_right(gate, keys):
    before = gate.envoy.vms()
    table = kinds(keys)
    wrong, ids, lock = [], {}, threading.Lock()

    def run(seed: int) -> None:
        chance = random.Random(seed)
        connection = gate.client.connection()
        mine = {}
        for number in range(REQUESTS // CONNECTIONS):
            # Some connections are kept for long, some for a few requests.
            if number and seed % 2 and number % 25 == 0:
                connection.close()
                connection = gate.client.connection()
            method, path, token, headers, status, reason = chance.choice(table)
            reply = gate.client.request(method, path, token=token, headers=headers, on=connection)
            mine[reply.request_id] = reason
            if (reply.status, reply.reason) != (status, reason) or (status == 200 and "ceo" in str(reply.body)):
                wrong.append((path, status, reason, reply))
        connection.close()
        with lock:
            ids.update(mine)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong[:3] == []
    assert len(ids) == REQUESTS
    for wanted, expected in ids.items():
        event = gate.envoy.audit.one(wanted)
        assert event["status_detail"] == expected
    workers = Counter(gate.envoy.worker_connections())
    assert len(workers) == 2 and all(workers.values()), workers
    assert gate.envoy.vms() == before
    assert not any(value for name, value in before.items() if "vm_reload" in name)
    assert gate.envoy.failures() == []

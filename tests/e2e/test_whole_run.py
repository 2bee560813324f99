"""What is true of the whole run, whatever was sent in it: said last, over every Envoy's log."""

import re
from collections import Counter

import policies
import pytest
from lab import ROOT, audit
from lab.envoy import Envoy
from lab.issuer import minted


@pytest.fixture(scope="module")
def logs(gate, keys):
    # So that there is something to look at, even when this file is run by itself.
    policies.assert_well(gate, keys)
    return [proxy for proxy in Envoy.everyone if proxy.log_path.exists()]


def test_every_event_is_valid_ocsf(logs):
    found = Counter()
    events = 0
    for proxy in logs:
        for event in proxy.audit.events():
            events += 1
            found.update(audit.problems(event))
    assert events > 0
    assert found == {}


def test_no_request_has_two_events(logs):
    twice = {
        wanted: count
        for proxy in logs
        for wanted, count in proxy.audit.counts().items()
        # Hostile request ids may be the same.
        if count != 1 and len(wanted) == 36
    }
    assert twice == {}


def test_every_metric_of_every_envoy_is_on_its_page(logs):
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    told = re.findall(r"^\| `(postern\.\S+)` \| (?:counter|gauge) \|", page, re.MULTILINE)
    outcomes = re.findall(r"^\| `(\w+)` \|", page.split("## Outcomes of a fetch")[1], re.MULTILINE)
    holes = {"ISSUER": "[a-z0-9._-]+", "DOMAIN": "[a-z0-9._-]+", "OUTCOME": f"({'|'.join(outcomes)})"}
    patterns = [re.sub("ISSUER|DOMAIN|OUTCOME", lambda hole: holes[hole[0]], re.escape(name)) for name in told]
    found = set().union(*(proxy.metrics() for proxy in logs))
    assert found, "no Envoy had any"
    assert {name for name in found if not re.fullmatch("|".join(patterns), name)} == set()


def test_no_token_no_signature_and_no_secret_is_in_any_log(logs):
    assert minted.tokens and minted.secrets
    leaks = {str(proxy.directory): minted.leaks(proxy.log_path.read_bytes()) for proxy in logs}
    assert {place: found for place, found in leaks.items() if found} == {}


def test_no_vm_failed_and_no_filter_was_skipped(logs):
    failures = [line for proxy in logs for line in proxy.failures() if not proxy.expects_failure]
    assert failures == []


def test_the_search_for_leaks_finds_one(keys):
    token = keys.token()
    secret = next(iter(minted.secrets))
    signature = token.rsplit(".", 1)[1]
    for leak in (token.encode(), signature[:40].encode(), secret):
        assert minted.leaks(b"[info] something " + leak + b" something")
    assert minted.leaks(b"[info] nothing of the kind") == []

"""The demo's scenario, step by step, on the demo's own Envoy and policy."""

import pytest
from lab import envoy
from lab.client import Client
from lab.scenario import Scenario, surprises

SCENARIO = Scenario()


@pytest.fixture(scope="module")
def demo(upstream, tmp_path_factory):
    bootstrap = envoy.bootstrap(SCENARIO.policy(), http=upstream.http, grpc=upstream.grpc)
    proxy = envoy.Envoy(bootstrap, tmp_path_factory.mktemp("scenario"))
    yield proxy.wait_ready()
    proxy.stop()


@pytest.mark.parametrize("step", SCENARIO.steps, ids=lambda step: step["title"])
def test_every_step_goes_as_it_says(demo, step):
    outcome = SCENARIO.play(step, Client(demo.port()), demo.audit.one)
    assert surprises(step, outcome) == [], outcome


def test_a_step_that_expects_something_else_is_a_surprise(demo):
    step = SCENARIO.steps[0]
    outcome = SCENARIO.play(step, Client(demo.port()), demo.audit.one)
    wrong = {**step, "expect": {**step["expect"], "reason": "token_expired", "upstream": {"x-tenant": "globex"}}}
    assert len(surprises(wrong, outcome)) == 2

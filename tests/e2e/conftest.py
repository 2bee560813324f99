"""One upstream and one gate for the whole run; whatever else a test starts, it ends."""

import contextlib
import tempfile
from pathlib import Path

import policies
import pytest
from lab import processes
from lab.gate import Gate
from lab.upstream import Upstream

processes.exit_on_signals()


def pytest_collection_modifyitems(items):
    # What is said of the whole run is said last.
    items.sort(key=lambda item: item.path.name == "test_whole_run.py")


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
    started = Upstream(tmp_path_factory.mktemp("upstream"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def keys():
    return policies.Keys()


@pytest.fixture(scope="session")
def gate(upstream, keys, tmp_path_factory):
    with Gate.open(policies.main(keys), upstream, tmp_path_factory.mktemp("gate")) as opened:
        yield opened


@pytest.fixture
def opened(upstream, tmp_path):
    """Opens gates on four workers for a test, and ends them after it."""
    with contextlib.ExitStack() as stack:

        def open_one(policy, **options):
            directory = Path(tempfile.mkdtemp(dir=tmp_path))
            return stack.enter_context(Gate.open(policy, upstream, directory, **{"concurrency": 4, **options}))

        yield open_one


@pytest.fixture
def unharmed(gate, keys):
    """Shows after a test that it did no harm: no VM failed, and good requests still pass."""
    before = gate.envoy.vms()
    yield
    policies.assert_well(gate, keys, before)

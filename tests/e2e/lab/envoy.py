"""A real Envoy on free ports of loopback, and what it says of itself.

Envoy binds port 0 and tells through its admin endpoint what it got, so nothing races for a port.
Where a port must be known before Envoy is there, `reserved_port` holds one.
"""

import contextlib
import functools
import http.client
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import yaml

from . import MODULE, ROOT
from .audit import AuditLog
from .processes import Process

TEMPLATE = ROOT / "envoy" / "demo" / "envoy.yaml"
TYPES = "type.googleapis.com/"
START_PATIENCE = 60.0
"""Seconds: a V8 that compiles the module on a busy machine takes a few."""

# What the SDK or Envoy writes when code in the module has failed, or a filter is not run. That a
# plugin "failed to load" is not among it: so is a refused configuration.
FAILURES = re.compile(r"panicked at|Uncaught RuntimeError|proxy_\w+ failed|fail open")


def module() -> Path:
    return Path(os.environ.get("POSTERN_WASM", MODULE))


@functools.cache
def binary() -> str:
    """The Envoy to run: what `scripts/envoy` finds."""
    if named := os.environ.get("ENVOY_BIN"):
        return named
    return subprocess.run([ROOT / "scripts" / "envoy"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def reserved_port():
    """A port of loopback that nobody else gets while the context lasts, and that Envoy can bind.

    The socket is bound but does not listen: connections are refused until Envoy, which sets
    SO_REUSEPORT too, listens beside it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def bootstrap(policy, *, http: int, grpc: int, port: int = 0, template: Path = TEMPLATE) -> dict:
    """The demo's bootstrap, filled in.

    `policy` is the plugin configuration: a dict or text for a StringValue, or None to leave the
    configuration out altogether.
    """
    values = {
        "PORT": port,
        "MODULE": module(),
        "UPSTREAM_HTTP": http,
        "UPSTREAM_GRPC": grpc,
        "POLICY": json.dumps(""),
    }
    text = re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), template.read_text())
    filled = yaml.safe_load(text)
    # All that is tested is tested with what the bootstrap to copy lets the module do.
    plugin(gate(filled))["capability_restriction_config"] = capabilities()
    set_policy(gate(filled), policy)
    # A test finds the event of a request by the id that it sent.
    hcm(gate(filled))["preserve_external_request_id"] = True
    return filled


def capabilities() -> dict:
    """The calls that `envoy/envoy.yaml` allows."""
    return plugin(gate(yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())))["capability_restriction_config"]


def gate(filled: dict) -> dict:
    """The listener of a bootstrap."""
    return filled["static_resources"]["listeners"][0]


def hcm(listener: dict) -> dict:
    """The HTTP connection manager of a listener."""
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def plugin(listener: dict) -> dict:
    """Postern's PluginConfig in a listener."""
    return next(f for f in hcm(listener)["http_filters"] if f["name"] == "postern")["typed_config"]["config"]


def set_policy(listener: dict, policy, kind: str = "StringValue") -> None:
    """Puts a plugin configuration in: as a StringValue (text, or JSON of a value) or a Struct."""
    target = plugin(listener)
    if policy is None:
        target.pop("configuration", None)
        return
    if kind == "StringValue" and not isinstance(policy, str):
        policy = json.dumps(policy)
    target["configuration"] = {"@type": f"{TYPES}google.protobuf.{kind}", "value": policy}


def cluster(name: str, port: int | None, address: str = "127.0.0.1", kind: str = "STATIC") -> dict:
    """A cluster of one endpoint, or of none."""
    endpoint = {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
    return {
        "name": name,
        "type": kind,
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [] if port is None else [{"lb_endpoints": [endpoint]}],
        },
    }


class Envoy:
    """One Envoy process, with its files in a directory of its own."""

    everyone: list["Envoy"] = []
    """Every Envoy of this run, the ended ones too: their logs are examined at the end."""

    def __init__(self, config: dict, directory: Path, *, concurrency: int = 2, level: str = "info"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = directory / "envoy.json"
        self.config.write_text(json.dumps(config, indent=1))
        self.log_path = directory / "envoy.log"
        self._admin_path = directory / "admin.txt"
        self._admin_path.unlink(missing_ok=True)
        self._process = Process(
            [
                binary(), "-c", str(self.config), "--concurrency", str(concurrency), "--log-level", level,
                "--disable-hot-restart", "--admin-address-path", str(self._admin_path),
                "--drain-time-s", "1", "--parent-shutdown-time-s", "2",
            ],
            out=directory / "envoy.out",
            err=self.log_path,
        )  # fmt: skip
        self.audit = AuditLog(self.log_path)
        # A test that makes a VM fail on purpose says so here.
        self.expects_failure = False
        self._metrics: set[str] = set()
        Envoy.everyone.append(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        return self._process.exit_code()

    def wait_exit(self, timeout: float = START_PATIENCE) -> int:
        return self._process.wait(timeout)

    def wait_ready(self, timeout: float = START_PATIENCE) -> "Envoy":
        """Waits until it is live; an Envoy that ends instead is an error that shows its log."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.exit_code() is not None:
                raise EnvoyEnded(f"Envoy ended with {self.exit_code()}:\n{self.log()[-4000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if self.admin("/ready").strip() == "LIVE":
                    return self
            time.sleep(0.05)
        raise TimeoutError(f"Envoy is not ready:\n{self.log()[-4000:]}")

    def admin_url(self) -> str:
        return f"http://{self._admin_path.read_text().strip()}"

    def admin(self, path: str, method: str = "GET") -> str:
        host, _, port = self._admin_path.read_text().strip().rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def port(self, listener: str = "gate") -> int:
        """The port that a listener got."""
        for status in json.loads(self.admin("/listeners?format=json")).get("listener_statuses", []):
            if status["name"] == listener:
                return status["local_address"]["socket_address"]["port_value"]
        raise LookupError(f"no listener {listener}")

    def stats(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose names match."""
        lines = self.admin(f"/stats?filter={pattern}").splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if ": " in line)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def vms(self) -> dict[str, int]:
        """The statistics of the wasm machinery: constant while nothing fails or is updated."""
        # A module's own metrics are under `wasmcustom.`.
        return {name: value for name, value in self.stats("wasm").items() if name.startswith("wasm.")}

    def metrics(self) -> set[str]:
        """The names of the module's own metrics; of an Envoy that has ended, those it had then."""
        if self.exit_code() is None:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                names = self.stats("wasmcustom")
                self._metrics |= {name.removeprefix("wasmcustom.") for name in names}
        return self._metrics

    def worker_connections(self) -> dict[str, int]:
        """How many connections each worker has had."""
        totals = self.stats("downstream_cx_total")
        totals = {name: value for name, value in totals.items() if re.match(r"listener\..*\.worker_\d+\.", name)}
        found: dict[str, int] = {}
        for name, value in totals.items():
            worker = re.search(r"worker_\d+", name)[0]
            found[worker] = found.get(worker, 0) + value
        return found

    def log(self) -> str:
        return self.log_path.read_text(errors="backslashreplace") if self.log_path.exists() else ""

    def failures(self) -> list[str]:
        """Lines of the log that tell of a panic, a trap or a skipped filter."""
        return [line for line in self.log().splitlines() if FAILURES.search(line)]

    def stop(self) -> None:
        self.metrics()
        self._process.stop()


class DynamicListeners:
    """Listeners that Envoy reads from a file, and reads again whenever it is replaced (LDS)."""

    def __init__(self, config: dict, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "lds.json"
        self.listeners: list[dict] = config["static_resources"].pop("listeners")
        self._version = 0
        config["node"] = {"id": "lab", "cluster": "lab"}
        config.setdefault("dynamic_resources", {})["lds_config"] = _file_source(self.path)
        self.write()

    def write(self, *more: dict) -> None:
        """Puts the listeners, and `more` of them, in place in one step."""
        self._version += 1
        kind = f"{TYPES}envoy.config.listener.v3.Listener"
        resources = [{"@type": kind, **listener} for listener in (*self.listeners, *more)]
        _replace(self.path, self._version, resources)

    def push(self, envoy: "Envoy", *more: dict, timeout: float = START_PATIENCE) -> bool:
        """Writes, and waits for Envoy's word: True where the update was taken, False where not."""
        before = self._counts(envoy)
        self.write(*more)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            after = self._counts(envoy)
            if after != before:
                return after[0] > before[0]
            time.sleep(0.01)
        raise TimeoutError("Envoy did not notice the update")

    @staticmethod
    def _counts(envoy: "Envoy") -> tuple[int, int]:
        stats = envoy.stats("listener_manager.lds.update_")
        return stats["listener_manager.lds.update_success"], stats["listener_manager.lds.update_rejected"]


class DynamicClusters:
    """Clusters beside the static ones, which Envoy reads from a file whenever it is replaced (CDS)."""

    def __init__(self, config: dict, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "cds.json"
        self._version = 0
        config["node"] = {"id": "lab", "cluster": "lab"}
        config.setdefault("dynamic_resources", {})["cds_config"] = _file_source(self.path)
        self.write()

    def write(self, *clusters: dict) -> None:
        """Puts exactly these clusters in place."""
        self._version += 1
        kind = f"{TYPES}envoy.config.cluster.v3.Cluster"
        _replace(self.path, self._version, [{"@type": kind, **cluster} for cluster in clusters])


def _file_source(path: Path) -> dict:
    source = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"resource_api_version": "V3", "path_config_source": source}


def _replace(path: Path, version: int, resources: list[dict]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"version_info": str(version), "resources": resources}))
    os.replace(draft, path)


class EnvoyEnded(RuntimeError):
    """Envoy ended while it was expected to run."""

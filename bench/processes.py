"""The processes of a run: the upstream, one Envoy a scenario, and the load generator."""

import ctypes
import http.client
import json
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

LOAD = Path(__file__).parent / "load.lua"
CONNECTIONS = 16
START_TIMEOUT = 60.0
ROUND_TIMEOUT = 120  # seconds; a round that takes longer is broken, not waited for
PR_SET_PDEATHSIG = 1
STATS = r"^http\.ingress\.(downstream_rq_(total|completed|2xx|4xx)|jwt_authn\.jwt_cache_hit)$"


class Broken(Exception):
    """A scenario that does not do what it is measured for."""


class Process:
    """A child that ends with this program, however this program ends."""

    def __init__(self, command: list, output: Path):
        self.output = output
        with output.open("ab") as sink:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdout=sink, stderr=sink, preexec_fn=end_with_parent
            )

    def stop(self):
        if self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def until(self, probe, what: str):
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise Broken(f"exited with {self.child.returncode}; the end of {self.output}:\n{self.tail()}")
            if found := probe():
                return found
            time.sleep(0.05)
        raise Broken(f"no {what} it within {START_TIMEOUT:.0f} s; the end of {self.output}:\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-8:])


class Upstream(Process):
    """An nginx that answers every request with 200 and a small JSON body."""

    def __init__(self, work: Path):
        self.port = free_port()
        config = work / "nginx.conf"
        config.write_text(nginx_config(self.port, work))
        log = work / "nginx.log"
        super().__init__(["nginx", "-p", work, "-c", config, "-e", log], log)

    def await_ready(self):
        self.until(lambda: listens(self.port), "connection to")


class Envoy(Process):
    """One Envoy, and what it counts of itself."""

    def __init__(self, binary: str, name: str, config: dict, work: Path, workers: int = 1):
        file, self.admin_file = work / f"{name}.json", work / f"{name}.admin"
        self.admin_file.unlink(missing_ok=True)
        file.write_text(json.dumps(config, indent=1))
        command = [binary, "-c", file, "--concurrency", workers, "--disable-hot-restart"]
        command += ["--admin-address-path", self.admin_file]
        command += ["-l", "warning", "--component-log-level", "wasm:info"]
        super().__init__(command, work / f"{name}.log")

    def await_ready(self):
        self.admin = self.until(self.admin_address, "admin address of").strip()
        self.until(self.ready, "readiness of")
        listeners = json.loads(self.ask("/listeners?format=json"))
        self.port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]

    def admin_address(self) -> str:
        return self.admin_file.read_text() if self.admin_file.exists() else ""

    def ready(self) -> bool:
        try:
            return self.ask("/ready").startswith("LIVE")
        except OSError:
            return False

    def ask(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def counters(self) -> dict:
        stats = json.loads(self.ask(f"/stats?format=json&filter={urllib.request.quote(STATS)}"))["stats"]
        return {stat["name"].removeprefix("http.ingress."): stat["value"] for stat in stats}

    def settle(self):
        """Waits until the worker has seen the end of every connection, and so has counted all."""
        query = "/stats?format=json&filter=" + urllib.request.quote(r"^http\.ingress\.downstream_cx_active$")
        self.until(lambda: json.loads(self.ask(query))["stats"][0]["value"] == 0, "end of the connections to")

    def cpu(self) -> float:
        """Seconds of CPU that all threads of the process have used, to the nanosecond."""
        # Linux makes a process's CPU clock from its id: clock_getcpuclockid(3).
        return time.clock_gettime(~self.child.pid << 3 | 2)

    def anonymous_memory(self) -> int:
        """Bytes of memory that are the process's own, not those of files."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

    def answer(self, token: str) -> tuple[int, str]:
        """The status and the body that one request with this token (or without, where empty) is answered with."""
        return answer(self.port, token)


def answer(port: int, token: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Host": "api.example"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("GET", "/v1/orders/4711?limit=20", headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def load(port: int, tokens: Path, count: int, first: int, requests: int, keys: int = 0, connections=CONNECTIONS) -> dict:
    """Sends `requests` requests with the first `count` tokens, beginning at `first`; what wrk counted."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_TIMEOUT}s", "--timeout", "30s", "-s", LOAD]
    command += [f"http://127.0.0.1:{port}", "--", tokens, count, first, requests, keys]
    output = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, preexec_fn=end_with_parent, check=False
    )
    try:
        return json.loads(output.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise Broken(f"wrk exited with {output.returncode}: {output.stdout[-400:]}{output.stderr[-400:]}") from None


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nginx_config(port: int, work: Path) -> str:
    return f"""
daemon off;
master_process off;
pid {work}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  default_type application/json;
  client_body_temp_path {work}/nginx-body;
  proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi;
  uwsgi_temp_path {work}/nginx-uwsgi;
  scgi_temp_path {work}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 '{{"id":4711,"state":"shipped"}}\\n'; }}
  }}
}}
"""

"""The demo: a real Envoy with Postern in it, an issuer, an upstream, and the scenario played.

Run by `scripts/demo`, which builds what this needs.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import socket
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from . import envoy, processes
from .client import Client
from .scenario import Outcome, Scenario, surprises
from .upstream import Upstream

HANDED_ON = ("authorization", "x-postern-", "x-tenant", "x_postern")


def main() -> int:
    options = _options()
    processes.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="postern-demo-") as directory, contextlib.ExitStack() as stack:
        stack.callback(processes.stop_all)
        try:
            return Demo(Path(directory), options).run(stack)
        except KeyboardInterrupt:
            print()
            return 130 if options.once else 0
        except (envoy.EnvoyEnded, OSError, RuntimeError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Plays the demo scenario, then stays up.")
    parser.add_argument("--once", action="store_true", help="play the scenario and end: 0 only if all is as expected")
    parser.add_argument("--port", type=int, default=0, help="the gate's port on 127.0.0.1 (default: a free one)")
    return parser.parse_args()


class Demo:
    def __init__(self, directory: Path, options: argparse.Namespace):
        self.directory = directory
        self.options = options
        # Tokens that last as long as somebody may try them.
        self.scenario = Scenario(lifetime="12h")
        self.ink = Ink(sys.stdout.isatty() and "NO_COLOR" not in os.environ)

    def run(self, stack: contextlib.ExitStack) -> int:
        if self.options.port:
            _refuse_taken(self.options.port)
        upstream = Upstream(self.directory)
        stack.callback(upstream.stop)
        bootstrap = envoy.bootstrap(
            self.scenario.policy(), http=upstream.http, grpc=upstream.grpc, port=self.options.port
        )
        self.proxy = envoy.Envoy(bootstrap, self.directory, concurrency=2)
        stack.callback(self.proxy.stop)
        self.proxy.wait_ready()
        self.gate = Client(self.proxy.port())
        self._write_tokens()
        self._introduce(upstream)
        failed = sum(not self._play(number, step) for number, step in enumerate(self.scenario.steps, 1))
        failures = self.proxy.failures()
        for line in failures:
            print(self.ink.bad(line))
        passed = len(self.scenario.steps) - failed
        print(f"{passed} passed, {failed} failed")
        sys.stdout.flush()
        if self.options.once:
            return 1 if failed or failures else 0
        self._stay_up()
        return 1 if failed else 0

    def _write_tokens(self) -> None:
        """One shell variable a step, for the curl lines to use."""
        tokens = (
            (number, self.scenario.token(step.get("token"))) for number, step in enumerate(self.scenario.steps, 1)
        )
        lines = [f"T{number:02}={shlex.quote(token)}" for number, token in tokens if token]
        (self.directory / "tokens.sh").write_text("\n".join(lines) + "\n")
        # A gRPC message of no bytes: not compressed, length 0.
        (self.directory / "empty.grpc").write_bytes(bytes(5))

    def _introduce(self, upstream: Upstream) -> None:
        print(
            textwrap.dedent(f"""\
            gate      http://127.0.0.1:{self.gate.port}   Envoy with {envoy.module().name}, 2 workers
            upstream  http://127.0.0.1:{upstream.http}   HTTP echo; gRPC on {upstream.grpc}
            policy    envoy/demo/postern.yaml, steps: envoy/demo/scenario.yaml
            tokens    . {self.directory}/tokens.sh
            """)
        )

    def _play(self, number: int, step: dict) -> bool:
        outcome = self.scenario.play(step, self.gate, self.proxy.audit.one)
        wrong = surprises(step, outcome)
        mark = self.ink.bad("FAIL") if wrong else self.ink.good("PASS")
        print(f"{mark} {number:2}. {self.ink.title(step['title'])}")
        for label, text in self._account(number, step, outcome):
            print(f"     {label:9} {text}")
        for line in wrong:
            print(f"     {self.ink.bad('surprise')}  {line}")
        print()
        return not wrong

    def _account(self, number: int, step: dict, outcome: Outcome):
        yield "request", self._curl(number, step)
        code = f"gRPC {outcome.grpc}" if outcome.grpc is not None else outcome.status
        yield "answer", f"{code}, {outcome.reason}"
        if outcome.body and "detail" in outcome.body:
            yield "detail", outcome.body["detail"]
        if outcome.challenge:
            yield "challenge", outcome.challenge
        if outcome.seen is None:
            yield "upstream", "saw nothing"
        else:
            handed = [f"{name}: {value}" for name, value in outcome.seen if name.lower().startswith(HANDED_ON)]
            yield "upstream", "saw " + ("; ".join(handed) or "the request, with no identity and no credential")
        yield "audit", json.dumps(shortened(outcome.event))

    def _curl(self, number: int, step: dict) -> str:
        request = step["request"]
        words = ["curl -si"]
        if request.get("grpc"):
            words += ["--http2-prior-knowledge --output - -H 'content-type: application/grpc' -H 'te: trailers'"]
            words += [f"--data-binary @{self.directory}/empty.grpc"]
        elif request.get("method", "GET") != "GET":
            words += [f"-X {request['method']}"]
        words += [f"-H 'host: {self.gate.host}'"]
        words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.get("headers", {}).items()]
        if "token" in step:
            words += [f'-H "authorization: Bearer $T{number:02}"']
        if "body" in request:
            words += [f"-d {shlex.quote(request['body'])}"]
        return " ".join([*words, "--path-as-is", f"http://127.0.0.1:{self.gate.port}{request['path']}"])

    def _stay_up(self) -> None:
        print(
            "\n"
            + textwrap.dedent(f"""\
            It stays up. To try it, in another shell:

              . {self.directory}/tokens.sh
              curl -i -H 'host: api.example' -H "authorization: Bearer $T01" http://127.0.0.1:{self.gate.port}/v1/orders/42
              curl -i -H 'host: api.example' http://127.0.0.1:{self.gate.port}/v1/orders/42
              curl -i http://127.0.0.1:{self.gate.port}/healthz

            Audit events:  tail -f {self.proxy.log_path} | grep 'wasm log'
            Admin:         {self.proxy.admin_url()}
            Ctrl-C ends everything.""")
        )
        sys.stdout.flush()
        while self.proxy.exit_code() is None:
            time.sleep(0.2)
        raise envoy.EnvoyEnded(f"Envoy ended with {self.proxy.exit_code()}")


def shortened(event: dict) -> dict:
    """The fields of an event that tell the story; the log has them all."""
    unmapped = event.get("unmapped", {})
    request = event.get("http_request", {})
    return {
        "class_uid": event.get("class_uid"),
        "status_detail": event.get("status_detail"),
        "disposition": event.get("disposition", event.get("disposition_id")),
        "route": unmapped.get("route"),
        "mode": unmapped.get("mode"),
        "actor": event.get("actor"),
        "src": event.get("src_endpoint", {}).get("ip"),
        "request": f"{request.get('http_method')} {request.get('url', {}).get('path')}",
        "correlation_uid": event.get("metadata", {}).get("correlation_uid"),
    }


def _refuse_taken(port: int) -> None:
    # Without SO_REUSEPORT, so that another Envoy's listener is noticed and not joined.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RuntimeError(f"port {port} cannot be had: {error.strerror}") from None


class Ink:
    """Colour, where there is somebody to see it."""

    def __init__(self, on: bool):
        self._on = on

    def _dye(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on else text

    def good(self, text: str) -> str:
        return self._dye("32", text)

    def bad(self, text: str) -> str:
        return self._dye("31;1", text)

    def title(self, text: str) -> str:
        return self._dye("1", text)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())

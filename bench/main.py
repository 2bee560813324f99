"""Envoy's CPU time a request, with Postern and with Envoy's own filters, as ratios in one run.

Every scenario has its own Envoy, all of one binary, with one worker and the same listener, alive
for the whole run. In each round every Envoy in turn serves the same number of requests; the order
rotates. What is measured is the CPU time of the whole Envoy process, all its threads, over the
requests it completed: other work on the machine disturbs it little. Costs over `none` and their
ratios are formed within a round, and the table has their medians over the rounds. Exits with 1
where a scenario is broken, never because something was slow.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import report
from measure import Bench
from scenarios import Scenario, all_scenarios
from tokens import Tokens

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MODULE = TARGET / "postern.wasm"
# More than any cache here holds: jwt_authn's takes 100, Postern's 4 MiB of tokens and claims.
TOKENS = 20000


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = parse_options()
    directory = TARGET / "bench"
    work = directory / "run"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tokens = Tokens(directory / "tokens", TOKENS)
    if not options.module.exists():
        print(f"no module at {options.module} (scripts/build makes one): Postern's scenarios are left out")
    scenarios = chosen(options, all_scenarios(tokens, options.module, work))
    bench = Bench(scenarios, tokens, options.requests)
    with contextlib.ExitStack() as stack:
        run(bench, options, work, stack)
    return finish(bench, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=positive, help="rounds (default 30, quick 8)")
    parser.add_argument("--requests", type=positive, help="requests a round and scenario (default 2000, quick 1500)")
    parser.add_argument("--only", type=names, help="scenarios by name, separated by commas; none is always measured")
    parser.add_argument("--all", action="store_true", help="the scenarios too that serve orientation only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured, round by round")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, caches not filled first")
    parser.add_argument("--module", type=Path, default=MODULE, help="default: the release build")
    parser.add_argument("--envoy", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (8 if options.quick else 30)
    options.requests = options.requests or (1500 if options.quick else 2000)
    options.module = options.module.resolve()
    return options


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def names(text: str) -> set[str]:
    return set(text.split(","))


def chosen(options: argparse.Namespace, scenarios: list[Scenario]) -> list[Scenario]:
    known = [scenario.name for scenario in scenarios]
    if options.only is None:
        return [scenario for scenario in scenarios if options.all or not scenario.extra]
    if unknown := options.only - set(known):
        sys.exit(f"no scenario is named {', '.join(sorted(unknown))}; scenarios are: {', '.join(known)}")
    return [scenario for scenario in scenarios if scenario.name in options.only | {report.BASE}]


def run(bench: Bench, options: argparse.Namespace, work: Path, stack: contextlib.ExitStack):
    begin = time.monotonic()
    bench.start(options.envoy, work, stack)
    bench.warm_up(2 * options.requests if options.quick else bench.tokens.count)
    print(f"{len(bench.envoys)} Envoys are warm after {time.monotonic() - begin:.0f} s", flush=True)
    for number in range(options.rounds):
        if report.BASE in bench.broken:
            break
        bench.round(number)
        progress(f"round {number + 1} of {options.rounds}, {time.monotonic() - begin:.0f} s")


def finish(bench: Bench, options: argparse.Namespace) -> int:
    if reason := bench.broken.get(report.BASE):
        sys.exit(f"the base, {report.BASE}, is broken: {reason}")
    about = about_run(options)
    print(f"\n{about['envoy']}, {options.rounds} rounds of {options.requests} requests, load {about['load']}")
    print(report.table(bench) + "\n" + report.failures(bench))
    for verdict in report.aims(bench):
        print(report.aim_line(verdict))
    for line in report.extra_lines(bench):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(bench, about), indent=1) + "\n")
    return 1 if bench.broken else 0


def about_run(options: argparse.Namespace) -> dict:
    version = subprocess.run([options.envoy, "--version"], capture_output=True, text=True, check=True).stdout
    about = {"envoy": version.partition("version: ")[2].strip(), "rounds": options.rounds}
    about |= {"requests": options.requests, "load": f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"}
    if options.module.exists():
        module = options.module.read_bytes()
        about["module"] = {"bytes": len(module), "sha256": hashlib.sha256(module).hexdigest()}
    return about


def progress(text: str):
    if sys.stdout.isatty():
        print(f"\r{text}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())

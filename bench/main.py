"""What Postern costs Envoy, beside Envoy's own filters, as ratios in one run.

Every scenario has its own Envoy, all of one binary, with the same listener, alive while its group
is measured, and started anew for each third of the rounds. In each round every Envoy of the group in turn serves the same number of requests; the
order rotates. What is measured is the CPU time of the whole Envoy process, all its threads, over
the requests it completed: other work on the machine disturbs it little. Costs over the proxy alone
and ratios are formed within a round; told are their medians over the rounds. Exits with 1 where a
scenario is broken, never because something was slow. docs/benchmark.md tells more.
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
import zlib
from pathlib import Path

import compare
import footprint
import plot
import profiling
import report
from latency import PERCENTILES, percentile
from measure import Bench
from processes import Broken
from scenarios import BESIDE, GROUPS, Scenario, all_scenarios
from tokens import Tokens

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MODULE = Path(os.environ.get("POSTERN_WASM", TARGET / "postern.wasm"))
# More than any cache here holds: jwt_authn's takes 100, Postern's 4 MiB of tokens and claims.
TOKENS = 20000
FOOTPRINTS = ("start", "memory", "profile")
DEFAULT_GROUPS = {"cached", "fresh", "refused", "scale", *FOOTPRINTS}
STARTS, QUICK_STARTS = 15, 4
LATENCY_ROUNDS = 5


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = parse_options()
    if options.compare:
        print(compare.table(*(json.loads(file.read_text()) for file in options.compare)))
        return 0
    directory = TARGET / "bench"
    work = directory / "run"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tokens = Tokens(directory / "tokens", TOKENS)
    if not options.module.exists():
        print(f"no module at {options.module} (scripts/build makes one): Postern's scenarios are left out")
    scenarios = all_scenarios(tokens, options.module, work, options.beside)
    results = about_run(options) | {"scenarios": {}, "start_ms": {}, "memory": {}, "profile": {}}
    for group, members in chosen(options, scenarios).items():
        results["scenarios"] |= measured(group, members, tokens, options, work)
    broken = measure_footprint(results, scenarios, tokens, options, work)
    return finish(results, options) or broken


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=positive, help="rounds (default 15, quick 6)")
    parser.add_argument("--processes", type=positive, help="how often every process is started anew (default 3, quick 1)")
    parser.add_argument("--requests", type=positive, help="requests a round and scenario (default 2000, quick 1000)")
    parser.add_argument("--only", type=names, help="scenarios by name, separated by commas, and what they are told over")
    parser.add_argument("--group", type=names, help=f"groups: {', '.join(GROUPS + FOOTPRINTS)} (default: all but workers)")
    parser.add_argument("--all", action="store_true", help="every group, and the scenarios that serve orientation only")
    parser.add_argument("--latency", type=float, default=5.0, metavar="SECONDS", help="how long latency is measured (5; 0: not)")
    parser.add_argument("--rate", type=positive, default=1000, help="requests a second while latency is measured (1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured, round by round")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw what was measured")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"), help="compare two files of --json; measures nothing")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, caches not filled first")
    parser.add_argument("--module", type=Path, default=MODULE, help="default: $POSTERN_WASM, or the release build")
    parser.add_argument("--beside", type=Path, metavar="FILE", help="another module, measured in the same run against that one")
    parser.add_argument("--envoy", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (6 if options.quick else 15)
    options.processes = options.processes or (1 if options.quick else 3)
    options.requests = options.requests or (1000 if options.quick else 2000)
    options.module = options.module.resolve()
    if options.beside and not (beside := options.beside.resolve()).is_file():
        parser.error(f"--beside: there is no module at {beside}")
    options.beside = options.beside and options.beside.resolve()
    if options.group and (unknown := options.group - {*GROUPS, *FOOTPRINTS}):
        parser.error(f"no group is named {', '.join(sorted(unknown))}; groups are: {', '.join(GROUPS + FOOTPRINTS)}")
    options.groups = options.group or (set() if options.only else {*GROUPS, *FOOTPRINTS} if options.all else DEFAULT_GROUPS)
    return options


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def names(text: str) -> set[str]:
    return set(text.split(","))


def chosen(options: argparse.Namespace, scenarios: list[Scenario]) -> dict[str, list[Scenario]]:
    """The groups to measure, each with what its costs are told over; those of --only are one group."""
    grouped = {}
    if options.only:
        known = [scenario.name for scenario in scenarios]
        if unknown := options.only - set(known):
            sys.exit(f"no scenario is named {', '.join(sorted(unknown))}; scenarios are: {', '.join(known)}")
        wanted = options.only | {f"{name}{BESIDE}" for name in options.only}
        grouped["only"] = [scenario for scenario in scenarios if scenario.name in wanted and scenario.group]
    for group in GROUPS:
        members = [scenario for scenario in scenarios if scenario.group == group and (options.all or not scenario.extra)]
        if group in options.groups and members:
            grouped[group] = members
    return {group: with_bases(members, scenarios) for group, members in grouped.items()}


def with_bases(members: list[Scenario], scenarios: list[Scenario]) -> list[Scenario]:
    bases = {scenario.base for scenario in members} or {report.BASE}
    return [scenario for scenario in scenarios if scenario.name in bases] + members


def measured(group: str, members: list[Scenario], tokens: Tokens, options: argparse.Namespace, work: Path) -> dict:
    """The results of a group, which is printed as well."""
    bench = Bench(members, tokens, options.requests)
    # A process can be slower than the next one from its start, by some microseconds a request.
    for rounds in shares(options.rounds, options.processes):
        with contextlib.ExitStack() as stack:
            run(group, bench, rounds, options, work, stack)
    found = as_results(group, bench)
    print(f"\n{report.table(found)}", flush=True)
    return found


def shares(rounds: int, processes: int) -> list[int]:
    """The rounds that each generation of processes is measured in."""
    return [len(range(number, rounds, processes)) for number in range(min(rounds, processes))]


def run(group: str, bench: Bench, rounds: int, options: argparse.Namespace, work: Path, stack: contextlib.ExitStack):
    begin = time.monotonic()
    bench.start(options.envoy, work, stack)
    bench.warm_up(2 * options.requests if options.quick else bench.tokens.count)
    print(f"{group}: {len(bench.envoys)} Envoys are warm after {time.monotonic() - begin:.0f} s", flush=True)
    for number in range(rounds):
        bench.round(number)
        progress(f"{group}: round {number + 1} of {rounds}, {time.monotonic() - begin:.0f} s")
    for number in range(LATENCY_ROUNDS if options.latency > 0 else 0):
        bench.latency_round(number, options.rate, options.latency / LATENCY_ROUNDS / options.processes)
    bench.check_again()


def as_results(group: str, bench: Bench) -> dict:
    """What was measured, ready for JSON; costs over a base are formed within each round."""
    found = {}
    for scenario in bench.scenarios:
        entry = {"name": scenario.name, "group": group, "what": scenario.what, "base": scenario.base}
        entry |= {"against": scenario.against, "broken": bench.broken.get(scenario.name)}
        if scenario.base in bench.broken:
            entry["broken"] = entry["broken"] or f"{scenario.base} is broken"
        if not entry["broken"]:
            micros = bench.micros[scenario.name]
            over = [own - base for own, base in zip(micros, bench.micros[scenario.base], strict=True)]
            entry |= {"micros": micros, "over": over}
            if values := bench.latency.get(scenario.name):
                entry["latency"] = {f"p{percent}": percentile(values, percent) for percent in PERCENTILES}
                entry["latency"]["requests"] = len(values)
        found[scenario.name if scenario.group else f"{scenario.name}, {group}"] = entry
    return found


def measure_footprint(results: dict, scenarios: list[Scenario], tokens: Tokens, options: argparse.Namespace, work: Path) -> int:
    try:
        if "start" in options.groups:
            rounds = QUICK_STARTS if options.quick else STARTS
            results["start_ms"] = footprint.start_times(scenarios, tokens, options.envoy, work, rounds)
        if "memory" in options.groups:
            results["memory"] = footprint.memory(scenarios, tokens, options.envoy, work)
        if "profile" in options.groups:
            results["profile"] = profiling.profiles(scenarios, tokens, options.module, work)
    except (Broken, OSError) as error:
        print(f"\nstart, memory and profile: broken: {error}")
        return 1
    return 0


def finish(results: dict, options: argparse.Namespace) -> int:
    results["aims"] = report.aims(results)
    print("\n" + report.summary(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.svg:
        options.svg.write_text(plot.svg(results))
    return 1 if any(entry["broken"] for entry in results["scenarios"].values()) else 0


def about_run(options: argparse.Namespace) -> dict:
    version = subprocess.run([options.envoy, "--version"], capture_output=True, text=True, check=True).stdout
    about = {"envoy": version.partition("version: ")[2].strip().split("/")[1], "rounds": options.rounds, "processes": options.processes, "rate": options.rate}
    about |= {"requests": options.requests, "load": f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"}
    if options.module.exists():
        module = options.module.read_bytes()
        about["module"] = {"bytes": len(module), "deflated": len(zlib.compress(module, 9))}
        about["module"]["sha256"] = hashlib.sha256(module).hexdigest()
    return about


def progress(text: str):
    if sys.stdout.isatty():
        print(f"\r{text}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())

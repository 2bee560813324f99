"""What a run says: the tables, and the aims beside what was measured."""

import math
import statistics

import wasm_floor

BASE, EMPTY = "none", "wasm-empty-alone"
MIB = 1 << 20
MOST_MEMORY, MOST_START, MOST_CALLS = 8.0, 150.0, 8.0  # MiB a worker, milliseconds, calls of the host
FILLED, STARTED = "postern-rs256-fresh", "postern-cached-limit"
# (what is held against what; the greatest ratio of their costs that is aimed at; what both have in
# common and is taken off first, where that is more than the proxy)
AIMS = [
    ("postern-cached-limit", "chain", 0.9, None),
    # As Envoy gathers lines of its access log.
    ("postern-cached-batched", "chain", 0.9, None),
    ("postern-rs256-fresh", "jwt-rs256-fresh", 1.1, None),
    ("postern-es256-fresh", "jwt-es256-fresh", 1.1, None),
    ("postern-eddsa-fresh", "jwt-eddsa-fresh", 1.0, None),
    ("postern-refused-forged", "jwt-refused-forged", 1.0, None),
    # A tenth of a verification: what they take more than a refusal that looks at no token.
    ("postern-refused-malformed", "postern-refused-forged", 0.1, "postern-refused-missing"),
    ("postern-refused-again", "postern-refused-forged", 0.1, "postern-refused-missing"),
    ("postern-cached-10k-routes", "postern-cached-10-routes", 1.2, None),
    ("postern-cached-100k-clients", "postern-cached-10-clients", 1.2, None),
]
# (what has one thing more than what)
EXTRAS = [
    ("postern-cached-limit", "postern-cached"),
    ("postern-cached", "postern-cached-quiet"),
    ("postern-cached-risk", "postern-cached"),
    ("postern-cached-limit", "postern-cached-batched"),
    ("postern-cached-limit", "wasm-calls"),
    ("postern-cached-100k-keys", "postern-cached-10-keys"),
]
# (what is told of what, besides the aims)
RATIOS = [
    ("postern-refused-malformed", "postern-refused-forged"),
    ("postern-refused-again", "postern-refused-forged"),
    ("wasm-calls", "chain"),
    ("postern-2-workers", "postern-1-workers"),
    ("postern-4-workers", "postern-1-workers"),
]


def table(entries: dict) -> str:
    """One line a scenario: median and quartiles, cost over the proxy alone, ratio to Envoy's own filters."""
    lines = [
        f"{'scenario':28}{'µs/request':>10}{'quartiles':>14}{'over proxy':>11}{'quartiles':>14}"
        f"{'of native':>10}{'95 %':>12}"
    ]
    for key, entry in entries.items():
        if entry["broken"]:
            lines.append(f"{key:28}  BROKEN: {entry['broken']}")
            continue
        micros, over = entry["micros"], entry["over"]
        lines.append(
            f"{key:28}{statistics.median(micros):10.1f}{spread(micros):>14}{statistics.median(over):11.1f}"
            f"{spread(over):>14}{of_native(entries, entry)}  {entry['what']}"
        )
    return "\n".join(lines)


def of_native(entries: dict, entry: dict) -> str:
    ratios = paired_ratios(entries, entry["name"], entry["against"])
    if not ratios:
        return f"{'':22}"
    low, high = interval(ratios)
    return f"{statistics.median(ratios):10.2f}{f'{low:.2f}-{high:.2f}':>12}"


def summary(results: dict) -> str:
    lines = [f"Envoy {results['envoy']}, {results['rounds']} rounds of {results['requests']} requests over {results['processes']} processes each, load {results['load']}"]
    if module := results.get("module"):
        lines.append(f"module: {module['bytes']} bytes, {module['deflated']} deflated, sha256 {module['sha256'][:16]}")
    lines += latency_lines(results) + footprint_lines(results) + [""]
    lines += [aim_line(verdict) for verdict in results["aims"]]
    return "\n".join(lines + extra_lines(results["scenarios"]))


def latency_lines(results: dict) -> list[str]:
    found = {key: entry["latency"] for key, entry in results["scenarios"].items() if "latency" in entry}
    if not found:
        return []
    percents = [name for name in next(iter(found.values())) if name != "requests"]
    lines = ["", f"{'latency in µs, ' + str(results['rate']) + '/s':28}" + "".join(f"{name:>10}" for name in percents)]
    return lines + [f"{key:28}" + "".join(f"{of[name]:10.0f}" for name in percents) for key, of in found.items()]


def footprint_lines(results: dict) -> list[str]:
    lines = []
    if starts := results["start_ms"]:
        lines += ["", f"{'start to first decision, ms':28}{'median':>10}{'quartiles':>14}"]
        lines += [f"{name:28}{statistics.median(times):10.0f}{spread(times):>14}" for name, times in starts.items()]
    if memory := results["memory"]:
        lines += ["", f"{'memory, MiB':28}{'a worker':>10}{'1 worker':>10}{'4 workers':>10}"]
        for name, of in memory.items():
            sizes = "".join(f"{size / MIB:10.1f}" for size in (of["worker"], *of["bytes"]))
            lines.append(f"{name:28}{sizes}")
    if profile := results["profile"]:
        lines += ["", f"{'the module alone, µs':28}{'median':>10}{'calls':>10}"]
        for name, of in profile.items():
            lines.append(f"{name:28}{statistics.median(of['nanoseconds']) / 1e3:10.2f}{sum(of['calls'].values()):10.2f}")
    return lines


def aims(results: dict) -> list[dict]:
    """Each aim that this run can tell about, with what was measured and a verdict."""
    verdicts = []
    for subject, against, limit, common in AIMS:
        if ratios := paired_ratios(results["scenarios"], subject, against, common):
            less = f", both over {common}" if common else ""
            verdict = {"what": f"{subject} costs", "of": f" of {against}{less}", "aim": limit, "digits": 2}
            verdicts.append(verdict | judged(ratios, limit))
    memory = results["memory"]
    if FILLED in memory and BASE in memory:
        more = (memory[FILLED]["worker"] - memory[BASE]["worker"]) / MIB
        verdict = {"what": "a worker with a full cache takes", "of": " MiB", "aim": MOST_MEMORY, "digits": 1}
        verdicts.append(verdict | judged([more], MOST_MEMORY))
    if times := results["start_ms"].get(STARTED):
        verdict = {"what": f"{STARTED} decides", "of": " ms after its process began", "aim": MOST_START, "digits": 0}
        verdicts.append(verdict | judged(times, MOST_START))
    if profile := results["profile"].get(STARTED):
        verdict = {"what": f"{STARTED} makes", "of": " calls of the host a request", "aim": MOST_CALLS, "digits": 0}
        verdicts.append(verdict | judged([sum(profile["calls"].values())], MOST_CALLS))
    return verdicts


def judged(values: list[float], limit: float) -> dict:
    low, high = interval(values)
    median = statistics.median(values)
    return {"values": values, "median": median, "low": low, "high": high, "pass": median <= limit}


def aim_line(verdict: dict) -> str:
    mark, digits = "pass" if verdict["pass"] else "MISS", verdict["digits"]
    low, high = verdict["low"], verdict["high"]
    told = f"{verdict['median']:.{digits}f}" + (f" ({low:.{digits}f}..{high:.{digits}f})" if low < high else "")
    unsure = ", which is within the noise" if low < high and low <= verdict["aim"] <= high else ""
    return f"{mark}  {verdict['what']} {told}{verdict['of']}; the aim is {verdict['aim']:g} at most{unsure}"


def extra_lines(entries: dict) -> list[str]:
    """What has no aim: differences and ratios, round by round."""
    lines = call_lines(entries)
    for subject, against in EXTRAS:
        if measured(entries, subject) and measured(entries, against):
            differences = [own - other for own, other in zip(entries[subject]["over"], entries[against]["over"])]
            low, high = interval(differences)
            more = statistics.median(differences)
            lines.append(f"note  {subject} costs {more:.1f} ({low:.1f}..{high:.1f}) µs more than {against}")
    for subject, against in RATIOS:
        if ratios := paired_ratios(entries, subject, against):
            low, high = interval(ratios)
            lines.append(f"note  {subject} costs {statistics.median(ratios):.2f} ({low:.2f}..{high:.2f}) of {against} in all")
    return lines


def measured(entries: dict, name: str | None) -> bool:
    return name in entries and not entries[name]["broken"]


def paired_ratios(entries: dict, subject: str, against: str | None, common: str | None = None) -> list[float]:
    """The ratio of two costs in each round that both were measured in, less what they have in common."""
    if not (measured(entries, subject) and measured(entries, against)):
        return []
    if common and not measured(entries, common):
        return []
    if entries[subject]["group"] != entries[against]["group"]:
        return []
    own, other = entries[subject]["over"], entries[against]["over"]
    off = entries[common]["over"] if common else [0.0] * len(own)
    return [(first - less) / (second - less) for first, second, less in zip(own, other, off) if second > less]


def spread(values: list[float], digits: int = 1) -> str:
    if len(values) < 2:
        return "-"
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return f"{first:.{digits}f}-{third:.{digits}f}"


def interval(values: list[float]) -> tuple[float, float]:
    """Where the true median lies with a confidence of 95 %, whatever the distribution."""
    ordered = sorted(values)
    # The ranks of the binomial distribution of values below the median, by its normal approximation.
    reach = 0.98 * math.sqrt(len(ordered))
    low, high = math.floor(len(ordered) / 2 - reach), math.ceil(len(ordered) / 2 + reach)
    return ordered[max(low, 0)], ordered[min(high, len(ordered) - 1)]


def call_lines(entries: dict) -> list[str]:
    """What one call of the host costs, where modules were measured that make many."""
    lines = []
    for name, entry in entries.items():
        prefix, _, call = name.partition(f"-{wasm_floor.REPEATED}-")
        if prefix == "wasm" and call and measured(entries, name) and measured(entries, EMPTY):
            pairs = zip(entry["over"], entries[EMPTY]["over"], strict=True)
            costs = [(own - other) / wasm_floor.REPEATED for own, other in pairs]
            low, high = interval(costs)
            lines.append(f"note  {call} costs {statistics.median(costs):.2f} ({low:.2f}..{high:.2f}) µs each time")
    return lines

"""What a run says: the table, the aims, and the same as JSON."""

import math
import statistics

from measure import Bench
from tokens import ALGORITHMS

BASE = "none"
# (what is held against what; the greatest ratio of their costs over BASE that is aimed at)
AIMS = [("postern-cached-limit", "chain", 1.0)] + [
    (f"postern-{name.lower()}-fresh", f"jwt-{name.lower()}-fresh", 1.15) for name in ALGORITHMS
]

# (what has one thing more than what; the most microseconds that it is to cost)
EXTRAS = [("postern-cached-limit", "postern-cached", 2.5), ("local-ratelimit-descriptor", BASE, None)]


def table(bench: Bench) -> str:
    """One line a scenario: median and quartiles, cost over BASE, ratio to BASE."""
    lines = [f"{'scenario':26}{'µs/request':>11}{'quartiles':>17}{'over none':>11}{'quartiles':>17}{'ratio':>7}"]
    for scenario in bench.scenarios:
        if scenario.name in bench.broken:
            lines.append(f"{scenario.name:26}     BROKEN, see below  {scenario.what}")
            continue
        micros, costs = bench.micros[scenario.name], over_base(bench, scenario.name)
        ratio = statistics.median(paired(bench, scenario.name, BASE, lambda own, base: own / base))
        lines.append(
            f"{scenario.name:26}{statistics.median(micros):11.1f}{spread(micros):>17}"
            f"{statistics.median(costs):11.1f}{spread(costs):>17}{ratio:7.2f}  {scenario.what}"
        )
    return "\n".join(lines)


def failures(bench: Bench) -> str:
    return "".join(f"\n{name} is broken: {reason}\n" for name, reason in bench.broken.items())


def aims(bench: Bench) -> list[dict]:
    """Each aim whose two scenarios were measured, with the median of its ratios and a verdict."""
    verdicts = []
    for subject, against, limit in AIMS:
        if not (measured(bench, subject) and measured(bench, against)):
            continue
        costs = zip(over_base(bench, subject), over_base(bench, against))
        ratios = [own / other for own, other in costs if other > 0]
        if ratios:
            verdicts.append({"subject": subject, "against": against, "aim": limit, "ratios": ratios})
            verdicts[-1]["median"] = statistics.median(ratios)
            verdicts[-1]["pass"] = verdicts[-1]["median"] <= limit
    return verdicts


def extra_lines(bench: Bench) -> list[str]:
    """What one limit costs, in microseconds, pair by pair."""
    lines = []
    for subject, against, aim in EXTRAS:
        if measured(bench, subject) and measured(bench, against):
            differences = paired(bench, subject, against, lambda own, other: own - other)
            more, (low, high) = statistics.median(differences), interval(differences)
            mark = "for comparison" if aim is None else "pass" if more <= aim else "MISS"
            most = "" if aim is None else f"; the aim is {aim} at most"
            lines.append(f"{mark}  {subject} costs {more:.1f} ({low:.1f}..{high:.1f}) µs more than {against}{most}")
    return lines


def aim_line(verdict: dict) -> str:
    mark = "pass" if verdict["pass"] else "MISS"
    low, high = interval(verdict["ratios"])
    unsure = ", which is within the noise" if low <= verdict["aim"] <= high else ""
    return (
        f"{mark}  {verdict['subject']} costs {verdict['median']:.2f} ({low:.2f}-{high:.2f}) of {verdict['against']};"
        f" the aim is {verdict['aim']:.2f} at most{unsure}"
    )


def as_json(bench: Bench, about: dict) -> dict:
    scenarios = {}
    for scenario in bench.scenarios:
        entry = {"what": scenario.what, "broken": bench.broken.get(scenario.name)}
        if measured(bench, scenario.name):
            micros, costs = bench.micros[scenario.name], over_base(bench, scenario.name)
            entry |= {"micros": micros, "median": statistics.median(micros), "over_none": statistics.median(costs)}
        scenarios[scenario.name] = entry
    return about | {"scenarios": scenarios, "aims": aims(bench)}


def measured(bench: Bench, name: str) -> bool:
    return name not in bench.broken and bool(bench.micros.get(name))


def over_base(bench: Bench, name: str) -> list[float]:
    """The cost over BASE in each round."""
    return paired(bench, name, BASE, lambda own, base: own - base)


def paired(bench: Bench, name: str, other: str, combine) -> list[float]:
    return [combine(*pair) for pair in zip(bench.micros[name], bench.micros[other], strict=True)]


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

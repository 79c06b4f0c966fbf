"""What an author's software says about an object, in ``contentUsage``, ``aiUsage`` or ``xRobotsTag``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.carriers import jsonld_terms
from gateway.carriers.reading import Source
from gateway.errors import BadInput
from gateway.preferences import Auth, Declarant, DeclarantKind, Preferences, Scope, Subject, combined

if TYPE_CHECKING:
    from gateway.flows.kit import Kit

TERMS = ("contentUsage", "aiUsage", "xRobotsTag")


def wished(kit: Kit, given: Mapping[str, object]) -> Preferences | None:
    """Return what the client says about this object; None when it says nothing, nothing at all for a null.

    Raises BadInput for terms that cannot be read: a wish that is not understood must not be lost silently.
    """
    if not given.keys() & set(TERMS):
        return None
    speaker = Declarant(kind=DeclarantKind.AUTHOR, id="client", auth=Auth.LOCAL)
    source = Source(subject=Subject(scope=Scope.OBJECT, ref="new"), declared_by=speaker, observed_at=kit.clock.now())
    values = jsonld_terms.TermValues(
        content_usage=given.get("contentUsage"), ai_usage=given.get("aiUsage"), x_robots_tag=given.get("xRobotsTag")
    )
    reading = jsonld_terms.parse(values, source)
    usage = given.get("aiUsage")
    wrong = [name for name in ("contentUsage", "xRobotsTag") if not isinstance(given.get(name), str | None)]
    if usage not in (None, []) and not _is_usage(usage):
        wrong.append("aiUsage")
    if reading.problems or wrong:
        shown = "; ".join([*(problem.code for problem in reading.problems), *wrong])
        raise BadInput(shown[:200], code="preferences-unreadable")
    return combined(reading.statements, at=kit.clock.now())


def _is_usage(value: object) -> bool:
    """Tell whether every word of an ``aiUsage`` is understood here: its version, its categories, its answers."""
    if not isinstance(value, Mapping) or value.get("v") != jsonld_terms.VERSION:
        return False
    prefs = value.get("prefs", {})
    return isinstance(prefs, Mapping) and Preferences.from_json(prefs).as_json() == dict(prefs)

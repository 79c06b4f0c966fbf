"""What an author's software says about an object, in ``contentUsage``, ``aiUsage`` or ``xRobotsTag``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.carriers import jsonld_terms
from gateway.carriers.reading import Reading, Source
from gateway.errors import BadInput, Text
from gateway.preferences import (
    Auth,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Subject,
    combined,
    narrowest,
    strictest,
)

if TYPE_CHECKING:
    from gateway.flows.kit import Kit

TERMS = ("contentUsage", "aiUsage", "xRobotsTag")
NOTHING_SAID: tuple[object, ...] = (None, "", [])


def wished(kit: Kit, given: Mapping[str, object], activity: Mapping[str, object] | None = None) -> Preferences | None:
    """Return what the client says about this object; None when it says nothing, nothing at all for a null.

    What stands on the ``activity`` around it counts as well. What is refused for a file goes for the post that
    shows it, where the post itself says nothing: software that changes a post repeats its files' old terms.
    Raises BadInput for terms that cannot be read or kept: no wish is lost silently.
    """
    attached = given.get("attachment")
    files = [file for file in (attached if isinstance(attached, list) else [attached]) if isinstance(file, Mapping)]
    spoken = [wish for node in (given, activity or {}) if (wish := _wish(kit, node)) is not None]
    of_files = [wish for file in files if (wish := _wish(kit, file)) is not None]
    if not spoken and not of_files:
        return None
    refused = Preferences({c: p for wish in of_files for c, p in wish.items() if p is Preference.DISALLOW})
    return narrowest([strictest(*spoken), refused])


def _wish(kit: Kit, node: Mapping[str, object]) -> Preferences | None:
    if not node.keys() & set(TERMS):
        return None
    speaker = Declarant(kind=DeclarantKind.AUTHOR, id="client", auth=Auth.LOCAL)
    source = Source(subject=Subject(scope=Scope.OBJECT, ref="new"), declared_by=speaker, observed_at=kit.clock.now())
    reading = Reading()
    for name in TERMS:
        value = node.get(name)
        if value not in NOTHING_SAID:
            reading += _read(name, value, source)
    return combined(reading.statements, at=kit.clock.now())


def _read(name: str, value: object, source: Source) -> Reading:
    values = {
        "contentUsage": jsonld_terms.TermValues(content_usage=value),
        "aiUsage": jsonld_terms.TermValues(ai_usage=value),
        "xRobotsTag": jsonld_terms.TermValues(x_robots_tag=value),
    }
    reading = jsonld_terms.parse(values[name], source)
    fits = _is_usage(value) if name == "aiUsage" else isinstance(value, str) and bool(reading.statements)
    if reading.problems or not fits:
        shown = "; ".join([*(problem.code for problem in reading.problems), name])
        raise BadInput(
            shown[:200],
            code="preferences-unreadable",
            detail=Text(
                f"{name} cannot be read or kept in full; nothing was published.",
                f"{name}を読み取れないか、完全には保存できないため、公開しませんでした。",
            ),
        )
    return reading


def _is_usage(value: object) -> bool:
    """Tell whether every word of an ``aiUsage`` is understood here, and holds for everybody and for good."""
    if not isinstance(value, Mapping) or value.get("v") != jsonld_terms.VERSION:
        return False
    prefs, listed = value.get("prefs", {}), value.get("statements", [])
    if not prefs and not listed and value.get("labels"):
        return False  # labels are a short form of what the preferences say
    return _are_understood(prefs) and isinstance(listed, list) and all(_is_plain(item) for item in listed)


def _are_understood(prefs: object) -> bool:
    return isinstance(prefs, Mapping) and Preferences.from_json(prefs).as_json() == dict(prefs)


def _is_plain(statement: object) -> bool:
    """Tell whether a statement is for everybody, unconditional, and without an end: what an account can say."""
    if not isinstance(statement, Mapping) or not _are_understood(statement.get("prefs", {})):
        return False
    audience = statement.get("audience")
    is_for_all = audience is None or (isinstance(audience, Mapping) and audience.get("kind") == "any")
    return is_for_all and not statement.get("conditions") and statement.get("expires") is None

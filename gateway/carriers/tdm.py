"""TDMRep: ``tdm-reservation`` and ``tdm-policy`` as headers, meta elements and ``/.well-known/tdmrep.json``.

Source: W3C CG Final Report "TDM Reservation Protocol", 2024-05-10. One bit: it reserves more than
it names, and says 0 only when every analysis it covers is allowed.
"""

from __future__ import annotations

from gateway.carriers.path_pattern import matches
from gateway.carriers.reading import EMPTY, Reading, Source, stated, unreadable
from gateway.preferences import TRAINING, Category, Preference, Preferences

NAME = "tdm-reservation"
FILE_NAME = "tdmrep.json"
REVISION = "tdmrep-2024-05-10"
COVERED = (Category.TRAIN_GEN, Category.TRAIN_OTHER, Category.AI_INDEX, Category.TDM)
# ai-index is listed because a lone no there cannot raise the reservation.
INEXPRESSIBLE = frozenset(Category) - {*TRAINING, Category.TDM}
MAX_RULES = 1000


def reservation(prefs: Preferences) -> str | None:
    """Return ``"1"``, ``"0"``, or None when neither would be true."""
    if any(prefs.disallows(category) for category in (*TRAINING, Category.TDM)):
        return "1"
    return "0" if all(prefs.allows(category) for category in COVERED) else None


def parse(value: object, source: Source, *, carrier: str = NAME) -> Reading:
    """Read one reservation value: 1 or 0, as number or text; anything else is unset."""
    bit = value.strip() if isinstance(value, str) else value
    if isinstance(bit, (bool, float)) or bit not in ("0", "1", 0, 1):
        return EMPTY
    said = Preference.DISALLOW if bit in ("1", 1) else Preference.ALLOW
    prefs = Preferences(dict.fromkeys(COVERED, said))
    return stated(source, carrier=carrier, revision=REVISION, prefs=prefs, raw=str(bit))


def render_file(prefs: Preferences, policy_url: str) -> list[dict[str, object]]:
    """Return the JSON array of ``/.well-known/tdmrep.json`` for a whole site."""
    value = reservation(prefs)
    if value is None:
        return []
    rule: dict[str, object] = {"location": "/", "tdm-reservation": int(value)}
    if value == "1":
        rule["tdm-policy"] = policy_url
    return [rule]


def parse_file(document: object, source: Source, path: str = "/") -> Reading:
    """Read the file for one path: it must be an array, the first matching location decides."""
    if not isinstance(document, list):
        return unreadable(FILE_NAME, "not-an-array", type(document).__name__)
    for rule in document[:MAX_RULES]:
        if isinstance(rule, dict) and isinstance(rule.get("location"), str) and matches(rule["location"], path):
            return parse(rule.get("tdm-reservation"), source, carrier=FILE_NAME)
    return EMPTY

"""Who a key speaks for: only an actor whose own document, fetched at exactly its own id, lists it.

Source: FEP-fe34 and the swicg report on HTTP signatures. The key document's own claim about its
owner is a hint about where to look, never proof (CVE-2026-96625).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.clock import parse_rfc3339
from gateway.signatures.keys import PublicKey, WeakKey, load_multikey, load_public_pem
from gateway.urls import same_origin, try_origin, without_fragment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_KEYS = 10
ACTOR_TYPES = frozenset({"Application", "Group", "Organization", "Person", "Service"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """One key an actor document lists."""

    id: str
    owner: str
    public: PublicKey


def may_speak(key_id: str, actor: str) -> bool:
    """Tell whether a key id can belong to ``actor`` at all: both http(s) URLs of one origin."""
    return same_origin(key_id, actor)


def listed_keys(actor: Mapping[str, object], now: datetime | None = None) -> tuple[ListedKey, ...]:
    """Return the usable keys in ``publicKey`` and ``assertionMethod`` of an actor document.

    Keys that are weak, foreign, revoked, expired at ``now`` or owned by somebody else are left out; more
    than ten are none.
    """
    return tuple(_usable(actor, now))


def _usable(actor: Mapping[str, object], now: datetime | None, key_id: str | None = None) -> Iterator[ListedKey]:
    """Yield the usable keys of an actor document, or of them only the one that is asked for."""
    actor_id = actor.get("id")
    entries = [*_entries(actor.get("publicKey")), *_entries(actor.get("assertionMethod"))]
    if not isinstance(actor_id, str) or len(entries) > MAX_KEYS:
        return
    for entry in entries:
        is_wanted = key_id is None or entry.get("id") == key_id
        if is_wanted and _is_living(entry, now) and (key := _listed(entry, actor_id)) is not None:
            yield key


def _is_living(entry: Mapping[str, object], now: datetime | None) -> bool:
    """Tell whether a key is neither revoked nor expired (W3C Controlled Identifiers, section 2.2)."""
    if "revoked" in entry:
        return False
    expires = parse_rfc3339(entry.get("expires"))
    return "expires" not in entry or (expires is not None and (now is None or now < expires))


def _entries(value: object) -> list[Mapping[str, object]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping)]


def _listed(entry: Mapping[str, object], actor_id: str) -> ListedKey | None:
    key_id = entry.get("id")
    if not isinstance(key_id, str) or {
        entry[name] for name in ("owner", "controller") if name in entry and isinstance(entry[name], str)
    } != {actor_id}:
        return None
    if not same_origin(key_id, actor_id):
        return None
    try:
        if "publicKeyPem" in entry:
            public = load_public_pem(entry["publicKeyPem"])
        else:
            public = load_multikey(entry.get("publicKeyMultibase"))
    except WeakKey:
        return None
    return ListedKey(id=key_id, owner=actor_id, public=public)


def find(actor: Mapping[str, object], fetched_from: str, key_id: str, now: datetime | None = None) -> ListedKey | None:
    """Return the key ``key_id`` when the actor fetched from ``fetched_from`` lists it as its own.

    ``fetched_from`` is the final URL after redirects; it must be the actor's id (rule 5).
    """
    if actor.get("id") != without_fragment(fetched_from) or not is_actor(actor):
        return None
    return next(_usable(actor, now, key_id), None)


def is_actor(document: Mapping[str, object]) -> bool:
    """Tell whether ``document`` has one of the five actor types and an inbox on its own origin."""
    kinds = document.get("type")
    types = kinds if isinstance(kinds, list) else [kinds]
    inbox = document.get("inbox")
    return any(isinstance(t, str) and t in ACTOR_TYPES for t in types) and same_origin(inbox, document.get("id"))


def owner_hint(document: Mapping[str, object]) -> str | None:
    """Return which actor a key document points at: a stub actor's id, or the key's owner."""
    if try_origin(document.get("id")) is not None and is_actor(document):
        return str(document["id"])
    nested = document.get("publicKey")
    if isinstance(nested, Mapping):
        owner = nested.get("owner", document.get("id"))
    else:
        owner = document.get("owner", document.get("controller"))
    return owner if isinstance(owner, str) and try_origin(owner) is not None else None

"""Object integrity proofs on everything of ours that goes out (FEP-8b32): the author's key over the author's words.

A proof is made over the finished document, labels included, so that whoever passes it on passes the labels on
as they were. An embedded object of ours carries a proof of its own, under the context of the whole; the items of
a collection are covered by the collection's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.actor import ed25519_id
from gateway.activitypub.properties import only_id
from gateway.clock import parse_rfc3339
from gateway.errors import MalformedDocument
from gateway.signatures import proof
from gateway.urls import same_origin

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.signatures.keys import PrivateKey

INNER = "object"
MAX_REMEMBERED = 16 * 1024  # bytes of a document whose proof is remembered


def vouched(kit: Kit, document: Mapping[str, object]) -> dict[str, object]:
    """Return a finished document (with its context) with the proofs of those of ours who speak in it.

    Raises MalformedDocument for numbers that have no canonical form (beyond 53 bits).
    """
    try:
        return _signed(kit, document, document["@context"])
    except ValueError as error:
        raise MalformedDocument(f"no canonical form: {error}") from error


def _signed(kit: Kit, node: Mapping[str, object], context: object) -> dict[str, object]:
    embedded = node.get(INNER)
    whole = dict(node)
    if isinstance(embedded, Mapping):
        whole[INNER] = _signed(kit, embedded, context)
    owner = _owner(kit, whole)
    if owner is None:
        return whole
    bare = {name: value for name, value in whole.items() if name != "proof"}
    key = kit.keyring.get(owner, "ed25519")
    return {**bare, "proof": _proof({"@context": context, **bare}, key, ed25519_id(owner), _when(kit, bare))}


def _proof(document: Mapping[str, object], key: PrivateKey, method: str, when: datetime) -> object:
    """Return the proof of a document, remembered: many ask for the same words, and their proof is the same."""
    try:
        body = orjson.dumps(document)
    except TypeError:  # a number that is none of JSON's
        return proof.attach(document, key, method, when)["proof"]
    remembered = _known_proof if len(body) <= MAX_REMEMBERED else _known_proof.__wrapped__
    return remembered(body, key, method, when)


@functools.lru_cache(maxsize=512)
def _known_proof(body: bytes, key: PrivateKey, method: str, when: datetime) -> object:
    return proof.attach(orjson.loads(body), key, method, when)["proof"]


def _owner(kit: Kit, node: Mapping[str, object]) -> str | None:
    """Return which of ours speaks in a document of ours; None for what is not ours to vouch for."""
    own = node.get("id")
    if not isinstance(own, str) or not same_origin(own, kit.base):
        return None
    named = only_id(node.get("actor", node.get("attributedTo", own)))
    account = kit.store.accounts.by_id(named) if named is not None else None
    if account is not None:
        return account.id
    grave = kit.store.objects.get(own) if named == own else None  # a Tombstone names nobody
    return grave.owner if grave is not None and grave.local else None


def _when(kit: Kit, node: Mapping[str, object]) -> datetime:
    """Return the time of a proof: that of the words, so that the same words have the same proof; else this hour."""
    stated = (parse_rfc3339(node.get(name)) for name in ("updated", "deleted", "published"))
    return next((moment for moment in stated if moment is not None), _this_hour(kit.clock.now()))


def _this_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)

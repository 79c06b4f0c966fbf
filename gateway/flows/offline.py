"""Keys for judging without the network: what the developer gave, what was captured, what this gateway knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.activitypub.actor import keys_of
from gateway.errors import MalformedDocument
from gateway.flows.profile import profile_of
from gateway.signatures import owner
from gateway.signatures.keys import WeakKey, load_multikey, load_public_pem
from gateway.signatures.owner import ListedKey
from gateway.urls import same_origin, without_fragment

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.flows.kit import Kit


class Keys:
    """Where keys come from offline: what the developer gave, what was captured, what this gateway knows."""

    def __init__(self, kit: Kit, given: object = None) -> None:
        """Take key documents (see ``find``) that go before everything else."""
        self._kit = kit
        self._given = given

    def find(
        self, key_id: str, actor: str | None, captured: object, now: datetime, *, is_for_us: bool = True
    ) -> tuple[ListedKey | None, str | None]:
        """Return a key and where it came from.

        Key documents are actors, a list of actors, or an object from key id to PEM or Multikey. ``is_for_us``:
        the request was sent to this gateway, where no activity comes from ourselves.
        """
        for source, documents in (("given", self._given), ("capture", captured)):
            key = _among(documents, key_id, actor, now)
            if key is not None:
                return key, source
        if same_origin(key_id, self._kit.base):
            if actor is not None and is_for_us:
                return None, None
            account = self._kit.store.accounts.by_id(without_fragment(key_id))
            listed = _own(self._kit, account) if account is not None else ()
            return next(((key, "own") for key in listed if key.id == key_id), (None, None))
        relations = self._kit.store.relations
        known = relations.actor(actor) if actor is not None else relations.actor_of_key(key_id)
        key = owner.find(known.document, known.id, key_id, now) if known is not None else None
        return key, "known" if key is not None else None


def _own(kit: Kit, account: Any) -> tuple[ListedKey, ...]:
    return owner.listed_keys({**keys_of(profile_of(kit, account)), "id": account.id})


def _among(documents: object, key_id: str, actor: str | None, now: datetime) -> ListedKey | None:
    for document in documents if isinstance(documents, list) else [documents]:
        if not isinstance(document, Mapping):
            continue
        if "id" in document and owner.is_actor(document):
            speaks = actor in (None, document["id"])  # a neighbour's key does not speak for the actor
            found = owner.find(document, str(document["id"]), key_id, now) if speaks else None
        else:
            found = _bare(document.get(key_id), key_id, actor)
        if found is not None:
            return found
    return None


def _bare(text: object, key_id: str, actor: str | None) -> ListedKey | None:
    """Return a key given without its owner's document: it is taken for the actor's, when it can be."""
    if text is None:
        return None
    speaks_for = actor if actor is not None and owner.may_speak(key_id, actor) else without_fragment(key_id)
    try:
        public = load_public_pem(text) if "-----" in str(text) else load_multikey(text)
    except WeakKey as error:
        raise MalformedDocument(f"key {key_id}: {error}") from error
    return ListedKey(id=key_id, owner=speaks_for, public=public)

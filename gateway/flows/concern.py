"""Whether an arrival is about something of ours, which may be a few documents away (section 7.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.properties import id_of
from gateway.errors import BadUrl, GatewayError
from gateway.flows import discover
from gateway.flows.see import may_see
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit

MAX_DEPTH = 3
MAX_FETCHES = 3  # documents nobody here has seen, on the way to something of ours
MAX_LINKS = 32
MAX_SEEN = 64  # documents looked at in one search
LINKS = ("inReplyTo", "object", "target", "tag")


class Search:
    """Looks for an object of ours behind the links of a document."""

    def __init__(self, kit: Kit, sender: str) -> None:
        self._kit = kit
        self._sender = sender
        self._fetches = 0
        self._seen: set[str] = set()

    async def concerns_us(self, document: Mapping[str, object], depth: int) -> bool:
        """Tell whether what a document links to is an object of ours, a few steps away at most."""
        for name, item in _links(document):
            linked = id_of(item)
            if linked is not None:
                if linked in self._seen or len(self._seen) >= MAX_SEEN:
                    continue
                self._seen.add(linked)
            stored = self._kit.store.objects.get(linked) if linked is not None else None
            if stored is not None and stored.local:
                if may_see(self._kit, stored, self._sender):
                    return True
                continue
            if depth == 0:
                continue
            inner = item if isinstance(item, Mapping) else stored.document if stored is not None else None
            if inner is None and linked is not None and name != "tag":  # a tag names people, not what is answered
                inner = await self._fetched(linked)
            if inner is not None and await self.concerns_us(inner, depth - 1):
                return True
        return False

    async def _fetched(self, url: str) -> Mapping[str, object] | None:
        if self._fetches >= MAX_FETCHES or same_origin(url, self._kit.base):
            return None
        self._fetches += 1
        try:
            return (await discover.document_at(self._kit, url))[0]
        except (GatewayError, BadUrl):
            return None


def _links(document: Mapping[str, object]) -> list[tuple[str, object]]:
    values = [(name, document.get(name)) for name in LINKS]
    found = [(name, item) for name, value in values for item in (value if isinstance(value, list) else [value])]
    return found[:MAX_LINKS]

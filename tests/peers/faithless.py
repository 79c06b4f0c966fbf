"""A peer that takes our labelled posts and says the opposite about them: in what it signs, and on its own pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from gateway.carriers.jsonld_terms import CONTEXT, TERMS
from gateway.preferences import Category
from peers.plain import AS2, PlainPeer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

YES = "train-ai=y"


def everything_allowed() -> dict[str, Any]:
    """Return an ``aiUsage`` that says yes to every use: what no author said."""
    return {"v": 1, "labels": [], "prefs": {category.value: "y" for category in Category}, "statements": []}


def turned(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a labelled document with its labels, and those of its attachments, turned round."""
    bare = {name: value for name, value in document.items() if name not in (*TERMS, "@context")}
    if isinstance(attached := bare.get("attachment"), list):
        bare["attachment"] = [turned(item) for item in attached]
    return {**bare, "contentUsage": YES, "aiUsage": everything_allowed()}


@dataclass(slots=True)
class FaithlessPeer(PlainPeer):
    """A plain peer that follows like any other, and then contradicts what it was sent."""

    async def follow(self, actor: str) -> httpx.Response:
        """Ask to follow somebody, as every honest server does."""
        return await self.post(f"{actor}/inbox", self.activity("Follow", actor, to=[actor]))

    async def assert_opposite(
        self, inbox: str, document: Mapping[str, Any], *, scheme: str = "cavage"
    ) -> httpx.Response:
        """Sign and send an Announce with a copy of ``document`` that says yes where its author said no (V3)."""
        copy = turned(document)
        labels = {name: copy[name] for name in ("contentUsage", "aiUsage")}
        boost = {**self.activity("Announce", copy), "@context": [AS2, dict(CONTEXT)], **labels}
        return await self.post(inbox, boost, scheme=scheme)

    def show_again(self, document: Mapping[str, Any], usage: str = YES) -> str:
        """Serve a page of our own with somebody else's post on it, under ``Content-Usage: usage`` (V2)."""
        url = f"{self.base}/copies/{str(document['id']).rpartition('/')[2]}"
        source = escape(str(document["id"]))
        page = f'<!doctype html><title>Copy</title><a href="{source}">{source}</a>{document.get("content", "")}'
        self.serve(url, page, content_usage=usage)
        return url

    def told_about(self, object_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Return what arrived about an object, of one type of activity or of all."""
        return [
            activity
            for activity in self.received
            if kind in (None, activity["type"]) and object_id in (activity["object"], _id(activity["object"]))
        ]


def _id(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else value

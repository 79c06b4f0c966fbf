"""Feeds: full content, the same bytes for the same content, preferences per feed and entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.sanitise import plain
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.feeds import atom
from gateway.flows import stating
from gateway.web.access import account_of
from gateway.web.context import kit_of, state_preferences
from gateway.web.respond import with_etag

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.flows.kit import Kit
    from gateway.store.objects import Stored

LENGTH = 30
TITLE = 80
MINUTES = "max-age=300"


async def account_atom(request: Request) -> Response:
    """Show an account's public posts as Atom."""
    kit, account = kit_of(request), account_of(request)
    page = f"{kit.base}/@{account.name}"
    posts = [post for post in kit.store.objects.by_owner(account.id, limit=LENGTH) if post.visibility == "public"]
    prefs = combined_at_home(stating.actor_statements(kit, account))
    newest = max((post.updated or post.published for post in posts), default=account.updated)
    feed = atom.Feed(
        id=account.id, self_url=f"{page}.atom", page=page, title=account.display_name or account.name,
        author=account.display_name or account.name, updated=max(newest, account.updated), prefs=prefs,
        policy_url=kit.policy_url, entries=[_entry(kit, post) for post in posts],
    )  # fmt: skip
    state_preferences(request, prefs)
    return with_etag(request, atom.render(feed), atom.CONTENT_TYPE, {"cache-control": MINUTES})


def _entry(kit: Kit, post: Stored) -> atom.Entry:
    document = post.document
    text = plain(str(document.get("content", "")))
    warning = str(document.get("summary") or "")
    title = warning or (text if len(text) <= TITLE else f"{text[: TITLE - 1]}…") or "—"
    languages, tags = document.get("contentMap"), document.get("tag")
    return atom.Entry(
        id=post.id,
        page=str(document.get("url", post.id)),
        title=title,
        html=str(document.get("content", "")),
        warning=warning,
        published=post.published,
        updated=post.updated or post.published,
        prefs=post.prefs,
        media=tuple(_media(kit, item) for item in _dicts(document.get("attachment"))),
        tags=tuple(str(t["name"]).lstrip("#") for t in _dicts(tags) if t.get("type") == "Hashtag"),
        language=next(iter(languages), "") if isinstance(languages, dict) else "",
    )


def _dicts(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _media(kit: Kit, item: dict[str, object]) -> atom.Media:
    url = str(item.get("url", ""))
    stored = kit.store.objects.media(url.removeprefix(f"{kit.base}/media/").partition("/")[0])
    return atom.Media(
        url=url, media_type=str(item.get("mediaType", "")), alt=str(item.get("name", "")),
        size=stored.size if stored is not None else 0,
    )  # fmt: skip

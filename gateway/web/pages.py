"""Pages for people: start, profile, post, about, policy, federation, problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from gateway.activitypub.actor import IMPLEMENTS
from gateway.activitypub.properties import ids_of, text_of
from gateway.activitypub.sanitise import plain
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import SPECIAL_CODES, GatewayError, Gone, NotFound
from gateway.flows import grant, stating
from gateway.policy.reasons import SENTENCES, Reason
from gateway.preferences import strictest
from gateway.urls import same_origin, to_uri, try_origin
from gateway.web import feeds
from gateway.web.access import account_of, check_visible
from gateway.web.context import kit_of, language_of
from gateway.web.messages import ACTIVITIES
from gateway.web.templates import PAGES, render

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.errors import Text
    from gateway.flows.kit import Kit
    from gateway.preferences import Preferences
    from gateway.store.objects import Stored

SHOWN = 20
MAX_FILES = 32
HEADERS = {"vary": "Accept, Accept-Language", "cache-control": "private, no-cache"}


def page(
    request: Request, name: str, values: dict[str, object], prefs: Preferences | None = None, status: int = 200
) -> Response:
    """Return a page; ``prefs`` are what it states about its content, the instance's own when left out."""
    return HTMLResponse(render(request, name, values, prefs), status, HEADERS)


async def home(request: Request) -> Response:
    """Show who publishes here."""
    kit = kit_of(request)
    accounts = [account for account in kit.store.accounts.all() if account.discoverable]
    return page(request, "home.html", {"accounts": accounts, "domain": kit.settings.domain})


async def profile(request: Request) -> Response:
    """Show an account with its posts and what it asks; its feed to who asks for one."""
    if "application/atom+xml" in request.headers.get("accept", ""):
        feed = await feeds.account_atom(request)
        feed.headers["vary"] = "Accept"  # at this address others get a page
        return feed
    kit, account = kit_of(request), account_of(request)
    posts = [_shown(kit, post) for post in kit.store.objects.by_owner(account.id, limit=SHOWN)]
    prefs = combined_at_home(stating.actor_statements(kit, account))
    values = {"account": account, "posts": posts, "domain": kit.settings.domain}
    return page(request, "profile.html", values, prefs)


async def post(request: Request) -> Response:
    """Show one open post with what its author asks."""
    kit, account = kit_of(request), account_of(request)
    stored = check_visible(kit, kit.store.objects.get(f"{kit.base}/posts/{request.path_params['tid']}"), None)
    if stored.owner != account.id:
        raise NotFound("a post of somebody else")
    if stored.deleted is not None:
        raise Gone(stored.id)
    replies = [_shown(kit, reply) for reply in kit.store.objects.replies(stored.id)]
    values = {"account": account, "post": _shown(kit, stored), "replies": replies, "domain": kit.settings.domain}
    return page(request, "post.html", values, stored.prefs)


def _shown(kit: Kit, stored: Stored) -> dict[str, object]:
    """Return what a template shows of an object; its HTML was made or cleaned here, if it is text at all."""
    document = stored.document
    page = next(iter(ids_of(document.get("url"))), "")
    warning = text_of(document, "summary")
    return {
        "id": stored.id,
        "page": page if same_origin(page, stored.id) else stored.id,
        "owner": stored.owner,
        "html": text_of(document, "content"),
        "warning": plain(warning),
        "published": stored.published,
        "edited": stored.updated is not None,
        "reply_to": to_uri(stored.in_reply_to) if stored.in_reply_to and try_origin(stored.in_reply_to) else None,
        "media": _media(kit.base, document.get("attachment")),
        "local": stored.local,
        "likes": len(kit.store.relations.interactions(stored.id, "Like")),
        "boosts": len(kit.store.relations.interactions(stored.id, "Announce")),
    }


def _media(base: str, attached: object) -> list[dict[str, object]]:
    """Return the files of an object: each member is there and of its type, each address http(s)."""
    items = attached if isinstance(attached, list) else [attached]
    return [
        {
            "url": to_uri(url),
            "ours": url.startswith(f"{base}/media/"),
            "mediaType": text_of(item, "mediaType"),
            "name": text_of(item, "name"),
            "width": item.get("width"),
            "height": item.get("height"),
        }
        for item in items[:MAX_FILES]
        if isinstance(item, Mapping)
        for url in ids_of(item.get("url"))[:1]
        if try_origin(url) is not None
    ]


async def about(request: Request) -> Response:
    """Say what this server is."""
    kit = kit_of(request)
    return page(request, "about.html", {"settings": kit.settings})


async def policy(request: Request) -> Response:
    """Say what is asked of everybody, when a peer is refused, and where to appeal."""
    kit = kit_of(request)
    reasons = [(reason.value, SENTENCES[reason].in_language(language_of(request))) for reason in Reason]
    return page(request, "policy.html", {"settings": kit.settings, "reasons": reasons})


async def federation(request: Request) -> Response:
    """Describe the protocols (FEP-67ff)."""
    return page(request, "federation.html", {"implements": IMPLEMENTS})


async def security(request: Request) -> Response:
    """Say what is defended, how that is tested, what is not promised, and how to report."""
    return page(request, "security.html", {"settings": kit_of(request).settings})


# Of tests/bench/simulation.py: followers, servers, seconds until 95 % of the well ones have it, longest queue.
_SIZES = (
    ("1,000", "609", "6 s", "6 s", "6 s", "812"),
    ("10,000", "3,668", "29 s", "29 s", "29 s", "4,891"),
    ("100,000", "16,087", "29 s", "30 s", "72 s", "21,449"),
    ("1,000,000", "29,685", "43 s", "45 s", "137 s", "39,580"),
)


async def sizing(request: Request) -> Response:
    """Show an admin what one process does, and what many followers need."""
    return page(request, "sizing.html", {"rows": _SIZES})


async def software(request: Request) -> Response:
    """Show how a community's own software publishes here."""
    client = (PAGES / "client.py.txt").read_text("utf-8")
    return page(request, "software.html", {"scopes": grant.SCOPES, "activities": ACTIVITIES, "client": client})


async def developers(request: Request) -> Response:
    """Show how to find out what a document means and why a request was refused."""
    return page(request, "developers.html", {})


async def tag(request: Request) -> Response:
    """Show the public posts of this server with a hashtag: where a hashtag's link leads."""
    kit, name = kit_of(request), request.path_params["tag"]
    posts = kit.store.objects.by_tag(name, SHOWN)
    if not posts:
        raise NotFound(f"no post here is tagged {name[:100]}")
    prefs = strictest(*(post.prefs for post in posts))
    return page(request, "tag.html", {"tag": name, "posts": [_shown(kit, post) for post in posts]}, prefs)


async def problem(request: Request) -> Response:
    """Explain a problem or reason code: the target of a problem document's ``type``."""
    code = request.path_params["code"]
    known = {**_error_titles(), **{reason.value: SENTENCES[reason] for reason in Reason}}
    if code not in known:
        raise NotFound(f"no problem is called {code[:100]}")
    document = {"title": code, "detail": known[code].in_language(language_of(request)), "code": code}
    return page(request, "problem.html", {"problem": document, "status": 0})


def _error_titles() -> dict[str, Text]:
    """Return every code of the error tree with its title, and the codes that only single places use."""
    found: dict[str, Text] = dict(SPECIAL_CODES)
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind.title
        waiting += kind.__subclasses__()
    return found

"""Looking at one document on somebody's behalf: ours from the store, others' signed as the account that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.actor import actor
from gateway.activitypub.labels import label, with_context
from gateway.activitypub.properties import only_id
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import Gone, NotFound, RemoteAnswer
from gateway.flows import discover, fetch, stating
from gateway.flows.profile import profile_of
from gateway.flows.said import limited, said_in
from gateway.flows.see import may_see, may_see_activity
from gateway.flows.vouch import vouched
from gateway.preferences import Auth, Preferences, combined
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document as its origin serves it, and the preferences that hold for it."""

    body: bytes
    prefs: Preferences


async def fetch_for(kit: Kit, account: Account, url: str) -> Found:
    """Return the ActivityStreams document at ``url`` as ``account`` may see it.

    Raises NotFound, Gone, Refused (a refused peer), BadUrl or RemoteUnreachable.
    """
    wanted = without_fragment(url)
    if same_origin(wanted, kit.base):
        ours, statements = at_home(kit, wanted, account.id)
        return Found(body=orjson.dumps(ours), prefs=combined_at_home(statements))
    try:
        document, answer = await discover.answer_at(kit, wanted, as_actor=account.id)
    except RemoteAnswer as error:
        raise (NotFound(wanted) if error.remote_status in fetch.GONE else error) from error
    author = discover.author_of(only_id(document.get("attributedTo", document.get("actor"))) or answer.url)
    said = kit.reader().whole(document, (), answer.url, author, None).statements
    heard = said_in(kit, answer.headers, answer.url, origin_of(answer.url), Auth.TLS)
    # A yes in the name of somebody on another server is nobody's.
    owner = author.id if same_origin(author.id, answer.url) else answer.url
    return Found(body=answer.body, prefs=combined(limited((*said, *heard), owner), at=kit.clock.now()))


def _is_shown(kit: Kit, sent: Sent, asker: str | None) -> bool:
    """Tell whether one of our activities is shown to ``asker``: what it is about decides, where that is ours."""
    author, about = kit.store.accounts.by_id(sent.actor), kit.store.objects.get(sent.object)
    if author is None or author.deleted is not None or (sent.undone and asker != sent.actor):
        return False
    if about is not None and about.local and sent.type in ("Create", "Update"):
        return about.deleted is None and may_see(kit, about, asker)
    return may_see_activity(kit, sent, asker)


def owner_of(kit: Kit, url: str) -> str | None:
    """Return whose one of our own objects or activities is: whoever runs the command line may see it as they do."""
    stored, sent = kit.store.objects.get(url), kit.store.objects.activity(url)
    return stored.owner if stored is not None else sent.actor if sent is not None else None


def at_home(kit: Kit, url: str, asker: str | None) -> tuple[dict[str, object], tuple[Statement, ...]]:
    """Return one of our own documents with its context, as ``asker`` may see it; raise NotFound or Gone."""
    account = kit.store.accounts.by_id(url)
    if account is not None:
        if account.deleted is not None:
            raise Gone(url)
        statements = stating.actor_statements(kit, account)
        return vouched(kit, with_context(label(actor(profile_of(kit, account)), statements), actor=True)), statements
    stored = kit.store.objects.get(url)
    if stored is not None and stored.local and may_see(kit, stored, asker):
        statements = stating.statements_about(kit, url)
        return vouched(kit, with_context(label(stating.whole_document(kit, stored), statements))), statements
    sent = kit.store.objects.activity(url)
    if sent is None or not _is_shown(kit, sent, asker):
        raise NotFound(url)
    document, statements = stating.current_document(kit, sent)
    return vouched(kit, with_context(document)), statements

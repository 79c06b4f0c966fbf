"""What holds for an object, and why: the effective preference with every statement behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import NotFound, RemoteAnswer
from gateway.flows import discover, fetch, specimen, stating
from gateway.flows.heard import heard
from gateway.flows.said import counted, limited, said_in
from gateway.preferences import Auth, Category, Effective, Scope, combine
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answers for one subject; ``fetched`` says that it was looked up just now and not kept."""

    subject: str
    consumer: str | None
    answers: tuple[Effective, ...]
    statements: tuple[Statement, ...]
    fetched: bool


async def explain(kit: Kit, url: str, *, use: Category | None = None, consumer: str | None = None) -> Explanation:
    """Return the effective preferences of an object, actor or media URL for a consumer."""
    statements, fetched = _known_statements(kit, url), False
    if statements is None:
        statements, fetched = await _fetched_statements(kit, url), True
    wanted = [use] if use is not None else list(Category)
    answers = tuple(combine(statements, category, at=kit.clock.now(), consumer=consumer) for category in wanted)
    return Explanation(subject=url, consumer=consumer, answers=answers, statements=statements, fetched=fetched)


def _known_statements(kit: Kit, url: str) -> tuple[Statement, ...] | None:
    stored = kit.store.objects.get(url)
    if stored is not None and stored.local:
        return stating.statements_about(kit, url)
    if stored is not None:
        return tuple(counted(kit, stored.document, url, stored.owner))
    account = kit.store.accounts.by_id(url)
    if account is not None:
        return kit.statements_for(account, Scope.ACTOR, url)
    if kit.store.relations.actor(url) is not None:
        return tuple(kit.store.statements.about([url, str(origin_of(url))]))
    if same_origin(url, kit.base):
        if (found := stating.media_statements(kit, url)) is None:
            raise NotFound(url)
        return found
    return tuple(kit.store.statements.about([url])) or None


async def _fetched_statements(kit: Kit, url: str) -> tuple[Statement, ...]:
    try:
        document, answer = await discover.answer_at(kit, url)
    except RemoteAnswer as error:
        if error.remote_status in fetch.GONE:
            raise NotFound(url) from error
        if error.remote_status != 200:  # noqa: PLR2004 - RFC 9110
            raise
        # No ActivityStreams: what its server says about a page or a file.
        return heard(kit, None, await specimen.fetched(kit, url))[0]
    author = discover.author_of(str(document.get("attributedTo") or answer.url))
    said = kit.reader().whole(document, (), answer.url, author, None).statements
    around = said_in(kit, answer.headers, answer.url, origin_of(answer.url), Auth.TLS)
    about_author = kit.store.statements.about([author.id])
    return tuple(limited((*said, *around, *about_author), author.id))

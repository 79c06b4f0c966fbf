"""From a handle to an actor, and back: WebFinger must loop (RFC 7033)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.activitypub.webfinger import JRD, account_of, self_link
from gateway.errors import BadInput, GatewayError, MalformedDocument, NotFound, RemoteAnswer, RemoteUnreachable, Text
from gateway.flows.discover import known_actor
from gateway.flows.fetch import GONE, elsewhere
from gateway.jsonld import strict
from gateway.net.purpose import WEBFINGER
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.store.accounts import Account
    from gateway.store.relations import RemoteActor


async def find(kit: Kit, text: str) -> str:
    """Return the id of the actor behind an actor URL or a handle, of somebody here or elsewhere; raise otherwise.

    Errors: NotFound when there is nobody, RemoteUnreachable.
    """
    if same_origin(text, kit.base):
        return here(kit, text)
    if not text.startswith(("http://", "https://")):
        found = account_of(f"acct:{text.removeprefix('@')}")
        if found is not None and found[1] in (kit.settings.domain, kit.settings.origin.authority):
            return _living(kit.store.accounts.by_name(found[0]), text)
    return (await resolve(kit, text)).id


def here(kit: Kit, url: str) -> str:
    """Return the id of the account behind one of our own addresses; raise NotFound."""
    return _living(kit.store.accounts.by_id(url) or kit.store.accounts.by_name(url.removeprefix(f"{kit.base}/@")), url)


def _living(account: Account | None, text: str) -> str:
    if account is None or account.deleted is not None or account.kind == "Application":
        raise NotFound(f"there is no account {text} here")
    return account.id


async def resolve(kit: Kit, text: str) -> RemoteActor:
    """Return the actor behind an actor URL or a handle ``@user@host``; raise otherwise.

    Errors: BadInput for somebody who lives here, NotFound when there is nobody, RemoteUnreachable.
    """
    if same_origin(text, kit.base):
        raise BadInput(text, detail=Text("This account lives here", "このサーバー内のアカウントです"))
    if text.startswith(("http://", "https://")):
        return await known_actor(kit, text)
    found = account_of(f"acct:{text.removeprefix('@')}")
    if found is None:
        raise NotFound(f"not a handle: {text}")
    name, host = found
    if host == kit.settings.domain:
        raise BadInput(text, detail=Text("This account lives here", "このサーバー内のアカウントです"))
    problem: GatewayError | None = None
    # A local gateway is for trying things out: its neighbours speak plain http.
    local = ("http", "https") if kit.settings.is_local else ("https", "http")
    for scheme in local if kit.settings.takes_http else ("https",):
        try:
            return await _by_webfinger(kit, scheme, name, host)
        except RemoteUnreachable as error:
            problem = error
    raise problem or NotFound(text)


async def _by_webfinger(kit: Kit, scheme: str, name: str, host: str) -> RemoteActor:
    """Follow WebFinger to an actor, and back: the actor's host must confirm the handle."""
    answer = await _descriptor(kit, f"{scheme}://{host}", name, host)
    if answer.status in GONE:
        raise NotFound(f"@{name}@{host} does not exist")
    if not answer.ok:
        raise RemoteAnswer(f"{answer.url}: status {answer.status}", remote_status=answer.status)
    href = _self_link(answer)
    if href is None:
        raise NotFound(f"@{name}@{host} names no actor")
    subject = _subject(answer)
    if subject not in (None, (name, host)):
        await _confirm(kit, scheme, subject, href)
    actor = await known_actor(kit, href)
    if actor.name.lower() != name:
        raise NotFound(f"{href} does not call itself {name}")
    if not same_origin(href, f"{scheme}://{host}"):
        back = await _descriptor(kit, actor.origin, name, host)
        if not back.ok or _self_link(back) != href:
            raise NotFound(f"{actor.origin} does not confirm @{name}@{host}")
    return actor


async def _confirm(kit: Kit, scheme: str, subject: tuple[str, str], href: str) -> None:
    """Ask the host of another subject whether that is so; raise NotFound when it does not say the same."""
    answer = await _descriptor(kit, f"{scheme}://{subject[1]}", *subject)
    if not answer.ok or _self_link(answer) != href or _subject(answer) != subject:
        raise NotFound(f"acct:{subject[0]}@{subject[1]} is not confirmed by its host")


async def _descriptor(kit: Kit, origin: str, name: str, host: str) -> Answer:
    """Ask an origin about an account."""
    url = f"{origin}/.well-known/webfinger?resource=acct:{quote(name, safe='')}@{host}"
    hop = functools.partial(elsewhere, kit, None)
    return await kit.client.get(url, accept=f"{JRD}, application/json", purpose=WEBFINGER, hop=hop)


def _subject(answer: Answer) -> tuple[str, str] | None:
    """Return the account that a descriptor says it is about; None when it names none."""
    subject = _read(answer).get("subject")
    try:
        return account_of(subject) if isinstance(subject, str) else None
    except BadInput as error:
        raise RemoteAnswer(f"{answer.url} is about {subject!r}"[:200], remote_status=answer.status) from error


def _self_link(answer: Answer) -> str | None:
    """Return the actor that a descriptor points at."""
    return self_link(_read(answer))


def _read(answer: Answer) -> dict[str, object]:
    """Return a descriptor; raise RemoteAnswer when it is no JSON object."""
    try:
        return strict.read_object(answer.body)
    except MalformedDocument as error:
        raise RemoteAnswer(f"{answer.url}: {error}", remote_status=answer.status) from error

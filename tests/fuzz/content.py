"""What a stranger sends as content: JSON, activities, HTML, URLs."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
from activitypub.activities import ALICE, BOB, CAROL, EVE, FAR, HOME, NOTE, NOW, PEER, POST, follow, note, ours, person
from activitypub.activities import theirs as stored_note
from fuzz.documents import document_of, same
from jsonld.loading import pinned

from gateway.activitypub import effects as fx
from gateway.activitypub import negotiation, sanitise, webfinger
from gateway.activitypub.addressing import Visibility
from gateway.activitypub.labels import Reader, context_for
from gateway.activitypub.understand import understand
from gateway.carriers.jsonld_terms import TERMS
from gateway.errors import BadInput, BadUrl, MalformedDocument, Refused
from gateway.jsonld import strict
from gateway.jsonld.contexts import AS2, PUBLIC
from gateway.preferences import Auth, Category, DeclarantKind, combined
from gateway.urls import (
    DEFAULT_PORTS,
    MAX_URL,
    is_loopback,
    normalise_host,
    origin_of,
    request_target,
    same_origin,
    to_uri,
    try_origin,
    without_fragment,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.activity import Activity

_CONTROLS = "".join(map(chr, range(33)))
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE | re.ASCII)
READER = Reader(contexts=pinned(), observed_at=NOW)


def strict_json(data: bytes) -> None:
    """Whatever the strict reader takes is what json.loads reads; whatever it refuses has one of its reasons."""
    try:
        value = strict.read(data)
    except MalformedDocument:
        _has_a_reason(data)
        return
    for loose in (json.loads(data), json.loads(data.decode("utf-8"))):
        assert same(value, loose)
    written = json.dumps(value, ensure_ascii=False).encode()
    if len(written) <= strict.MAX_BODY:
        assert same(strict.read(written), value)


def _has_a_reason(data: bytes) -> None:
    """Fail when JSON that breaks no rule of the strict reader was refused."""
    twice: list[object] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) != len(items):
            twice.append(items)
        return dict(items)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    if not twice and len(data) <= strict.MAX_BODY:
        depth, members = _measured(value)
        assert depth > strict.MAX_DEPTH or members > strict.MAX_MEMBERS - 100 or not _is_plain(value), value


def _measured(value: object) -> tuple[int, int]:
    """Return how deep a value is nested and how many members it has."""
    if not isinstance(value, dict | list):
        return 0, 1
    inside = [_measured(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + max((depth for depth, _ in inside), default=0), 1 + sum(count for _, count in inside)


def _is_plain(value: object) -> bool:
    """Tell whether every number and text can be carried by any store and any signature."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return all(_is_plain(item) for item in value) if isinstance(value, list) else True


_NAMES = (
    "id", "type", "actor", "object", "attributedTo", "to", "cc", "audience", "target", "published", "updated",
    "@context", "attachment", "url", "href", "tag", "content", "contentMap", "alsoKnownAs", "movedTo", "inReplyTo",
    "@graph", "@id", "@type", "name", *TERMS, "v", "prefs", "train-gen", "search",
)  # fmt: skip
_VALUES = (
    f"{PEER}/activities/1", BOB, NOTE, BOB, NOTE, EVE, CAROL, FAR, ALICE, POST, PUBLIC, f"{BOB}/followers", AS2,
    context_for()[-1], "Create", "Update", "Delete", "Follow", "Accept", "Reject", "Announce", "Like", "Undo", "Block",
    "Flag", "Move", "Note", "Person", "Document", "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z", "train-ai=n",
    "train-ai=y", "noai", "https://w3id.org/security/v1", "as:Public",
)  # fmt: skip
_STORED = (None, stored_note(), stored_note(owner=EVE), stored_note(deleted=True), ours(), None)
_FOLLOWS = (None, follow(), follow("pending", BOB, ALICE), follow("accepted", ALICE, EVE))
_FETCHED: tuple[Mapping[str, Mapping[str, object]], ...] = (
    {},
    {NOTE: note(), FAR: note(FAR, CAROL)},
    {NOTE: note(author=EVE), FAR: note(FAR, BOB)},
    {FAR: note("https://far.example/notes/1", CAROL, to=[CAROL]), CAROL: person(alsoKnownAs=[BOB])},
    {CAROL: person(alsoKnownAs=EVE), NOTE: note(NOTE, [BOB, EVE])},
)


def activity(data: bytes) -> None:
    """What is known (3 bytes), then an activity: understood or refused, and nothing done that is not its actor's."""
    document = document_of(data[3:], _NAMES, _VALUES)
    if document is None:
        return
    try:
        understood, _ = understand(document, data, READER)
    except (MalformedDocument, Refused):
        return
    assert same_origin(understood.id, understood.actor)
    _words_are_safe(understood)
    known = _known((data[:3] + b"\0\0\0")[:3])
    found = fx.effects(understood, known)
    assert found
    assert len(found) == 1 or not any(isinstance(effect, fx.Fetch | fx.Ignore) for effect in found)
    for effect in found:
        _is_own(effect, understood, known)


def _known(code: bytes) -> fx.Known:
    flags, stored, rest = code
    return fx.Known(
        now=NOW,
        base=HOME,
        stored=_STORED[stored % len(_STORED)],
        follow=_FOLLOWS[stored // 8 % len(_FOLLOWS)],
        fetched=_FETCHED[rest % len(_FETCHED)],
        unavailable=frozenset({NOTE, FAR} if rest > 200 else ()),
        undone_activity=({"type": "Like", "actor": EVE, "object": POST}, {"type": "Follow", "actor": BOB}, None)[
            rest // 8 % 3
        ],
        object_actor_is_local=bool(flags & 1),
        approves=bool(flags & 2),
        moved=flags & 12 == 12,
        blocks_sender=flags & 24 == 24,
        undone=flags & 48 == 48,
        object_undone=flags & 96 == 96,
        follows_sender=bool(flags & 128),
        addresses_local=bool(stored & 128),
    )


def _is_own(effect: fx.Effect, done: Activity, known: fx.Known) -> None:
    """Check one effect against FEP-fe34: only what is the actor's own changes, but for posts met at their origin."""
    actor = done.actor
    match effect:
        case fx.KeepObject(by_author=True):
            assert effect.owner == actor == effect.document["attributedTo"] or effect.document["attributedTo"] == [
                actor
            ]
            assert same_origin(effect.document["id"], actor)
        case fx.KeepObject():
            assert not effect.embedded
            assert same_origin(effect.document["id"], effect.owner)
            assert effect.visibility in (Visibility.PUBLIC, Visibility.UNLISTED)
        case fx.BuryObject():
            assert known.stored is not None
            assert known.stored.owner == effect.owner == actor
            assert not known.stored.local
        case fx.KeepActor() | fx.DropActor():
            assert effect.id == actor
        case fx.RecordFollow():
            assert (effect.follower, effect.activity) == (actor, done.id)
        case fx.SettleFollow():
            assert effect.followed == actor
            assert known.follow is not None
            assert known.follow.follower == effect.follower
        case fx.ForgetFollow():
            assert actor in (effect.follower, effect.followed)
        case fx.Answer():
            assert (effect.to, effect.actor) == (actor, done.object_id)
        case fx.RecordInteraction() | fx.ForgetInteraction() | fx.RememberUndone():
            assert effect.actor == actor
        case fx.RecordBlock() | fx.ForgetBlock():
            assert effect.blocker == actor
        case fx.RecordReport():
            assert effect.reporter == actor
            assert all(same_origin(item, known.base) for item in effect.objects)
        case fx.MoveFollowers():
            assert effect.old == actor
            assert actor in str(known.fetched[effect.new]["alsoKnownAs"])


def _words_are_safe(done: Activity) -> None:
    """Check that only the signer's words are proven, and that a plain no on the object is never read as a yes."""
    for statement in done.statements:
        if statement.declared_by.auth is not Auth.NONE:
            is_signer = statement.declared_by.id == done.actor
            assert is_signer or statement.declared_by.kind is DeclarantKind.INSTANCE
    if done.object is not None and done.object_id and done.object.get("contentUsage") == "train-ai=n":
        about = [statement for statement in done.statements if statement.subject.ref == done.object_id]
        assert combined(about, at=NOW).disallows(Category.TRAIN_GEN)


class _Seen(HTMLParser):
    """Looks at HTML as a browser would and refuses what a post must not hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in sanitise.TAGS, tag
        allowed = sanitise._ATTRIBUTES.get(tag, set()) | {"lang", "title"} | ({"rel"} if tag == "a" else set())
        for name, value in attrs:
            assert name in allowed, (tag, name)
            if name == "href":
                # Browsers leave out controls before an address, and tabs and line ends anywhere in it.
                scheme = _SCHEME.match(re.sub(r"[\t\r\n]", "", value or "").lstrip(_CONTROLS))
                assert scheme is None or scheme[1].lower() in ("http", "https", "mailto"), value

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def html(data: bytes) -> None:
    """HTML of a stranger: cut down to what a post needs."""
    text = data.decode("utf-8", "replace")
    cleaned = sanitise.clean(text)
    _looked_at(cleaned)
    assert "\n" not in sanitise.plain(text)
    if len(data) % 8 == 0:
        document = {"object": [{"contentMap": {"ja": [text]}}], "source": text}
        assert sanitise.clean_document(document) == {"object": [{"contentMap": {"ja": [cleaned]}}], "source": text}


def text(data: bytes) -> None:
    """What a person wrote: made HTML that holds links and nothing else."""
    written = data.decode("utf-8", "replace")
    mentioned = dict.fromkeys(sanitise.mentions_in(written), BOB)
    _looked_at(sanitise.to_html(written, mentioned, f"{HOME}/tags/"))
    assert all(name and "#" not in name for name in sanitise.hashtags_in(written))


def _looked_at(made: str) -> None:
    seen = _Seen()
    seen.feed(made)
    seen.close()


def url(data: bytes) -> None:
    """A URL, host, account or media range: BadUrl or one normal form, and the same host as whoever dials it sees."""
    text = data.decode("utf-8", "replace")
    try:
        host = normalise_host(text)
    except BadUrl:
        pass
    else:
        assert normalise_host(f"[{host}]" if ":" in host else host) == host
        assert host.isascii()
        assert host == host.lower()
        is_loopback(host)
    try:
        origin = origin_of(text)
    except BadUrl:
        assert try_origin(text) is None
        assert not same_origin(text, text)
    else:
        _is_one_form(text, str(origin))
    try:
        account = webfinger.account_of(text)
    except BadInput:
        account = None
    if account is not None:
        name, host = account
        assert webfinger.account_of(f"acct:{name}@{host}") == account
    negotiation.wants_html(text)
    negotiation.wants_profiled(text)
    assert not negotiation.is_activity_type(text) or "activity+json" in text.lower() or AS2 in text


def _is_one_form(text: str, origin: str) -> None:
    assert str(origin_of(origin)) == origin
    assert same_origin(text, origin)
    assert same_origin(origin, text)
    assert request_target(text).startswith(("/", "?"))
    uri = to_uri(without_fragment(text))
    assert uri.isascii()
    assert to_uri(uri) == uri
    if len(uri) > MAX_URL:  # escapes made it too long: whoever is given it refuses it
        return
    assert str(origin_of(uri)) == origin
    try:
        dialled = httpx.URL(uri)
    except httpx.InvalidURL:
        return
    seen = origin_of(uri)
    port = dialled.port or DEFAULT_PORTS[dialled.scheme]
    assert (dialled.scheme, normalise_host(_bracketed(dialled.host)), port) == (seen.scheme, seen.host, seen.port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""One page of a peer: what it says in headers, page or document, and which of our objects it shows.

A page shows an object when it is that object: its canonical address, or its text beside its address,
or an admin names the page. A link, a quotation or an answer is a page of the peer's own.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.sanitise import plain
from gateway.carriers import html_meta, http_headers, robots_txt, tdm
from gateway.carriers.reading import Reading, Source
from gateway.errors import BadUrl, GatewayError, MalformedDocument
from gateway.flows.accuse import contradictions_in
from gateway.flows.fetch import elsewhere
from gateway.ids import ALPHABET, LENGTH
from gateway.jsonld import strict
from gateway.net.purpose import PAGE
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject
from gateway.urls import Origin, origin_of, request_target

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer

MAX_SHOWN = 8
MIN_TEXT = 5  # shorter texts stand on too many pages by chance
ACCEPT = "text/html, application/activity+json;q=0.9, */*;q=0.5"
_CANONICAL = re.compile(r"<(?:link|meta)\b[^<>]{0,300}(?:canonical|og:url)[^<>]{0,300}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One surface: what it answered, what it states about itself, which of our objects it shows.

    ``inside`` are contradictions about our objects in a document that it serves.
    """

    url: str
    status: int
    sha256: str
    reading: Reading
    shows: tuple[str, ...]
    inside: tuple[dict[str, object], ...]


async def look_at(kit: Kit, origin: Origin, url: str, *, named: bool = False) -> Look | None:
    """Fetch one page without a signature, as anybody would; None when it is not the peer's own answer."""
    try:
        answer = await kit.client.get(url, accept=ACCEPT, purpose=PAGE, hop=functools.partial(elsewhere, kit, origin))
    except (GatewayError, BadUrl):
        return None
    if origin_of(answer.url) != origin:
        return None
    digest = hashlib.sha256(answer.body).hexdigest()
    if not answer.ok:
        return Look(url=url, status=answer.status, sha256=digest, reading=Reading(), shows=(), inside=())
    text = answer.body.decode("utf-8", "replace")
    document = _document(answer)
    speaker = Declarant(kind=DeclarantKind.INSTANCE, id=str(origin), auth=Auth.TLS)
    source = Source(subject=Subject(scope=Scope.PATH, ref=answer.url), declared_by=speaker, observed_at=kit.clock.now())
    try:
        inside = contradictions_in(kit, document, speaker) if isinstance(document, dict) else []
    except MalformedDocument:
        inside = []  # made to be unreadable: the other pages are looked at all the same
    shows = _is_ours(kit, document) if document is not None else _shown(kit, text, named=named)
    return Look(
        url=url, status=answer.status, sha256=digest, reading=_read(answer, text, document, source),
        shows=shows[:MAX_SHOWN], inside=tuple(inside),
    )  # fmt: skip


def _media(answer: Answer) -> str:
    return (answer.header("content-type") or "").partition(";")[0].strip().lower()


def _document(answer: Answer) -> object:
    if "json" not in _media(answer):
        return None
    try:
        return strict.read(answer.body)
    except MalformedDocument:
        return None


def _read(answer: Answer, text: str, document: object, source: Source) -> Reading:
    """Return what headers and page say about themselves."""
    reading = http_headers.parse(answer.headers, source)
    path = request_target(answer.url)
    if path == "/robots.txt":
        return reading + robots_txt.parse(text, source)
    if path == "/.well-known/tdmrep.json":
        return reading + tdm.parse_file(document, source)
    return reading + html_meta.parse(text, source) if "html" in _media(answer) else reading


def _is_ours(kit: Kit, document: object) -> tuple[str, ...]:
    """Return our object's id when the document is a copy of it."""
    found = document.get("id") if isinstance(document, dict) else None
    return (found,) if isinstance(found, str) and kit.store.objects.owned_local_ids([found]) else ()


def _shown(kit: Kit, text: str, *, named: bool) -> tuple[str, ...]:
    """Return the ids of our objects that a page shows, not merely mentions."""
    address = rf"{re.escape(kit.base)}/(?:posts|@[A-Za-z0-9_.-]+)/([{ALPHABET}]{{{LENGTH}}})"
    mentioned = {f"{kit.base}/posts/{tid}" for tid in re.findall(address, text)}
    canonical = {f"{kit.base}/posts/{tid}" for tag in _CANONICAL.findall(text) for tid in re.findall(address, tag)}
    words = plain(text) if mentioned else ""
    return tuple(sorted(ref for ref in mentioned if named or ref in canonical or _repeats(kit, ref, words)))


def _repeats(kit: Kit, ref: str, words: str) -> bool:
    """Tell whether a page's text contains the whole text of one of our objects."""
    stored = kit.store.objects.get(ref)
    text = plain(str(stored.document.get("content", ""))) if stored is not None else ""
    return len(text) >= MIN_TEXT and text in words

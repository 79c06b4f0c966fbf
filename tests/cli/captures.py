"""Captured requests, valid and broken in one way each, and the four forms in which developers have them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from peers.plain import ACTIVITY_JSON, AS2, PUBLIC, Actor
from signatures import crafting
from signatures.crafting import ACTOR, EPOCH, INBOX, KEY_ID, NOW, OTHER_RSA, RSA, with_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.signatures.keys import PrivateKey
    from gateway.signatures.request import SignedRequest

ORIGIN = "https://gw.example"
FORMS = ("http", "har", "json", "jsonl")
BOB = Actor(ACTOR, "bob", RSA, crafting.ED25519)
CAROL = Actor("https://peer.example/users/carol", "carol", OTHER_RSA, crafting.ED25519)
MALLORY = Actor("https://evil.example/users/mallory", "mallory", OTHER_RSA, crafting.ED25519)
ACTORS = (BOB, CAROL, MALLORY)
CREATE = {
    "@context": AS2,
    "id": "https://peer.example/activities/1",
    "type": "Create",
    "actor": ACTOR,
    "to": [PUBLIC],
    "object": {"id": "https://peer.example/notes/1", "type": "Note", "attributedTo": ACTOR, "content": "日本語"},
}
BODY = json.dumps(CREATE, ensure_ascii=False).encode()
DATED = crafting.POST_COVERED
CREATED = ("(request-target)", "host", "(created)", "digest")
WHOLE = ('"@method"', '"@target-uri"', '"content-digest"')
STAMP = f';created={EPOCH};keyid="{KEY_ID}"'


def plain(body: bytes = BODY, **headers: str) -> SignedRequest:
    """Return an unsigned POST to the inbox; ``headers`` replace or (empty) remove its fields."""
    return crafting.plain(body=body, **{"content_type": ACTIVITY_JSON, **headers})


def cavage(
    request: SignedRequest | None = None, covered: Sequence[str] | None = None, key: PrivateKey = RSA, **given: Any
) -> SignedRequest:
    """Return a POST signed with draft-cavage; ``given`` replace or (None) remove parameters."""
    return crafting.cavage(request or plain(), covered, key, given)


def message(
    request: SignedRequest | None = None, covered: Sequence[str] | None = WHOLE, key: PrivateKey = RSA,
    parameters: str = STAMP,
) -> SignedRequest:  # fmt: skip
    """Return a POST signed with RFC 9421."""
    return crafting.message(request or plain(), covered, key, parameters)


def look(scheme: str, target: str = "https://gw.example/users/alice/outbox?page=1") -> SignedRequest:
    """Return a signed GET."""
    request = crafting.plain("GET", target, accept=ACTIVITY_JSON)
    return crafting.cavage(request) if scheme == "cavage" else crafting.message(request)


VALID: dict[str, Callable[[], SignedRequest]] = {
    "cavage": cavage,
    "cavage-created": lambda: cavage(covered=CREATED, algorithm="hs2019", created=EPOCH),
    "rfc9421": message,
    "rfc9421-ed25519": lambda: message(
        key=crafting.ED25519, parameters=f';created={EPOCH};keyid="{ACTOR}#ed25519-key";alg="ed25519"'
    ),
    "cavage-get": lambda: look("cavage"),
    "rfc9421-get": lambda: look("rfc9421"),
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One request that is wrong in one way, the step that must say so, and when it came."""

    name: str
    failed: str
    make: Callable[[], SignedRequest]
    late: timedelta = timedelta(0)

    @property
    def at(self) -> datetime:
        """Return when it came."""
        return NOW + self.late


def _moved(request: SignedRequest) -> SignedRequest:
    return replace(request, target=request.target.replace("alice", "carol"))


def _other_body(request: SignedRequest) -> SignedRequest:
    return replace(request, body=request.body.replace(b'"Note"', b'"Page"'))


def _later_date(request: SignedRequest) -> SignedRequest:
    return with_header(request, "date", crafting.http_date(NOW + timedelta(seconds=1)))


def _twice(request: SignedRequest, name: str) -> SignedRequest:
    return request.with_headers((name, request.lines(name)[0]))


def _stamp(key_id: str = KEY_ID, more: str = "", created: int = EPOCH) -> str:
    return f';created={created};keyid="{key_id}"{more}'


OLD, EARLY = timedelta(hours=2), timedelta(hours=-2)
FOREIGN, NEIGHBOUR, UNLISTED = MALLORY.key_id, CAROL.key_id, f"{ACTOR}#lost-key"
STALE = crafting.http_date(NOW - timedelta(days=1))
BROKEN = (
    Broken("unsigned", "signed", plain),
    # draft-cavage
    Broken("cavage: another algorithm", "algorithm", lambda: cavage(algorithm="rsa-sha512")),
    Broken("cavage: host not covered", "coverage", lambda: cavage(covered=("(request-target)", "date", "digest"))),
    Broken("cavage: target not covered", "coverage", lambda: cavage(covered=("host", "date", "digest"))),
    Broken("cavage: digest not covered", "coverage", lambda: cavage(covered=("(request-target)", "host", "date"))),
    Broken(
        "cavage: no time covered", "time-covered", lambda: cavage(covered=("(request-target)", "host", "digest"))
    ),
    Broken("cavage: (created) with rsa-sha256", "pairing", lambda: cavage(covered=CREATED, created=EPOCH)),
    Broken("cavage: a covered field is missing", "present", lambda: cavage(covered=(*DATED, "x-missing"))),
    Broken("cavage: the digest was dropped", "present", lambda: with_header(cavage(), "digest", "")),
    Broken("cavage: two dates", "present", lambda: _twice(cavage(), "date")),
    Broken("cavage: expired", "time", cavage, OLD),
    Broken("cavage: from the future", "time", cavage, EARLY),
    Broken("cavage: a date that is none", "time", lambda: cavage(plain(date="yesterday"))),
    Broken(
        "cavage: expires before it was created", "time",
        lambda: cavage(covered=CREATED, algorithm="hs2019", created=EPOCH, expires=EPOCH - 1),
    ),
    Broken("cavage: another body", "digest", lambda: _other_body(cavage())),
    Broken(
        "cavage: a digest of no known algorithm", "digest",
        lambda: cavage(plain(digest=crafting.digest(BODY, "MD5"))),
    ),
    Broken("cavage: a digest that cannot be parsed", "digest", lambda: cavage(plain(digest="SHA-256"))),
    Broken("cavage: a key id that is no URL", "key-url", lambda: cavage(keyId="bob")),
    Broken("cavage: a key that nobody lists", "key", lambda: cavage(keyId=UNLISTED)),
    Broken("cavage: a key of another origin", "key", lambda: cavage(key=OTHER_RSA, keyId=FOREIGN)),
    Broken("cavage: a neighbour's key", "key", lambda: cavage(key=OTHER_RSA, keyId=NEIGHBOUR)),
    Broken("cavage: made with another key", "signature", lambda: cavage(key=OTHER_RSA)),
    Broken("cavage: the date was changed", "signature", lambda: _later_date(cavage())),
    Broken("cavage: sent elsewhere", "signature", lambda: _moved(cavage())),
    Broken("cavage: not base64", "headers", lambda: cavage(signature="???")),
    Broken("cavage: no key id", "headers", lambda: cavage(keyId=None)),
    Broken("cavage: two signatures", "headers", lambda: _twice(cavage(), "signature")),
    Broken("cavage: not JSON", "body", lambda: cavage(plain(b"{"))),
    Broken("cavage: nobody acts", "body", lambda: cavage(plain(b'{"type": "Create"}'))),
    # RFC 9421
    Broken("rfc9421: method not covered", "coverage", lambda: message(covered=WHOLE[1:])),
    Broken("rfc9421: target not covered", "coverage", lambda: message(covered=WHOLE[::2])),
    Broken("rfc9421: digest not covered", "digest-covered", lambda: message(covered=WHOLE[:2])),
    Broken("rfc9421: a robot's tag", "tag", lambda: message(parameters=_stamp(more=';tag="web-bot-auth"'))),
    Broken("rfc9421: an unknown parameter", "parameters", lambda: message(parameters=_stamp(more=';mood="good"'))),
    Broken("rfc9421: no key id", "key-id", lambda: message(parameters=f";created={EPOCH}")),
    Broken("rfc9421: a covered field is missing", "components", lambda: message(covered=(*WHOLE, '"x-missing"'))),
    Broken("rfc9421: an unknown derived component", "components", lambda: message(covered=(*WHOLE, '"@status"'))),
    Broken("rfc9421: the digest was dropped", "components", lambda: with_header(message(), "content-digest", "")),
    Broken("rfc9421: expired", "time", message, OLD),
    Broken("rfc9421: from the future", "time", message, EARLY),
    Broken("rfc9421: never created", "time", lambda: message(parameters=f';keyid="{KEY_ID}"')),
    Broken("rfc9421: a stale date is covered", "time", lambda: message(plain(date=STALE), (*WHOLE, '"date"'))),
    Broken("rfc9421: another body", "digest", lambda: _other_body(message())),
    Broken(
        "rfc9421: a digest of no known algorithm", "digest",
        lambda: message(plain(content_digest=crafting.content_digest(BODY, "md5"))),
    ),
    Broken("rfc9421: a key id that is no URL", "key-url", lambda: message(parameters=_stamp("bob"))),
    Broken("rfc9421: a key that nobody lists", "key", lambda: message(parameters=_stamp(UNLISTED))),
    Broken("rfc9421: a key of another origin", "key", lambda: message(key=OTHER_RSA, parameters=_stamp(FOREIGN))),
    Broken("rfc9421: a neighbour's key", "key", lambda: message(key=OTHER_RSA, parameters=_stamp(NEIGHBOUR))),
    Broken("rfc9421: made with another key", "signature", lambda: message(key=OTHER_RSA)),
    Broken(
        "rfc9421: an algorithm that the key has not", "signature",
        lambda: message(parameters=_stamp(more=';alg="ed25519"')),
    ),
    Broken("rfc9421: sent elsewhere", "signature", lambda: _moved(message())),
    Broken("rfc9421: another label", "headers", lambda: with_header(message(), "signature", "sig2=:AAAA:")),
    Broken("rfc9421: not a dictionary", "headers", lambda: with_header(message(), "signature-input", "((")),
    Broken("rfc9421: not JSON", "body", lambda: message(plain(b"\xff"))),
)  # fmt: skip


def _text(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_b64": base64.b64encode(body).decode()}


def row(request: SignedRequest, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    """Return a request as an object of JSON."""
    when = {} if at is None else {"at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {
        "method": request.method, "target": request.target, "headers": [list(pair) for pair in request.headers],
        **_text(request.body), **when, **more,
    }  # fmt: skip


def _http(request: SignedRequest) -> bytes:
    target = request.target.removeprefix(ORIGIN)
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


def _har(request: SignedRequest, at: datetime | None) -> bytes:
    body = _text(request.body)
    posted = {"mimeType": ACTIVITY_JSON, "text": body.get("body", body.get("body_b64", ""))}
    if "body_b64" in body:
        posted["encoding"] = "base64"
    asked: dict[str, Any] = {
        "method": request.method, "url": request.target, "httpVersion": "HTTP/1.1",
        "headers": [{"name": name, "value": value} for name, value in request.headers], "queryString": [],
    }  # fmt: skip
    if request.method == "POST":
        asked["postData"] = posted
    entry = {"startedDateTime": (at or NOW).isoformat(), "time": 1, "request": asked, "response": {"status": 0}}
    creator = {"name": "a browser", "version": "1"}
    return json.dumps({"log": {"version": "1.2", "creator": creator, "entries": [entry]}}).encode()


def written(form: str, request: SignedRequest, at: datetime | None = None) -> bytes:
    """Return a request in one of ``FORMS``; raw HTTP cannot say when it came."""
    if form == "http":
        return _http(request)
    if form == "har":
        return _har(request, at)
    one = row(request, at)
    return (json.dumps(one) + "\n" if form == "jsonl" else json.dumps(one, indent=1)).encode()


__all__ = ["ACTORS", "BOB", "BROKEN", "CAROL", "FORMS", "INBOX", "KEY_ID", "NOW", "VALID", "Broken", "row", "written"]

"""Recipes for the documents of ``data/bombs.json``: each is made when it is thrown, none is stored.

A recipe takes the aim (who throws it at whom) and returns the bytes of a body. What is not on the list is in
``bombs_beyond``; packed answers and media are in ``bombs_bytes``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peers.plain import ACTIVITY_JSON, AS2

from gateway.jsonld.strict import MAX_BODY, MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.plain import PlainPeer

LD_SIGNED = "https://w3id.org/security/v1"
_turns = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Aim:
    """Whose bomb it is, and at whom: the peer that throws, our base URL, and one of our own posts."""

    peer: PlainPeer
    base: str
    post: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def alice(self) -> str:
        return f"{self.base}/users/alice"

    @property
    def inbox(self) -> str:
        return f"{self.alice}/inbox"

    def create(self, activity: Mapping[str, Any] | None = None, /, **note: Any) -> dict[str, Any]:
        """Return a Create of a Note for alice; both with changes."""
        made = {**self.peer.note("boom", to=[self.alice], cc=[]), **note}
        return {**self.peer.activity("Create", made, to=[self.alice]), **(activity or {})}

    def images(self, count: int) -> list[dict[str, Any]]:
        """Return attachments at addresses that nobody saw before."""
        turn = next(_turns)
        return [{"type": "Image", "url": f"{self.peer.base}/media/{turn}/{n}.png"} for n in range(count)]


Recipe = Callable[[Aim], bytes]


def packed(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes, as small as it gets."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def around(aim: Aim, text: bytes, name: str = "x") -> bytes:
    """Return a valid Create with one more member, whose JSON text is given as it is."""
    return packed(aim.create())[:-1] + b',"%s":%s}' % (name.encode(), text)


def inside(aim: Aim, name: str, text: bytes) -> bytes:
    """Return a valid Create of a Note that has one member with this JSON text."""
    whole = packed(aim.create(**{name: "@@"}))
    assert whole.count(b'"@@"') == 1
    return whole.replace(b'"@@"', text)


def contexted(aim: Aim, text: bytes) -> bytes:
    """Return a valid Create whose context has this JSON text."""
    return packed(aim.create({"@context": "@@"})).replace(b'"@@"', text)


def sized(aim: Aim, size: int) -> bytes:
    """Return a valid Create of exactly so many bytes."""
    short = around(aim, b'""')
    return around(aim, b'"%s"' % (b"a" * (size - len(short))))


def _arrays(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def _objects(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def _keys(count: int, value: bytes = b"0") -> bytes:
    return b"{" + b",".join(b'"%x":%s' % (n, value) for n in range(count)) + b"}"


def _list(entry: bytes, count: int) -> bytes:
    return b"[" + b",".join([entry] * count) + b"]"


def _encoded(encoding: str) -> Recipe:
    return lambda aim: packed(aim.create()).decode().encode(encoding)


def _twice(name: str, other: str) -> Recipe:
    def recipe(aim: Aim) -> bytes:
        document = packed(aim.create())
        return b'{"%s":"%s",%s' % (name.encode(), other.format(base=aim.peer.base).encode(), document[1:])

    return recipe


def _nul_everywhere(aim: Aim) -> bytes:
    document: Any = aim.create()

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: marked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [marked(item) for item in value]
        return f"{value}\0"

    return json.dumps(marked(document)).encode()


def clique(size: int) -> list[dict[str, Any]]:
    """Return blank nodes that all name each other."""
    return [{"id": f"_:b{n}", "url": [f"_:b{m}" for m in range(size) if m != n]} for n in range(size)]


def ring(size: int) -> list[dict[str, Any]]:
    """Return blank nodes each of which names the next."""
    return [{"id": f"_:b{n}", "url": f"_:b{(n + 1) % size}"} for n in range(size)]


def star(size: int) -> list[dict[str, Any]]:
    """Return one blank node that names many others, each like the next."""
    return [{"id": "_:b0", "items": [f"_:c{n}" for n in range(size)]}]


def _ld_signed(tangle: list[dict[str, Any]]) -> Recipe:
    """Return a document with an LD signature, for which a reader of those would have to canonicalise it."""

    def recipe(aim: Aim) -> bytes:
        signature = {
            "type": "RsaSignature2017", "creator": aim.peer.me.key_id, "created": "2026-11-23T09:00:00Z",
            "signatureValue": "A" * 344,
        }  # fmt: skip
        document = aim.create({"@context": [AS2, LD_SIGNED], "result": tangle})
        return packed({**document, "signature": signature})

    return recipe


def _remote_context(shape: str) -> Recipe:
    def recipe(aim: Aim) -> bytes:
        theirs = f"{aim.peer.base}/context"
        contexts: dict[str, Any] = {
            "alone": theirs,
            "after the known one": [AS2, theirs],
            "imported": [AS2, {"@version": 1.1, "@import": theirs}],
            "scoped to a type": [AS2, {"Note": {"@id": "as:Note", "@context": theirs}}],
            "scoped to a property": [AS2, {"object": {"@id": "as:object", "@type": "@id", "@context": theirs}}],
        }
        return packed({**aim.create(contentUsage="train-ai=n"), "@context": contexts[shape]})

    return recipe


def serve_chain(peer: PlainPeer, length: int = 20) -> None:
    """Let a peer serve contexts each of which names the next."""
    for step in range(length):
        name, following = f"{peer.base}/context{step or ''}", f"{peer.base}/context{step + 1}"
        peer.serve(name, json.dumps({"@context": [following, {"a": "https://x.example/"}]}), content_type=ACTIVITY_JSON)


def _around(text: bytes) -> Recipe:
    return lambda aim: around(aim, text)


def _quoted(text: bytes) -> Recipe:
    return lambda aim: inside(aim, "content", b'"%s"' % text)


def _within(name: str, value: object) -> Recipe:
    return lambda aim: packed(aim.create(**{name: value}))


DATES: dict[str, object] = {
    "the last day": "9999-12-31T23:59:59Z", "past the last day": "9999-12-31T23:59:59.999999999-23:59",
    "before the first": "-0001-01-01T00:00:00Z", "year nought": "0000-01-01T00:00:00Z",
    "the first day, ahead": "0001-01-01T00:00:00+23:59", "now": "now", "a number": 1e9, "digits": "1000000000",
    "a leap second": "2016-12-31T23:59:60Z", "no day": "2026-02-30T00:00:00Z",
    "other digits": "２０２６-01-01T00:00:00Z",
    "half a megabyte": "2026-01-01T00:00:00." + "9" * 500_000 + "Z", "half a megabyte of blanks": " " * 500_000,
    "a far offset": "2026-01-01T00:00:00+99:99",
}  # fmt: skip
BROKEN_UTF8 = {
    "ff": b"\xff", "fe": b"\xfe", "alone": b"\x80", "cut": b"\xe3\x81", "overlong": b"\xc0\xaf",
    "overlong nul": b"\xc0\x80",
    "half a pair": b"\xed\xa0\x80", "beyond": b"\xf4\x90\x80\x80",
}  # fmt: skip
NUMBERS = {
    "1e400": b"1e400", "-1e400": b"-1e400", "NaN": b"NaN", "Infinity": b"Infinity", "-Infinity": b"-Infinity",
    "digits beyond": b"9" * 400 + b".0", "1E+999999999": b"1E+999999999",
}  # fmt: skip
TAG_KINDS = ("Mention", "Hashtag", "Emoji")


def _tags(count: int, entry: Callable[[int], dict[str, str]]) -> Recipe:
    return lambda aim: packed(aim.create(tag=[entry(n) for n in range(count)]))


def _addresses(name: str, count: int, address: str) -> Recipe:
    return lambda aim: packed(aim.create({name: [address.format(n=n, base=aim.base) for n in range(count)]}))


def _polled(name: str, count: int) -> Recipe:
    def recipe(aim: Aim) -> bytes:
        return packed(aim.create(type="Question", **{name: [{"type": "Note", "name": f"o{n}"} for n in range(count)]}))

    return recipe


# Case id -> name -> recipe. A case that names several things is several bombs.
LISTED: dict[str, dict[str, Recipe]] = {
    "BOMB-J-001": {
        "the body": lambda _: _arrays(100_000),
        "in a member": lambda aim: around(aim, _arrays(100_000)),
        "in the note": lambda aim: inside(aim, "tag", _arrays(100_000)),
        "never closed": lambda aim: around(aim, b"[" * 100_000),
        "objects": lambda aim: around(aim, _objects(100_000)),
    },
    "BOMB-J-003": {
        "objects": lambda _: _objects(MAX_DEPTH + 1),
        "in a member": lambda aim: around(aim, _objects(MAX_DEPTH)),
        "arrays in the content": lambda aim: inside(aim, "content", _arrays(MAX_DEPTH - 1)),
    },
    "BOMB-J-004": {
        "arrays": lambda aim: around(aim, _arrays(990)),
        "objects": lambda aim: inside(aim, "attachment", _objects(990)),
        "in the context": lambda aim: contexted(aim, _arrays(990)),
    },
    "BOMB-J-007": {"one byte more": lambda aim: sized(aim, MAX_BODY + 1)},
    "BOMB-J-008": {
        "1.4 MB": lambda aim: around(aim, _keys(100_000, b'"aaaaa"')),
        "900 KB": lambda aim: around(aim, _keys(90_000)),
        "in the note": lambda aim: inside(aim, "contentMap", _keys(70_000, b'"a"')),
    },
    "BOMB-J-011": {
        "nines": lambda aim: around(aim, b"9" * 5_000),
        "negative": lambda aim: around(aim, b"-" + b"9" * 5_000),
        "a million": lambda aim: around(aim, b"9" * 1_000_000),
        "as a date": lambda aim: inside(aim, "published", b"9" * 5_000),
    },
    "BOMB-J-012": {name: _around(text) for name, text in NUMBERS.items()},
    "BOMB-J-014": {name: _quoted(text) for name, text in BROKEN_UTF8.items()},
    "BOMB-J-015": {name: _encoded(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")},
    "BOMB-J-016": {"in front": lambda aim: b"\xef\xbb\xbf" + packed(aim.create())},
    "BOMB-J-018": {
        "everywhere": _nul_everywhere,
        "in the content": _within("content", "a\0b"),
        "raw": lambda aim: inside(aim, "content", b'"a\0b"'),
        "as a key": lambda aim: inside(aim, "contentMap", b'{"a\\u0000":"x"}'),
    },
    "BOMB-J-019": {
        "id": _twice("id", "{base}/other"),
        "actor": _twice("actor", "https://victim.example/users/v"),
        "object": _twice("object", "{base}/other"),
        "spelled otherwise": _twice("\\u0069d", "{base}/other"),
        "the same value": lambda aim: around(aim, b'"Create"', "type"),
        "in the note": lambda aim: inside(aim, "replies", b'{"id":"https://a.example/","id":"https://b.example/"}'),
    },
    "BOMB-J-022": {
        "to": _addresses("to", 100_000, "https://x.example/{n}"),
        "cc, short": _addresses("cc", 100_000, "a:{n}"),
        "of ours": _addresses("to", 19_000, "{base}/users/{n}"),
        "as few as are too many": _addresses("to", 2_001, "{base}/users/{n}"),
    },
    "BOMB-J-023": {
        "links": _tags(50_000, lambda n: {"type": TAG_KINDS[n % 3], "href": f"https://x.example/{n}", "name": f"#{n}"}),
        "types alone": _tags(50_000, lambda n: {"type": TAG_KINDS[n % 3][:1]}),
        "within the members": _tags(6_000, lambda n: {"type": TAG_KINDS[n % 3], "name": f"#{n}"}),
    },
    "BOMB-J-025": {
        "oneOf": _polled("oneOf", 10_000),
        "anyOf": _polled("anyOf", 10_000),
        "within the members": _polled("oneOf", 4_000),
    },
    "BOMB-J-026": {
        "unknown": lambda aim: contexted(aim, _list(b'"https://x.example/1"', 20_000)),
        "known": lambda aim: contexted(aim, _list(b'"%s"' % AS2.encode(), 20_000)),
        "empty": lambda aim: contexted(aim, _list(b"{}", 20_000)),
    },
    "BOMB-J-027": {name: _within("published", value) for name, value in DATES.items()},
    "BOMB-L-002": {"a chain": _remote_context("alone")},
    "BOMB-L-003": {
        name: _remote_context(name)
        for name in ("after the known one", "imported", "scoped to a type", "scoped to a property")
    },
    "BOMB-L-007": {"K7": _ld_signed(clique(7))},
    "BOMB-L-008": {"K8": _ld_signed(clique(8))},
    "BOMB-L-009": {"ring": _ld_signed(ring(200))},
    "BOMB-L-010": {"star": _ld_signed(star(2_000))},
}  # fmt: skip


def throws() -> Iterator[tuple[str, str]]:
    """Yield (case id, name) of every bomb on the list."""
    for case, recipes in LISTED.items():
        for name in recipes:
            yield case, name

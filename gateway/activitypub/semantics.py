"""What is wrong with a document as ActivityStreams 2.0, all at once: a JSON pointer and a sentence each.

JSON-LD takes nearly everything; these are the rules of the Activity Streams Core and Vocabulary
(W3C Recommendations of 2017) that expansion does not check. Only terms of the vocabulary are looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import MalformedDocument
from gateway.jsonld import strict
from gateway.jsonld.contexts import AS2

MAX_PROBLEMS = 200
MAX_DEPTH = 24
TEXTS = frozenset({"content", "name", "summary"})
PAGES = frozenset({"CollectionPage", "OrderedCollectionPage"})
LINK_TYPES = frozenset({"Link", "Mention"})
COLLECTIONS = frozenset({"Collection", "CollectionPage"})
ORDERED = frozenset({"OrderedCollection", "OrderedCollectionPage"})
# Members whose value is an object, a link, or a list of them.
REFERENCES = frozenset(
    {"actor", "object", "target", "result", "origin", "instrument", "attributedTo", "audience", "to", "bto", "cc",
     "bcc", "inReplyTo", "replies", "likes", "shares", "context", "generator", "icon", "image", "location", "preview",
     "tag", "attachment", "url", "first", "last", "current", "next", "prev", "partOf", "items", "orderedItems",
     "subject", "relationship", "describes", "oneOf", "anyOf"}
)  # fmt: skip
TO_PAGES = frozenset({"first", "last", "current", "next", "prev"})
MOMENTS = frozenset({"published", "updated", "startTime", "endTime", "deleted"})
COUNTS = frozenset({"totalItems", "startIndex", "height", "width"})
NUMBERS = frozenset({"accuracy", "altitude", "latitude", "longitude", "radius"})
_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*|_):")
# RFC 3339 with the seconds optional (Activity Streams Core, section 2.3); the specification itself leaves offsets out.
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?")
_DURATION = re.compile(
    r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII
)  # fmt: skip
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?", re.ASCII)
_ANY = (-math.inf, math.inf)
_RANGES = {"accuracy": (0.0, 100.0), "radius": (0.0, math.inf), "latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
# Well-formed tags of RFC 5646: language, script, region, variants, extensions, private use; in this order.
_LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*(?:-x(?:-[a-z\d]{1,8})+)?"
    r"|x(?:-[a-z\d]{1,8})+|i-[a-z]+|art-lojban|und",
    re.IGNORECASE | re.ASCII,
)
_SHORT = frozenset({"Public"})  # ActivityPub, section 5.6: how the context may shorten it
_CONTEXTS = frozenset({AS2, AS2.replace("https:", "http:")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where (JSON pointer, empty for the whole), which (a stable word), and why."""

    pointer: str
    code: str
    sentence: str

    def as_json(self) -> dict[str, str]:
        """Return the problem as it is printed."""
        return {"pointer": self.pointer, "code": self.code, "sentence": self.sentence}


def problems_in(body: bytes) -> tuple[Problem, ...]:
    """Return every problem of a document given as bytes; empty when there is none."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return (_whole("not-utf8", f"The document is not UTF-8: byte {error.start} cannot be read."),)
    try:
        value = strict.read(body)
    except MalformedDocument as error:
        return (_whole("not-json", f"The document is not strict JSON: {error}."),)
    return problems(value)


def problems(document: object) -> tuple[Problem, ...]:
    """Return every problem of a document already read."""
    if not isinstance(document, Mapping):
        kind = {list: "an array", str: "a string", bool: "a boolean"}.get(type(document), "a number or null")
        return (_whole("not-an-object", f"The document is {kind}; ActivityStreams documents are single objects."),)
    found = [*_context(document), *_node(document, "", MAX_DEPTH)]
    return tuple(found[:MAX_PROBLEMS])


def _whole(code: str, sentence: str) -> Problem:
    return Problem(pointer="", code=code, sentence=sentence)


def _context(document: Mapping[str, object]) -> Iterator[Problem]:
    if "@context" not in document:
        return  # implied by the media type (Core, section 2.1)
    value = document["@context"]
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | Mapping) or item is None for item in listed):
        yield Problem(
            pointer="/@context", code="context-type", sentence="A context is a URL, an object, or a list of them."
        )
    elif not any(_is_as2(item) for item in listed):
        yield Problem(
            pointer="/@context", code="no-as2-context",
            sentence=f"The context does not name {AS2}, so this is no ActivityStreams document.",
        )  # fmt: skip


def _is_as2(context: object) -> bool:
    if isinstance(context, Mapping):
        vocabulary = context.get("@vocab")
        return isinstance(vocabulary, str) and vocabulary.rstrip("#") in _CONTEXTS
    return isinstance(context, str) and context.rstrip("#/") in _CONTEXTS


def _node(node: Mapping[str, object], pointer: str, depth: int) -> Iterator[Problem]:
    yield from _identity(node, pointer)
    kinds = _types(node)
    for name, value in node.items():
        here = f"{pointer}/{name}"
        if value is None:
            continue
        if name in TEXTS:
            yield from _text(value, here, name)
        elif name.endswith("Map") and name.removesuffix("Map") in TEXTS:
            yield from _language_map(value, here, name)
        elif name in REFERENCES or (name == "closed" and isinstance(value, Mapping)):
            yield from _references(value, here, name, depth)
        elif name in MOMENTS:
            yield from _moment(value, here, name)
        elif name in COUNTS or name in NUMBERS:
            yield from _number(value, here, name)
        elif name in ("href", "hreflang", "mediaType", "duration", "rel"):
            yield from _link_member(value, here, name)
    yield from _collection(node, kinds, pointer)


def _identity(node: Mapping[str, object], pointer: str) -> Iterator[Problem]:
    for name in ("id", "@id"):
        value = node.get(name)
        if value is not None and not isinstance(value, str):
            yield Problem(
                pointer=f"{pointer}/{name}", code="id-type", sentence="An id is one absolute URI as a string."
            )
        elif isinstance(value, str) and value and not _ABSOLUTE.match(value):
            yield Problem(pointer=f"{pointer}/{name}", code="relative-url", sentence="An id is an absolute URI.")
    for name in ("type", "@type"):
        value = node.get(name)
        listed = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(item, str) for item in listed):
            yield Problem(
                pointer=f"{pointer}/{name}", code="type-type", sentence="A type is a string or a list of strings."
            )


def _types(node: Mapping[str, object]) -> frozenset[str]:
    value = node.get("type", node.get("@type"))
    listed = value if isinstance(value, list) else [value]
    return frozenset(item.rpartition("#")[2].removeprefix("as:") for item in listed if isinstance(item, str))


def _text(value: object, pointer: str, name: str) -> Iterator[Problem]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping) and "@value" not in item:
            sentence = f"{name} is plain text; texts by language stand in {name}Map."
            yield Problem(pointer=pointer, code="language-map-as-text", sentence=sentence)
        elif not isinstance(item, str | Mapping):
            yield Problem(pointer=pointer, code="text-type", sentence=f"{name} is a string.")


def _language_map(value: object, pointer: str, name: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        sentence = f"{name} is an object from language tag to text; plain text stands in {name.removesuffix('Map')}."
        yield Problem(pointer=pointer, code="map-type", sentence=sentence)
        return
    for tag, text in value.items():
        here = f"{pointer}/{strict.escaped(tag)}"
        if not _LANGUAGE.fullmatch(tag):
            sentence = f"{tag!r} is no well-formed language tag (RFC 5646)."
            yield Problem(pointer=here, code="language-tag", sentence=sentence)
        if not isinstance(text, str | None) and not (isinstance(text, list) and all(isinstance(t, str) for t in text)):
            yield Problem(pointer=here, code="text-type", sentence=f"A text of {name} is a string.")


def _references(value: object, pointer: str, name: str, depth: int) -> Iterator[Problem]:
    many = isinstance(value, list)
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        here = f"{pointer}/{index}" if many else pointer
        if isinstance(item, Mapping):
            if name in TO_PAGES and (kinds := _types(item)) and not kinds & (PAGES | LINK_TYPES):
                sentence = f"{name} is a page of the collection, or a link to one, not a {'/'.join(sorted(kinds))}."
                yield Problem(pointer=here, code="first-type", sentence=sentence)
            if depth > 0:
                yield from _node(item, here, depth - 1)
        elif isinstance(item, str):
            if name != "relationship" and item not in _SHORT and not _ABSOLUTE.match(item):
                sentence = "A relative reference means nothing once the document is passed on; use an absolute URI."
                yield Problem(pointer=here, code="relative-url", sentence=sentence)
        elif item is not None:
            yield Problem(pointer=here, code="link-type", sentence=f"{name} is a URI, an object, or a list of them.")


def _moment(value: object, pointer: str, name: str) -> Iterator[Problem]:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        yield Problem(pointer=pointer, code="date-type", sentence=f"{name} is a date and time of RFC 3339.")


def _number(value: object, pointer: str, name: str) -> Iterator[Problem]:
    if isinstance(value, str) and name in NUMBERS and _DECIMAL.fullmatch(value):
        return  # as the specification writes some itself
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (name in COUNTS and (not isinstance(value, int) or value < 0)):
        kind = "a whole number from 0" if name in COUNTS else "a number"
        yield Problem(pointer=pointer, code="number-type", sentence=f"{name} is {kind}.")
    elif isinstance(value, int | float) and not _RANGES.get(name, _ANY)[0] <= value <= _RANGES.get(name, _ANY)[1]:
        low, high = _RANGES[name]
        sentence = f"{name} is from {low:g}{f' to {high:g}' if high < math.inf else ''}."
        yield Problem(pointer=pointer, code="out-of-range", sentence=sentence)


def _link_member(value: object, pointer: str, name: str) -> Iterator[Problem]:
    listed = value if name == "rel" and isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in listed):
        yield Problem(pointer=pointer, code="text-type", sentence=f"{name} is a string.")
    elif name == "href" and not _ABSOLUTE.match(str(value)):
        yield Problem(pointer=pointer, code="relative-url", sentence="href is an absolute URI.")
    elif name == "hreflang" and not _LANGUAGE.fullmatch(str(value)):
        yield Problem(pointer=pointer, code="language-tag", sentence=f"{value!r} is no well-formed language tag.")
    elif name == "duration" and not _DURATION.fullmatch(str(value)):
        yield Problem(pointer=pointer, code="duration", sentence="duration is an xsd:duration, like PT2H30M.")
    elif name == "mediaType" and not _MEDIA_TYPE.fullmatch(str(value)):
        yield Problem(pointer=pointer, code="media-type", sentence="mediaType is a MIME media type, like text/html.")


def _collection(node: Mapping[str, object], kinds: frozenset[str], pointer: str) -> Iterator[Problem]:
    if kinds & ORDERED and "items" in node:
        sentence = "An ordered collection has its items in orderedItems: those in items have no order."
        yield Problem(pointer=f"{pointer}/items", code="items-in-ordered", sentence=sentence)
    if kinds & COLLECTIONS and not kinds & ORDERED and "orderedItems" in node:
        sentence = "Only an ordered collection has orderedItems; this one is not declared to have an order."
        yield Problem(pointer=f"{pointer}/orderedItems", code="ordered-in-unordered", sentence=sentence)

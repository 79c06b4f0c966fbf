"""Documents that are not on the list of ``data/bombs.json``: what the gateway's own readers find hard.

Each stays below the limits of the JSON reader on purpose. Whatever the answer is, it must be cheap to give, and so
must be what the worker does after a 202.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attacks.bombs import around, packed
from attacks.scene import LABELLED
from peers.plain import AS2

if TYPE_CHECKING:
    from attacks.bombs import Aim, Recipe

NO = "train-ai=n"
INTEGRITY = "https://w3id.org/security/data-integrity/v1"
MULTIKEY = "https://w3id.org/security/multikey/v1"
SECURITY = "https://w3id.org/security/v1"
# One of our terms means something else here: the plain reading is not enough, every node is expanded.
RENAMED = {"contentUsage": "https://e.example/x"}
SCOPED: list[Any] = [AS2, INTEGRITY, RENAMED]
AIU = "https://w3id.org/fep/1e38#"
ALIASED = {
    "u": {"@id": f"{AIU}aiUsage", "@type": "@json"},
    "c": f"{AIU}contentUsage",
    "kind": "@type",
    "contentUsage": None,
}
MANY_MEMBERS = ",".join(f"a{n}=n" for n in range(100_000))
MOST_HTML = 100_000


def usage(count: int, first: int = 0) -> dict[str, Any]:
    """Return an ``aiUsage`` with so many statements, no two alike."""
    said = [{"prefs": {"search": "n"}, "a": number} for number in range(first, first + count)]
    return {"v": 1, "prefs": {"train-gen": "n"}, "statements": said}


def _create(activity: dict[str, Any] | None = None, /, **note: Any) -> Recipe:
    return lambda aim: packed(aim.create(activity, **note))


def _shown(activity: dict[str, Any] | None = None, *, both: bool = False, each: dict[str, Any] | None = None) -> Recipe:
    """Return a Create whose note, or the activity as well, shows as many pictures as it may."""

    def recipe(aim: Aim) -> bytes:
        shown = [{**image, **(each or {})} for image in aim.images(32)]
        return packed(aim.create({**(activity or {}), **({"attachment": shown} if both else {})}, attachment=shown))

    return recipe


def _ours(depth: int, activity: dict[str, Any] | None = None, **inner: Any) -> Recipe:
    """Return an Announce of a post of ours, which names that post again and again, each inside of the other."""

    def recipe(aim: Aim) -> bytes:
        node: dict[str, Any] = {"id": aim.post, "type": "Note", **inner}
        for _ in range(depth - 1):
            node = {"id": aim.post, "type": "Note", "icon": node}
        return packed({**aim.peer.activity("Announce", node, to=[aim.alice]), **(activity or {})})

    return recipe


def _ours_listed(count: int, activity: dict[str, Any] | None = None, **each: Any) -> Recipe:
    """Return an Announce of a list in which a post of ours is named again and again."""

    def recipe(aim: Aim) -> bytes:
        nodes = [{"id": aim.post, "type": "Note", **each} for _ in range(count)]
        return packed({**aim.peer.activity("Announce", nodes, to=[aim.alice]), **(activity or {})})

    return recipe


def _html(unit: str, *, start: str = "", end: str = "", size: int = MOST_HTML) -> str:
    return (start + unit * ((size - len(start) - len(end)) // len(unit)) + end)[:size]


def _bold(count: int, form: str = "<b a{n}>") -> str:
    """Return formatting elements no two of which are alike, so that a parser remembers each of them."""
    return "".join(form.format(n=number) for number in range(count))


# Ways to write a start tag that a parser takes for one.
ODD_TAGS = (
    "<B\ta{n}>",
    "<b/a{n}>",
    "<b\x0ca{n}>",
    "<b\n\ra={n} >",
    "<b a='>{n}'>",
    "<b a='<{n}'>",
    '<b a="</b>{n}">',
    "<tt a{n}>",
)


def languages(count: int, text: str) -> dict[str, str]:
    """Return the same text in so many languages."""
    return {f"l{number}": text for number in range(count)}


def terms(count: int) -> dict[str, str]:
    """Return so many members, or definitions."""
    return {f"t{number}": f"https://x.example/{number}" for number in range(count)}


def _renamed(count: int, activity: dict[str, Any] | None = None, /, **note: Any) -> Recipe:
    return _create({"@context": [AS2, terms(count), RENAMED], **(activity or {})}, contentUsage=NO, **note)


def _deep(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


KINDS = ("b", "big", "code", "em", "font", "i", "s", "small", "strong", "tt", "u")
THREE_OF_EACH = "".join(f"<{kind}>" * 3 for kind in KINDS)
HTML: dict[str, str] = {
    "<b> nested": "<b>" * 100_000,
    "<b> nested, 60 KB": "<b>" * 20_000,
    "<b> no two alike": _bold(11_000),
    "<b> and <i> no two alike": "".join(f"<b a{n}><i a{n}>" for n in range(5_500)),
    # Each paragraph opens all of them anew: a tree as large as both numbers multiplied.
    "<b> carried into paragraphs": "<p>" + _bold(1_000) + "<p>x" * 1_000,
    "<b> carried, fewer than 2,000 tags": "<p>" + _bold(1_000) + "<p>x" * 990,
    **{f"{form} carried": f"<p>{_bold(990, form)}" + "<p>x" * 990 for form in ODD_TAGS},
    "<a> carried with its address": "<p><a href='http://x.example/" + "a" * 84_000 + "'>" + "<p>x" * 3_800,
    "<a> carried, shorter": "<p><a href='http://x.example/" + "a" * 2_000 + "'>" + "<p>x" * 1_900,
    "three of each kind carried": "<p>" + THREE_OF_EACH + _bold(40, "<i a{n}>") + "<p>x" * 3_800,
    "start tags without an end": "<b a" * 25_000,
    "<b> carried into table rows": "<table>" + _bold(900) + "<tr>x" * 1_000,
    "<b> carried into many paragraphs": "<p>" + _bold(4_000) + "<p>x" * 14_000,
    "<font> carried into paragraphs": "<p>" + "".join(f"<font size={n}>" for n in range(2_500)) + "<p>x" * 10_000,
    "<b> carried into items": "<ul><li>" + _bold(2_000) + "<li>x" * 10_000,
    "<b> misnested": "".join(f"<b a{n}><div>" for n in range(4_000)) + "</b>" * 7_000,
    "<b> misnested, mostly ends": "".join(f"<b a{n}><div>" for n in range(990)) + "</b>" * 20_000,
    "<span> and ends of nothing": "<span>" * 1_990 + "</x>" * 20_000,
    "<p> ended again and again": "<p>" + _bold(1_900) + "</p>x" * 15_000,
    "<b> before a table": _bold(2_000) + "<table>x" * 9_000,
    "<div> nested": _html("<div>"),
    "<li><ul> nested": _html("<li><ul>"),
    "<dl><dd> nested": _html("<dl><dd>"),
    "<blockquote> nested": _html("<blockquote>"),
    "<h1><b c> nested": _html("<h1><b c>"),
    "<a><div> nested": _html("<a><div>"),
    "<ul><li><p> nested": _html("<ul><li><p>"),
    "<span> closed by others": "<span>" * 8_000 + "</x>" * 12_000,
    "<html> with attributes": "".join(f"<html a{n}>" for n in range(8_000)),
    "one attribute of 1 MB": '<a href="https://x.example/' + "a" * 900_000 + '">x</a>',
    "many attributes": "<a " + " ".join(f"a{n}" for n in range(15_000)) + ">",
    "many classes": "<a class='" + "mention " * 12_000 + "'>",
    "entities": _html("&notit;&#x1F600"),
    "open brackets": "<" * MOST_HTML,
    "comments": _html("<!---->"),
}
TEXTS: dict[str, Recipe] = {f"content: {name}": _create(content=text) for name, text in HTML.items()} | {
    "content: ten times the most": _create(contentMap=languages(10, _html("<li><ul>"))),
    "content: seven times carried": _create(contentMap=languages(7, "<p>" + _bold(500) + "<p>x" * 500)),
    "content: four times three of each": _create(
        contentMap=languages(4, "<p>" + THREE_OF_EACH + _bold(40, "<i a{n}>") + "<p>x" * 3_800)
    ),
    "content: forty times carried": _create(contentMap=languages(40, "<p>" + _bold(99) + "<p>x" * 99)),
    "content: ten times ends of nothing": _create(contentMap=languages(10, "<span>" * 700 + "</x>" * 22_000)),
    "content: ten times <div>": _create(contentMap=languages(10, _html("<div>"))),
    "content: 18,000 languages": _create(contentMap=languages(18_000, "<b>x")),
    "content: as many languages as may be": _create(contentMap=languages(500, "<b>x" * 40)),
    "content: 18,000 texts": _create(content=["<p>x"] * 18_000),
    "content: 9,000 objects with some": _create(icon=[{"content": "<a href='https://x.example'>x</a>"}] * 9_000),
    "summary: carried": _create(summary="<p>" + _bold(1_500) + "<p>x" * 1_500),
    "text in every shape": _create(content=_deep(40), tag=_deep(40), attachment=_deep(40), summary=_deep(40)),
}
LABELS: dict[str, Recipe] = {
    "aiUsage: 32 statements": _create(
        {"@context": LABELLED}, aiUsage=usage(32), contentUsage=[NO] * 32, indexable=[False] * 32
    ),
    "aiUsage: a list of them": _create(
        {"@context": LABELLED}, aiUsage=[usage(32, 32 * n) for n in range(16)], contentUsage=[NO] * 32,
        indexable=[False] * 32,
    ),
    "aiUsage: lists in lists": _create(
        {"@context": LABELLED}, aiUsage=[[usage(32, 1_000 * m + 32 * n) for n in range(32)] for m in range(3)],
        contentUsage=[NO] * 32, indexable=[False] * 32,
    ),
    "aiUsage: read twice": _create(
        {"@context": [AS2, {**LABELLED[1], "x": "https://w3id.org/fep/1e38#"}]},
        aiUsage=[usage(32, 32 * n) for n in range(16)], contentUsage=[NO] * 32, indexable=[False] * 32,
    ),
    "aiUsage: on every picture": _shown(
        {"@context": LABELLED}, both=True,
        each={"aiUsage": usage(32), "contentUsage": [NO] * 32, "indexable": [False] * 32},
    ),
    "aiUsage: on a post of ours": _ours(
        1, {"@context": LABELLED}, aiUsage=[usage(32, 32 * n) for n in range(32)], contentUsage=[NO] * 32,
        indexable=[False] * 32,
    ),
    "aiUsage: on a post of ours, the opposite": _ours(
        1, {"@context": LABELLED}, aiUsage=[usage(32, 32 * n) for n in range(16)], contentUsage=["train-ai=y"] * 32,
    ),
    "aiUsage: on 16 posts of ours": _ours_listed(
        16, {"@context": LABELLED}, aiUsage=usage(32), contentUsage=[NO] * 32, indexable=[False] * 32
    ),
    "aiUsage: by its IRI": _create(
        {"@context": LABELLED},
        **{AIU + "aiUsage": [usage(32, 32 * n) for n in range(16)], AIU + "contentUsage": [NO] * 32},
    ),
    "aiUsage: by its prefix": _create(
        {"@context": LABELLED},
        **{"aiu:aiUsage": [usage(32, 32 * n) for n in range(16)], "aiu:contentUsage": [NO] * 32},
    ),
    "aiUsage: by another name": _create(
        {"@context": [AS2, ALIASED]}, u=[usage(32, 32 * n) for n in range(16)], c=[NO] * 32
    ),
    "aiUsage: by all names": _create(
        {"@context": [*LABELLED, ALIASED]}, aiUsage=[usage(8)] * 8, u=[usage(8, 100)] * 8, contentUsage=[NO] * 32,
        c=[NO] * 32, **{AIU + "aiUsage": [usage(8, 200)] * 8, "aiu:contentUsage": [NO] * 32},
    ),
    "aiUsage: by another name, on a post of ours": _ours(
        1, {"@context": [AS2, ALIASED]}, u=[usage(32, 32 * n) for n in range(16)], c=[NO] * 32
    ),
    "contentUsage: by its IRI, long": _create({"@context": LABELLED}, **{AIU + "contentUsage": MANY_MEMBERS}),
    "contentUsage: by another name, long": _create({"@context": [AS2, ALIASED]}, c=MANY_MEMBERS),
    "contentUsage: by another name, on a post of ours": _ours(1, {"@context": [AS2, ALIASED]}, c=MANY_MEMBERS),
    "aiUsage: 1 MB in one statement": _create(
        {"@context": LABELLED}, aiUsage={"v": 1, "statements": [{"prefs": {"search": "n"}, "a": "x" * 900_000}]}
    ),
    "contentUsage: parameters": _create({"@context": LABELLED}, contentUsage="train-ai=n" + ";a=1" * 200_000),
    "contentUsage: members": _create({"@context": LABELLED}, contentUsage=MANY_MEMBERS),
    "contentUsage: members, read twice": _create(
        {"@context": [AS2, RENAMED]}, contentUsage=MANY_MEMBERS
    ),
    "contentUsage: members, on a post of ours": _ours(
        1, {"@context": LABELLED}, contentUsage=MANY_MEMBERS
    ),
    "contentUsage: 32 long ones": _create({"@context": LABELLED}, contentUsage=["train-ai=n" + ";a=1" * 6_000] * 32),
    "contentUsage: brackets": _create({"@context": LABELLED}, contentUsage="a=(" * 300_000),
    "contentUsage: escapes": _create({"@context": LABELLED}, contentUsage='a="' + "\\" * 400_000),
    "xRobotsTag: words": _create({"@context": LABELLED}, xRobotsTag="noai," * 180_000),
    "xRobotsTag: blanks": _create({"@context": LABELLED}, xRobotsTag=" " * 900_000),
    "xRobotsTag: no colon": _create({"@context": LABELLED}, xRobotsTag="a" * 900_000),
}  # fmt: skip
CONTEXTS: dict[str, Recipe] = {
    "contexts: 10,000 in a list": _create({"@context": [AS2, *[{}] * 9_700]}),
    "contexts: 64 known": _create({"@context": [AS2, SECURITY] * 32}, contentUsage=NO),
    "contexts: spread over nodes": _shown(each={"icon": [{"@context": [{}] * 63}] * 4}),
    "contexts: spread over nodes, read twice": _shown(
        {"icon": [{"@context": [AS2] * 64} for _ in range(200)]}, both=True
    ),
    "contexts: 18,000 terms": _shown({"@context": [AS2, terms(16_000)]}, both=True),
    "contexts: 300 terms for every picture": _shown(
        {"@context": [AS2, terms(280), RENAMED]}, each={"contentUsage": NO}
    ),
    "contexts: each picture has its own": _shown(
        {"@context": RENAMED}, each={"@context": terms(280), "contentUsage": NO}
    ),
    "contexts: one term has many names": _renamed(280, tag=[{"type": "Hashtag", "name": f"#{n}"} for n in range(900)]),
    "contexts: aliases in a chain": _create(
        {"@context": [AS2, {f"t{n}": f"t{n + 1}:a" for n in range(280)}, RENAMED]}, contentUsage=NO, t0=1, t1=2
    ),
    "contexts: aliases of keywords": _create(
        {"@context": [AS2, {f"t{n}": ("@id", "@type", "@value", "@list")[n % 4] for n in range(280)}]}, contentUsage=NO
    ),
    "contexts: nothing, again and again": _renamed(1, icon=[{"@context": None, "name": "x"} for _ in range(280)]),
    "contexts: one for each node": _renamed(1, icon=[{"@context": {"a": "https://x.example/"}, "a": 1}] * 140),
    "contexts: scoped inside terms": _renamed(
        1, {"@context": [AS2, {"Note": {"@id": "as:Note", "@context": [{"Note": {"@id": "as:Note"}}] * 60}}, RENAMED]}
    ),
    "contexts: proofs with their own": _create({"@context": SCOPED}, contentUsage=NO, icon=[{"proof": {}}] * 900),
    "contexts: types with their own": _create(
        {"@context": SCOPED}, contentUsage=NO, tag=[{"type": "DataIntegrityProof"}] * 980
    ),
    "contexts: types by another word": _create(
        {"@context": [AS2, INTEGRITY, ALIASED]}, tag=[{"kind": "DataIntegrityProof"}] * 980, c=NO
    ),
    "contexts: types by another word, on every picture": _shown(
        {"@context": [AS2, INTEGRITY, ALIASED]}, each={"c": NO, "tag": [{"kind": "DataIntegrityProof"}] * 270}
    ),
    "contexts: types by another word, on posts of ours": _ours(
        16, {"@context": [AS2, INTEGRITY, ALIASED]}, tag=[{"kind": "DataIntegrityProof"}] * 900
    ),
    "contexts: keys with their own": _create(
        {"@context": [AS2, MULTIKEY, RENAMED]}, contentUsage=NO, tag=[{"type": "Multikey"}] * 980
    ),
    "contexts: types on every picture": _shown(
        {"@context": SCOPED}, each={"contentUsage": NO, "tag": [{"type": "DataIntegrityProof"}] * 270}
    ),
    "contexts: types on posts of ours": _ours(16, {"@context": SCOPED}, tag=[{"type": "DataIntegrityProof"}] * 900),
    "contexts: many on posts of ours": _ours(16, {"@context": [AS2, *[{}] * 63]}, icon=[{"@context": [{}] * 63}] * 140),
    "contexts: terms on posts of ours": _ours(16, {"@context": [AS2, terms(18_000)]}),
    "contexts: values on posts of ours": _ours(
        16, {"@context": [AS2, RENAMED]}, url=[f"https://x.example/{n}" for n in range(90)],
        icon=[{"name": "x", "content": "y"} for _ in range(900)],
    ),
    "contexts: few, and many members, for every picture": _shown(
        {"@context": [AS2, terms(600)], "x": [[0] * 250] * 60}, both=True, each={"contentUsage": NO}
    ),
    "contexts: few, and many members, on posts of ours": _ours(
        16, {"@context": [AS2, terms(900)], "x": [[0] * 250] * 70}, contentUsage=NO
    ),
    "contexts: few, and as many values as are expanded, for every picture": _shown(
        {"@context": [AS2, terms(200), RENAMED]}, both=True,
        each={"contentUsage": NO, "tag": [{"type": "Hashtag", "name": "#a"}] * 80},
    ),
    "contexts: one address under three names, for every picture": _shown(
        {"@context": [*[AS2, f"{AS2}#", AS2.replace("https", "http")] * 2, ALIASED]}, each={"c": NO}
    ),
    "contexts: many names, for every picture": _shown(
        {"@context": [*[{f"t{n}": f"https://x.example/{n}"} for n in range(60)], ALIASED]}, each={"c": NO}
    ),
    "contexts: a value that is a mark": _create(
        {"@context": [AS2, {"c": {"@id": f"{AIU}contentUsage", "@type": "urn:gateway:member:999:"}}]}, c=NO
    ),
    "contexts: relative names": _renamed(1, to=["../" * 150 + str(n) for n in range(900)]),
    "contexts: a far base": _create(
        {"@context": [AS2, {"@base": "https://x.example/" + "a/" * 5_000}, RENAMED]}, contentUsage=NO,
        to=["../" * 100 + str(n) for n in range(1_900)],
    ),
    "contexts: 3,000 languages": _renamed(1, contentMap=languages(2_800, "x")),
}  # fmt: skip
SHAPES: dict[str, Recipe] = {
    "keys: 19,000 on the activity": lambda aim: packed({**aim.create(), **terms(19_000)}),
    "keys: 19,000 on the note": _create(**terms(19_000)),
    "keys: 19,000, deep down": lambda aim: packed({**aim.create(), "x": _chain(55, terms(19_000))}),
    "keys: spread over 500 nodes": lambda aim: packed({**aim.create(), "x": [dict.fromkeys(terms(38), 0)] * 490}),
    "keys: of 300 characters": _renamed(1, **{"k" * 320 + str(n): 1 for n in range(2_700)}),
    "keys: one of 900 KB": _renamed(1, **{"k" * 900_000: 1}),
    "keys: one IRI of 900 KB": _renamed(1, **{"https://x.example/" + "a/" * 440_000: 1}),
    "values: one of 900 KB": _renamed(1, to=["a" * 900_000]),
    "values: colons": _renamed(1, to=["a:" * 440_000]),
    "values: lists of 255": lambda aim: packed({**aim.create(), "x": [[0] * 255] * 70}),
    "types: 19,000": lambda aim: packed({**aim.create(), "type": ["Create"] * 19_000}),
    "answers: 19,000": _create(inReplyTo=["https://x.example/"] * 19_000),
    "addresses: of ours, as many as there may be": lambda aim: packed(
        aim.create(
            {name: [f"{aim.base}/users/{name}{n}" for n in range(2_000)] for name in ("to", "cc", "audience", "bcc")},
            to=[f"{aim.base}/users/x{n}/followers" for n in range(2_000)], cc=[aim.alice] * 2_000,
        )
    ),
    "tags: as many as there may be": _create(
        tag=[{"type": "Mention", "href": f"https://x.example/{n}"} for n in range(1_000)]
    ),
    "hashtags: as many as there may be": _create(tag=[{"type": "Hashtag", "name": f"#t{n}"} for n in range(1_000)]),
    "options: as many as there may be": _create(
        type="Question", oneOf=[{"type": "Note", "name": f"o{n}", "content": "<b>x"} for n in range(500)]
    ),
    "reported: as many as there may be": lambda aim: packed(
        {**aim.peer.activity("Flag", [f"{aim.base}/posts/{n}" for n in range(500)]), "content": "x" * 900_000}
    ),
    "undone: as many as there may be": lambda aim: packed(
        aim.peer.activity("Undo", {"id": aim.peer.id(), "type": "Follow", "object": [aim.alice] * 500})
    ),
    "numbers: 900 KB of digits": lambda aim: around(aim, b"0." + b"1" * 900_000),
    "numbers: many long ones": lambda aim: around(aim, b"[" + b",".join([b"1." + b"7" * 700] * 1_400) + b"]"),
    "brackets: half a million": lambda aim: around(aim, b"[" + b"[]" * 500_000 + b"]"),
    "strings: a third of a million": lambda aim: around(aim, b"[" + b",".join([b'""'] * 330_000) + b"]"),
    "strings: escapes": lambda aim: around(aim, b'"' + b"\\u0041" * 170_000 + b'"'),
    "strings: pairs": lambda aim: around(aim, b'"' + b"\\ud83d\\ude00" * 80_000 + b'"'),
    "strings: quotes": lambda aim: around(aim, b'"' + b'\\"' * 500_000 + b'"'),
    "strings: never closed": lambda aim: around(aim, b'"' + b"\\" * 900_001),
    "blanks: 900 KB": lambda aim: packed(aim.create()) + b" " * 900_000,
}  # fmt: skip


def _chain(depth: int, last: Any) -> Any:
    for _ in range(depth):
        last = {"x": last}
    return last


def _long_keys(aim: Aim) -> bytes:
    """Return what makes an actor one with as many keys as it may have, each as long as it may be."""
    me = aim.peer.me.id
    key = {"type": "Multikey", "controller": me, "publicKeyMultibase": "z" * 8_192}
    return packed(aim.create(assertionMethod=[{**key, "id": f"{me}#k{number}"} for number in range(9)]))


CONTEXTS["keys: as many and as long as they may be"] = _long_keys
# Those that are hard to read wherever they stand, and those that are hard to keep as well.
READABLE: dict[str, Recipe] = {**LABELS, **CONTEXTS}
FETCHABLE: dict[str, Recipe] = {**TEXTS, **READABLE}
BEYOND: dict[str, Recipe] = {**TEXTS, **LABELS, **CONTEXTS, **SHAPES}

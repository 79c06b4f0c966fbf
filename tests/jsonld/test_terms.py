"""Two readings of the preference terms on a node, and the ways to smuggle between them."""

from __future__ import annotations

from typing import Any

import pytest
from jsonld.loading import WORDS, pinned

from gateway.carriers.jsonld_terms import CONTEXT, IRIS
from gateway.errors import MalformedDocument
from gateway.jsonld.contexts import AS2
from gateway.jsonld.members import MAX_MEMBERS, MAX_READ
from gateway.jsonld.terms import MAX_VALUES, TwoReadings, read_node

NO, YES = "train-ai=n", "train-ai=y"
ID = "https://peer.example/notes/1"
AI_USAGE = {"v": 1, "prefs": {"train-gen": "n"}}
USAGE = IRIS["contentUsage"]
INDEXABLE = IRIS["indexable"]


def _note(*contexts: object, **terms: object) -> dict[str, Any]:
    return {"@context": [AS2, *contexts], "id": ID, "type": "Note", "content": "x", **terms}


def _read(document: dict[str, Any], *path: str | int) -> TwoReadings:
    return read_node(document, path, WORDS, pinned())


def _agreed(readings: TwoReadings, term: str = "contentUsage") -> object:
    """Return what both readings say, or None: only that can be a permission."""
    other = (readings.expanded or {}).get(term)
    return readings.plain.get(term) if readings.plain.get(term) == other else None


def _either(readings: TwoReadings, term: str = "contentUsage") -> list[object]:
    """Return everything either reading says: a refusal among it counts."""
    found: list[object] = []
    for values in (readings.plain, readings.expanded or {}):
        value = values.get(term)
        found += value if isinstance(value, list) else [value]
    return found


def test_our_own_form_takes_the_fast_path() -> None:
    """Terms defined inline as we define them read the same as plain JSON and as JSON-LD."""
    terms = {"contentUsage": NO, "aiUsage": AI_USAGE, "xRobotsTag": "noai", "indexable": False}
    readings = _read(_note(CONTEXT, **terms))
    assert readings.is_plain
    assert readings.plain == readings.expanded == terms


def test_the_fast_path_says_what_expansion_says() -> None:
    """The same document with one more, harmless but unknown-looking, definition reads the same by expansion."""
    terms = {"contentUsage": NO, "aiUsage": AI_USAGE, "xRobotsTag": "noai", "indexable": False}
    slow = _read(_note(CONTEXT, {"@version": 1.1}, **terms))
    assert not slow.is_plain
    assert slow.plain == slow.expanded == terms


@pytest.mark.parametrize(
    "contexts",
    [
        (),
        ("https://w3id.org/security/v1", "https://gotosocial.org/ns"),
        (CONTEXT,),
        ({"toot": "http://joinmastodon.org/ns#", "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"}},),
        ({"Hashtag": "as:Hashtag", "sensitive": "as:sensitive", "uri": "@id", "kind": "@type"},),
        ({"aiu": CONTEXT["aiu"], "contentUsage": CONTEXT["contentUsage"], "x": {"@id": "urn:x", "@type": "@id"}},),
    ],
    ids=range(6),
)
def test_ordinary_documents_stay_on_the_fast_path(contexts: tuple[object, ...]) -> None:
    """Contexts that cannot touch our terms cost no expansion."""
    assert _read(_note(*contexts)) == TwoReadings(plain={}, expanded={}, is_plain=True)


@pytest.mark.parametrize(
    "key",
    [USAGE, "aiu:contentUsage", "p:contentUsage", "q:e38#contentUsage", "usage"],
)
def test_a_term_in_another_form_is_not_stripped(key: str) -> None:
    """LAB-STRIP-003: full IRI, our prefix, another prefix or another name of the same term is still read."""
    # A term whose IRI ends in a letter is a prefix only when it says so.
    q = {"@id": "https://w3id.org/fep/1", "@prefix": True}
    context = {"aiu": CONTEXT["aiu"], "p": CONTEXT["aiu"], "q": q, "usage": USAGE}
    readings = _read(_note(context, **{key: NO}))
    assert NO in _either(readings)
    assert (readings.expanded or {}).get("contentUsage") == NO


def test_a_full_iri_needs_no_context() -> None:
    """LAB-STRIP-003: the IRI itself as a key is read in both readings without any definition."""
    readings = _read(_note(**{USAGE: NO}))
    assert readings.plain == readings.expanded == {"contentUsage": NO}


@pytest.mark.parametrize("key", ["mastodon:indexable", "visible"])
def test_a_prefix_of_a_known_context_is_known(key: str) -> None:
    """LAB-STRIP-003: a document compacted with a bundled context that has another prefix for our term is read."""
    document = {
        "@context": [AS2, "https://join-lemmy.org/context.json", {"visible": "mastodon:indexable"}],
        "id": ID,
        "type": "Person",
        key: False,
    }
    readings = _read(document)
    assert not readings.is_plain
    assert readings.expanded == {"indexable": False}


def test_a_term_that_no_context_defines_is_plain_only() -> None:
    """A term without a definition is dropped by JSON-LD, so it can refuse but not permit."""
    readings = _read(_note(contentUsage=YES))
    assert (readings.plain, readings.expanded) == ({"contentUsage": YES}, {})
    assert _agreed(readings) is None
    assert NO in _either(_read(_note(contentUsage=NO)))


def test_another_property_under_our_iri_never_permits() -> None:
    """LAB-SMUG-002: harmless text mapped to our IRI is no permission, because the plain reading lacks it."""
    contexts: list[dict[str, object]] = [
        {"summary": USAGE},
        {"summary": {"@id": USAGE}},
        {"summary": "aiu:contentUsage", "aiu": CONTEXT["aiu"]},
    ]
    for context in contexts:
        readings = _read(_note(context, summary=YES))
        assert readings.plain == {}
        assert _agreed(readings) is None


@pytest.mark.parametrize("elsewhere", ["urn:elsewhere", {"@id": "urn:elsewhere"}, None, {"@id": None}, "@id", "@type"])
def test_our_term_under_another_iri_never_permits(elsewhere: object) -> None:
    """LAB-SMUG-002: our name mapped elsewhere is no permission, and a no under our name is still seen."""
    readings = _read(_note(CONTEXT, {"contentUsage": elsewhere}, contentUsage=YES))
    assert not readings.is_plain
    assert _agreed(readings) is None
    assert NO in _either(_read(_note(CONTEXT, {"contentUsage": elsewhere}, contentUsage=NO)))


def test_a_null_context_hides_nothing() -> None:
    """LAB-SMUG-004: @context null inside the object drops the term for JSON-LD, and the plain no remains."""
    for context in (None, [None], [AS2, None]):
        inner: dict[str, object] = {"@context": context, "id": ID, "type": "Note", "contentUsage": NO}
        outer: dict[str, object] = {"@context": [AS2, CONTEXT], "type": "Create"}
        readings = _read({**outer, "object": inner}, "object")
        assert readings.plain == {"contentUsage": NO}
        assert readings.expanded == {}
        assert _agreed(_read({**outer, "object": {**inner, "contentUsage": YES}}, "object")) is None


def test_a_node_of_which_nothing_is_left_says_nothing() -> None:
    """LAB-SMUG-004: where every key is dropped the expanded reading is empty, not impossible."""
    readings = _read({"@context": None, "contentUsage": YES})
    assert (readings.plain, readings.expanded) == ({"contentUsage": YES}, {})


@pytest.mark.parametrize(
    "context",
    [
        {"@vocab": "_:"},
        {"@vocab": "urn:elsewhere:"},
        {"@vocab": CONTEXT["aiu"]},
        {"@version": 1.1},
        {"@protected": True, "contentUsage": "urn:elsewhere"},
        {"contentUsage": {"@id": "urn:elsewhere", "@protected": True}},
        {"@propagate": False},
        {"@language": "en"},
        {"@base": "https://evil.example/"},
        {"Note": {"@id": "as:Note", "@context": {"contentUsage": None}}},
        {"contentUsage": {"@id": USAGE, "@type": "@id"}},
        {"contentUsage": {"@id": USAGE, "@container": "@language"}},
        {"content": {"@id": "as:content", "@nest": "nested"}},
        {"contentUsage": {"@reverse": USAGE}},
        {"contentUsage": ["urn:x"]},
        {"x": 5},
        {"@version": 1.0},
        "https://evil.example/ns",
        5,
    ],
    ids=range(19),
)
def test_context_games_give_the_same_answer_or_the_stricter(context: object) -> None:
    """LAB-SMUG-005: @protected, @vocab, @version and their kin leave the fast path and never lose the no."""
    readings = _read(_note(CONTEXT, context, contentUsage=NO))
    assert not readings.is_plain
    assert NO in _either(readings)


@pytest.mark.parametrize(
    "context",
    [
        {"@vocab": "_:"},
        {"@protected": True, "contentUsage": "urn:elsewhere"},
        {"Note": {"@id": "as:Note", "@context": {"contentUsage": None}}},
        {"contentUsage": {"@id": USAGE, "@type": "@id"}},
        {"@language": "en"},
        {"@version": 1.0},
        "https://evil.example/ns",
    ],
    ids=range(7),
)
def test_context_games_never_make_a_permission(context: object) -> None:
    """LAB-SMUG-005: where JSON-LD does not read our term as plain text, there is no agreed yes."""
    readings = _read({"@context": [AS2, context], "id": ID, "type": "Note", "contentUsage": YES})
    assert _agreed(readings) is None


def test_an_alias_chain_is_followed() -> None:
    """LAB-SMUG-006: a name that reaches our IRI through other names is read, and permits nothing alone."""
    for context in (
        {"a": "b", "b": USAGE},
        {"a": "b:contentUsage", "b": CONTEXT["aiu"]},
        {"a": "aiu:contentUsage", "aiu": CONTEXT["aiu"]},
        {"a": "contentUsage", "contentUsage": USAGE},
        {**CONTEXT, "a": "contentUsage"},
    ):
        readings = _read(_note(context, a=NO))
        assert not readings.is_plain
        assert (readings.expanded or {}).get("contentUsage") == NO
        assert _agreed(_read(_note(context, a=YES))) is None


def test_an_attackers_prefix_is_not_ours() -> None:
    """LAB-SMUG-006: our prefix bound to another namespace permits nothing, and its no is still seen."""
    hijack = {**CONTEXT, "aiu": "https://evil.example/ns#"}
    for key in ("contentUsage", "aiu:contentUsage"):
        readings = _read(_note(hijack, **{key: YES}))
        assert not readings.is_plain
        assert readings.expanded == {}
        assert _agreed(readings) is None
        assert NO in _either(_read(_note(hijack, **{key: NO})))


@pytest.mark.parametrize(
    "document",
    [
        _note(CONTEXT, **{"@included": [{"id": "https://other.example/1", "contentUsage": YES}]}),
        _note(CONTEXT, **{"@reverse": {"as:object": {"id": "https://other.example/1", "contentUsage": YES}}}),
        _note(CONTEXT, **{"@graph": [{"id": "https://other.example/1", "contentUsage": YES}]}),
        {"@context": [AS2, CONTEXT], "@graph": [{"id": "https://other.example/1", "contentUsage": YES}]},
        {"@context": [AS2, CONTEXT], "@graph": [{"type": "Note", "contentUsage": YES}]},
        {"@context": [AS2, CONTEXT, {"g": "@graph"}], "g": [{"id": "https://other.example/1", "contentUsage": YES}]},
        _note(CONTEXT, object={"id": "https://other.example/1", "contentUsage": YES}),
        _note(CONTEXT, attachment=[{"type": "Image", "contentUsage": YES}]),
        {"@context": [AS2, CONTEXT, {"x": {"@id": "urn:x", "@container": "@graph"}}], "x": {"contentUsage": YES}},
    ],
    ids=range(9),
)
def test_a_label_of_another_subject_is_not_taken(document: dict[str, Any]) -> None:
    """LAB-SMUG-007: what @graph, @included, @reverse or a child node says is not the root's word."""
    readings = _read(document)
    assert readings.plain == {}
    assert not readings.expanded


def test_a_child_has_its_own_label() -> None:
    """Each node is read under the contexts above it, and siblings and parents stay apart."""
    document = {
        "@context": [AS2, CONTEXT, {"usage": USAGE}],
        "type": "Create",
        "contentUsage": YES,
        "object": {
            "type": "Note",
            "usage": NO,
            "attachment": [{"type": "Image"}, {"type": "Image", "aiu:contentUsage": NO}],
        },
    }
    assert (_read(document, "object").expanded or {})["contentUsage"] == NO
    assert _read(document, "object", "attachment", 0).expanded == {}
    assert _read(document, "object", "attachment", 1).plain == {"contentUsage": NO}
    assert _read(document).plain == {"contentUsage": YES}


@pytest.mark.parametrize(
    "path", [("missing",), ("object", 0), ("content",), ("tag", 5), ("tag", "x"), (0,), ("tag", 0, "x")]
)
def test_a_path_that_leads_nowhere_says_nothing(path: tuple[str | int, ...]) -> None:
    """A path to nothing, to text or past a list has no readings."""
    document = _note(CONTEXT, {"x": USAGE}, contentUsage=YES, object={"id": "x"}, tag=["t"])
    assert _read(document, *path) == TwoReadings(plain={}, expanded=None, is_plain=False)


def test_a_context_inside_the_node_counts() -> None:
    """A definition that stands on the node itself, or between it and the root, is applied."""
    inner = {"@context": {"usage": USAGE}, "type": "Note", "usage": NO}
    assert (_read({"@context": AS2, "object": inner}, "object").expanded or {}) == {"contentUsage": NO}
    between = {"@context": AS2, "object": {"@context": [{"usage": USAGE}], "attachment": {"usage": NO}}}
    assert (_read(between, "object", "attachment").expanded or {}) == {"contentUsage": NO}


@pytest.mark.parametrize("values", [[NO, YES], [YES, NO]])
def test_two_values_in_one_array_are_both_read(values: list[str]) -> None:
    """LAB-DOWN-009: neither value of an array is lost, on either path, so that the no can win."""
    for contexts in ((CONTEXT,), (CONTEXT, {"x": USAGE})):
        readings = _read(_note(*contexts, contentUsage=values))
        assert readings.plain == readings.expanded == {"contentUsage": values}


def test_one_term_under_several_names_is_read_from_all() -> None:
    """LAB-DOWN-009: a yes under the short name does not hide a no under the IRI."""
    readings = _read(_note(CONTEXT, **{"contentUsage": YES, "aiu:contentUsage": NO, USAGE: NO}))
    assert readings.plain["contentUsage"] == [YES, NO, NO]


@pytest.mark.parametrize("count", [MAX_VALUES + 1, MAX_READ + 1])
def test_more_values_than_anybody_needs_are_not_read_in_part(count: int) -> None:
    """A no behind many other values cannot be cut off: the document is refused."""
    with pytest.raises(MalformedDocument):
        _read(_note(CONTEXT, {"x": USAGE}, x=[f"v{index}" for index in range(count)]))
    with pytest.raises(MalformedDocument):
        _read(_note(CONTEXT, {"x": USAGE}, **{f"m{index}": 1 for index in range(MAX_MEMBERS)}))


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({}, {"contentUsage": {"@list": [NO]}}),
        ({}, {"contentUsage": {"@value": NO, "@type": "http://www.w3.org/2001/XMLSchema#string"}}),
        ({}, {"contentUsage": {"@value": NO, "@language": "en"}}),
        ({"c": {"@id": USAGE, "@type": "http://www.w3.org/2001/XMLSchema#string"}}, {"c": NO}),
        ({"c": {"@id": USAGE, "@container": "@list"}}, {"c": [NO]}),
        ({"@language": "en", "c": USAGE}, {"c": NO}),
    ],
    ids=range(6),
)
def test_a_no_in_an_odd_form_is_handed_on(context: dict[str, object], said: dict[str, object]) -> None:
    """Lists, languages and datatypes are no values of our terms, and their texts are told apart: a no counts."""
    assert _read(_note(CONTEXT, context, **said)).loose == {"contentUsage": [NO]}


def test_what_does_not_propagate_hides_nothing_inside() -> None:
    """A context that holds for its own node only takes no term away from the nodes inside."""
    alone = {"@propagate": False, "contentUsage": None, "c": None}
    document = {
        "@context": [AS2, CONTEXT, {"c": USAGE}],
        "object": {"@context": alone, "type": "Note", "attachment": [{"type": "Image", "c": NO}]},
    }
    assert _read(document, "object", "attachment", 0).expanded == {"contentUsage": NO}


@pytest.mark.parametrize("value", ["true", 1, {}, None, [], "no ", "NO", {"n": "y"}, [[]], 0, ""])
@pytest.mark.parametrize("term", ["contentUsage", "indexable", "xRobotsTag"])
def test_a_value_of_the_wrong_type_is_handed_on_as_it_is(term: str, value: object) -> None:
    """LAB-DOWN-011: nothing is coerced into a value that somebody could take for permission."""
    for contexts in ((CONTEXT,), (CONTEXT, {"x": USAGE})):
        readings = _read(_note(*contexts, **{term: value}))
        assert readings.plain == {term: value}
        assert type(readings.plain[term]) is type(value)
        assert readings.expanded in ({}, {term: value})


@pytest.mark.parametrize(
    "value",
    [
        {"@value": True, "@language": "en"},
        {"@value": "true", "@type": "http://www.w3.org/2001/XMLSchema#string"},
        {"@value": "true", "@type": "http://www.w3.org/2001/XMLSchema#boolean"},
        {"@value": True, "@language": None, "@type": "urn:x"},
        {"@value": "train-ai=y", "@language": "en"},
        {"@id": "train-ai=y"},
        {"@list": [True]},
        [{"@value": "train-ai=y", "@language": "ja"}],
    ],
    ids=range(8),
)
@pytest.mark.parametrize("term", ["contentUsage", "indexable"])
def test_a_tagged_or_typed_literal_is_no_value(term: str, value: object) -> None:
    """LAB-DOWN-012: a language tag, another datatype or a node is no yes, and both paths say the same."""
    fast, slow = _read(_note(CONTEXT, **{term: value})), _read(_note(CONTEXT, {"x": USAGE}, **{term: value}))
    assert fast == slow
    assert not fast.expanded
    assert _agreed(fast, term) is None


@pytest.mark.parametrize(
    "value", [{"@value": NO}, [{"@value": NO}], [[{"@value": NO}]], {"@set": [NO]}, {"@value": NO, "@type": None}]
)
def test_a_value_object_is_the_value(value: object) -> None:
    """LAB-DOWN-012: an untagged value object is a no as much as the bare text, even with known contexts."""
    readings = _read(_note(CONTEXT, contentUsage=value))
    assert not readings.is_plain
    assert NO in _either(readings)


def test_a_json_literal_keeps_its_shape() -> None:
    """AiUsage is one JSON value: what looks like JSON-LD inside it is left alone."""
    usage = {**AI_USAGE, "@value": "x", "@id": "y"}
    fast, slow = _read(_note(CONTEXT, aiUsage=usage)), _read(_note(CONTEXT, {"x": USAGE}, aiUsage=usage))
    assert fast.is_plain
    assert fast.plain == slow.plain == slow.expanded == {"aiUsage": usage}


def test_a_definition_deeper_down_is_about_what_is_there() -> None:
    """A context below a node changes nothing about it, and is looked at when the node that has it is read."""
    document = _note(CONTEXT, contentUsage=NO, tag=[{"name": "x", "@context": {"y": USAGE}, "y": NO}])
    assert _read(document).is_plain
    assert _read(document).expanded == {"contentUsage": NO}
    assert not _read(document, "tag", 0).is_plain
    assert _read(document, "tag", 0).expanded == {"contentUsage": NO}


@pytest.mark.parametrize("nested", [{"contentUsage": NO}, [{"summary": "x"}, {"contentUsage": NO}]])
def test_what_is_nested_is_said_by_the_node(nested: object) -> None:
    """A no inside of @nest, or of another name for it, is one: JSON-LD readers see it on the node itself."""
    assert NO in _either(_read(_note(CONTEXT, **{"@nest": nested})))
    assert NO in _either(_read(_note({**CONTEXT, "folded": "@nest"}, folded=nested)))


def test_names_are_term_iri_and_prefixed_form() -> None:
    """A term may stand under its name, its full IRI, or the prefix that our own context defines."""
    assert WORDS.keys["contentUsage"] == ("contentUsage", USAGE, "aiu:contentUsage")
    assert WORDS.keys["indexable"] == ("indexable", INDEXABLE, "toot:indexable")
    assert WORDS.keys["xRobotsTag"] == ("xRobotsTag", IRIS["xRobotsTag"])


def test_proofs_are_not_expanded() -> None:
    """A proof, whose contexts cost as much as the document's, is left out of the reading, wherever it stands."""
    security = "https://w3id.org/security/data-integrity/v2"
    proof = {"@context": [AS2, security] * 8, "type": "DataIntegrityProof", "proofValue": "z1"}
    inner = {"type": "Note", "proof": [proof], "signature": proof}
    odd = {"x": {"@id": "https://x.example/#x", "@context": {}}}
    readings = _read(_note(CONTEXT, odd, contentUsage=NO, proof=proof, object=inner))
    assert not readings.is_plain
    assert readings.expanded is None  # a scoped context is not taken
    readings = _read(_note(CONTEXT, {"y": "aiu:contentUsage"}, contentUsage=NO, proof=proof, object=inner))
    assert not readings.is_plain
    assert readings.expanded == readings.plain == {"contentUsage": NO}


def test_what_is_only_called_a_proof_is_read() -> None:
    """A no that a context hides under the name of a proof is still a no."""
    aliased = {"proof": "aiu:contentUsage"}
    assert NO in _either(_read(_note(CONTEXT, aliased, proof=NO)))
    assert NO in _either(_read(_note(CONTEXT, aliased, proof={"@value": NO})))

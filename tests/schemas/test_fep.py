"""The draft "AI Usage Preferences", its context and its schema say what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from gateway.activitypub.labels import Reader, context_for
from gateway.carriers import content_signal, content_usage, jsonld_terms
from gateway.carriers.forms import FORMS
from gateway.carriers.jsonld_terms import CONTEXT, IRIS, TERMS, TermValues
from gateway.carriers.reading import Source
from gateway.jsonld.contexts import AS2
from gateway.preferences import (
    AI_USES,
    AXES,
    MEANINGS,
    PRESETS,
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preferences,
    Preset,
    Scope,
    Statement,
    Subject,
    combined,
    labels,
    statements_at_home,
)
from gateway.runtime import read_contexts, schemas_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "AI Usage Preferences"
DRAFT = (schemas_directory() / "fep-1e38.md").read_text("utf-8")
SCHEMA: dict[str, Any] = json.loads((schemas_directory() / "ai-usage.json").read_text("utf-8"))
BLOCKS = re.findall(r"^```json\n(.*?)^```$", DRAFT, re.MULTILINE | re.DOTALL)
ACTORS = ("Person", "Application")
DASH = "—"
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
AUTHOR = Declarant(kind=DeclarantKind.AUTHOR, id="https://social.example/users/alice", auth=Auth.LOCAL)
SUBJECT = Subject(scope=Scope.OBJECT, ref="https://social.example/posts/1")
SOURCE = Source(subject=SUBJECT, declared_by=AUTHOR, observed_at=AT)
INSTANCE = "https://social.example/actor"
ASKED = Preferences.of(train_gen="n", train_other="n", ai_input="n", ai_generate="n", ai_index="n")
SAID = Statement(
    subject=SUBJECT, prefs=Preferences.of(train_gen="n", search="y"), declared_by=AUTHOR, carrier="home",
    observed_at=AT, asserted_at=AT,
)  # fmt: skip
GRANT = replace(
    SAID,
    prefs=Preferences.of(train_gen="y"),
    audience=Audience(kind="did", value="did:web:archive.example"),
    conditions=(Condition(category=Category.TRAIN_GEN, kind="exceptions", value="cc-cr"),),
    expires_at=AT + timedelta(days=30),
)


def problems_of(usage: object) -> list[str]:
    """Return what the schema finds wrong with a value of ``aiUsage``."""
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(usage)]


def labelled(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield every node of an example that carries ``aiUsage``, itself included."""
    if isinstance(value, Mapping):
        if isinstance(value.get("aiUsage"), Mapping) and "v" in value["aiUsage"]:
            yield value
        for key, item in value.items():
            if key not in ("@context", "aiUsage"):
                yield from labelled(item)
    elif isinstance(value, list):
        for item in value:
            yield from labelled(item)


def documents() -> list[dict[str, Any]]:
    """Return the examples that are whole documents."""
    return [document for document in map(json.loads, BLOCKS) if "type" in document]


def nodes() -> list[Mapping[str, Any]]:
    """Return every labelled node of every example."""
    return [node for block in BLOCKS for node in labelled(json.loads(block))]


def tables() -> list[list[list[str]]]:
    """Return the tables of the draft as rows of cells, each with its head, without the line below it."""
    found = re.findall(r"(?:^\|.*\|\n)+", DRAFT, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if "|---" not in line]
        for table in found
    ]


def table(first: str, second: str) -> list[list[str]]:
    """Return the one table whose first row begins with these cells."""
    (found,) = [rows for rows in tables() if rows[0][0] == first and rows[0][1] == second]
    return found


def code(cell: str) -> list[str]:
    """Return the words of a cell that are set as code."""
    return re.findall(r"`([^`]+)`", cell)


def test_slug() -> None:
    """The slug is the first four hex digits of the SHA-256 of the title, and the namespace is made of it."""
    slug = hashlib.sha256(TITLE.encode()).hexdigest()[:4]
    front, heading = DRAFT.split("---\n")[1], DRAFT.split("---\n")[2].splitlines()[0]
    assert f'slug: "{slug}"\n' in front
    assert f"title: {TITLE}\n" in front
    assert "status: DRAFT\n" in front
    assert heading == f"# FEP-{slug}: {TITLE}"
    assert f"https://w3id.org/fep/{slug}#" == jsonld_terms.NAMESPACE


def test_sections() -> None:
    """The sections that a reader looks for are there, links within the draft lead to one, and CC0 ends it."""
    heads = re.findall(r"^##+ (.+)$", DRAFT, re.MULTILINE)
    for wanted in ("Summary", "Motivation", "Model", "Terms", "Mapping", "Reading", "Security considerations",
                   "Privacy considerations", "Examples", "Implementations", "References"):  # fmt: skip
        assert wanted in heads
    anchors = {head.lower().replace(" ", "-") for head in heads}
    assert set(re.findall(r"\]\(#([^)]+)\)", DRAFT)) <= anchors
    assert all((schemas_directory() / name).exists() for name in re.findall(r"\]\(\./([^)]+)\)", DRAFT))
    assert heads[-1] == "Copyright"
    assert "CC0 1.0" in DRAFT.rpartition("## Copyright")[2]


def test_context_file() -> None:
    """The context document defines exactly the terms that the code defines, and so does the draft."""
    context = json.loads((schemas_directory() / "ai-usage.jsonld").read_text("utf-8"))
    assert context == {"@context": dict(CONTEXT)}
    assert {"@context": [AS2, dict(CONTEXT)]} in map(json.loads, BLOCKS)


def test_terms_table() -> None:
    """The draft names each term with its IRI."""
    rows = table("Term", "IRI")[1:]
    assert {code(row[0])[0]: code(row[1])[0] for row in rows} == dict(IRIS)


def test_example_kinds() -> None:
    """There are whole examples of a note with an attachment, an actor, a boost and a tombstone."""
    assert [document["type"] for document in documents()] == ["Note", "Person", "Announce", "Tombstone"]
    assert [item["type"] for item in documents()[0]["attachment"]] == ["Image"]
    assert all(set(TERMS) & node.keys() for node in nodes())
    assert len(nodes()) == 6


@pytest.mark.parametrize("document", documents(), ids=lambda document: str(document["type"]))
def test_example_contexts(document: dict[str, Any]) -> None:
    """Each whole example has the context of a document that goes out."""
    assert document["@context"] == context_for(actor=document["type"] in ACTORS)


@pytest.mark.parametrize("node", nodes())
def test_example_values(node: Mapping[str, Any]) -> None:
    """Each labelled node is valid, and its other terms and words are those of its combined answer."""
    usage = node["aiUsage"]
    assert problems_of(usage) == []
    prefs = Preferences.from_json(usage["prefs"])
    assert usage["prefs"] == prefs.as_json()
    assert usage["labels"] == list(labels(prefs))
    assert node.get("contentUsage", "") == content_usage.render(prefs)


@pytest.mark.parametrize("node", nodes())
def test_example_round_trip(node: Mapping[str, Any]) -> None:
    """Each labelled node, read and written again, stays what it is."""
    statements = jsonld_terms.parse(TermValues(ai_usage=node["aiUsage"]), SOURCE).statements
    assert jsonld_terms.render(statements) == {name: node[name] for name in TERMS if name in node}


@pytest.mark.parametrize("document", documents(), ids=lambda document: str(document["type"]))
def test_example_readings(document: dict[str, Any]) -> None:
    """As plain JSON and as expanded JSON-LD each whole example says its combined answer, without a problem."""
    reader = Reader(contexts=read_contexts(), observed_at=AT)
    # A context of the document's own keeps the fast path away, so that it really is expanded.
    slow = {**document, "@context": [*document["@context"], {"@vocab": "https://social.example/ns#"}]}
    for example in (document, slow):
        reading = reader.whole(example, (), document["id"], AUTHOR)
        assert reading.problems == ()
        assert combined(reading.statements, at=AT).as_json() == document["aiUsage"]["prefs"]


def test_categories() -> None:
    """The draft lists exactly the categories, in their order, with their kinds and meanings."""
    rows = table("Category", "Kind")[1:]
    kinds = {**dict.fromkeys(AI_USES, "AI use"), **dict.fromkeys(AXES, "reuse axis")}
    assert [(code(row[0]), row[1], row[2]) for row in rows] == [
        ([category.value], kinds.get(category, "other use"), MEANINGS[category]) for category in Category
    ]


def test_mapping_table() -> None:
    """The mapping has a row for each category and a dash exactly where a form cannot express its refusal."""
    head, *rows = table("Category", "`content-usage`")
    assert [code(row[0]) for row in rows] == [[category.value] for category in Category]
    for column, cell in enumerate(head[1:], 1):
        for name in code(cell):
            dashed = {Category(code(row[0])[0]) for row in rows if row[column].startswith(DASH)}
            assert dashed == FORMS[name].inexpressible, name


@pytest.mark.parametrize(
    ("form", "tokens"), [("content-usage", content_usage.TOKENS), ("content-signal", content_signal.SIGNALS)]
)
def test_mapping_tokens(form: str, tokens: Mapping[str, tuple[Category, ...]]) -> None:
    """The cells of a form with tokens name the token that speaks about the category."""
    head, *rows = table("Category", "`content-usage`")
    column = head.index(f"`{form}`")
    assert {code(row[0])[0]: code(row[column]) for row in rows} == {
        category.value: [token for token, categories in tokens.items() if category in categories]
        for category in Category
    }


def test_forms_table() -> None:
    """The draft lists every form, with the categories whose refusal it cannot express."""
    rows = table("Form", "Where it stands")[1:]
    assert {code(row[0])[0]: code(row[2]) for row in rows} == {
        name: [category.value for category in Category if category in form.inexpressible]
        for name, form in FORMS.items()
    }
    assert all(row[2] == "none" for row in rows if not code(row[2]))


def test_schema() -> None:
    """The schema is one, describes every member, and knows exactly the categories, roles and vocabulary of the code."""
    Draft202012Validator.check_schema(SCHEMA)
    parts = SCHEMA["$defs"]
    members = [member for part in (SCHEMA, *parts.values()) for member in part.get("properties", {}).values()]
    assert all("description" in part for part in parts.values())
    assert all("description" in member or "$ref" in member for member in members)
    assert parts["category"]["enum"] == [category.value for category in Category]
    assert list(parts["preferences"]["properties"]) == [category.value for category in Category]
    assert parts["declarant"]["properties"]["kind"]["enum"] == [kind.value for kind in DeclarantKind]
    assert SCHEMA["properties"]["vocab"]["const"] == content_usage.VOCABULARY_URL
    assert SCHEMA["properties"]["v"]["const"] == jsonld_terms.VERSION


@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("asked", [Preferences(), ASKED], ids=["nothing-asked", "asked"])
def test_rendered_presets(preset: Preset, asked: Preferences) -> None:
    """What is written for each preset is valid, with and without the operator's statement beside it."""
    statements = statements_at_home(
        subject=SUBJECT, author=AUTHOR.id, said=PRESETS[preset], instance=INSTANCE, asked=asked, at=AT
    )
    assert problems_of(jsonld_terms.render(statements)["aiUsage"]) == []


def test_rendered_grant() -> None:
    """A conditional grant that expires is valid and stays out of the combined answer."""
    usage = jsonld_terms.render([SAID, GRANT])["aiUsage"]
    assert problems_of(usage) == []
    assert isinstance(usage, dict)
    assert usage["prefs"] == {"train-gen": "n", "search": "y"}
    assert usage["statements"][1]["expires"] == "2026-12-22T10:00:00Z"


@pytest.mark.parametrize("kind", list(DeclarantKind))
def test_rendered_roles(kind: DeclarantKind) -> None:
    """What anybody in any role said is valid, dated or not."""
    statement = replace(SAID, declared_by=Declarant(kind=kind, id="social.example"), asserted_at=None)
    assert problems_of(jsonld_terms.render([statement])["aiUsage"]) == []


@pytest.mark.parametrize("count", range(len(Category) + 1))
@pytest.mark.parametrize("said", ["n", "y"])
def test_rendered_words(count: int, said: str) -> None:
    """The schema asks for the same words as the code, whatever is stated."""
    prefs = Preferences.from_json({category.value: said for category in list(Category)[:count]})
    usage = jsonld_terms.render([replace(SAID, prefs=prefs)])["aiUsage"]
    assert isinstance(usage, dict)
    assert problems_of(usage) == []
    for words in ([], ["notrain"], ["noai", "notrain"]):
        assert (problems_of({**usage, "labels": words}) == []) == (words == usage["labels"])


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"v": "1"},
        {"v": True},
        {"vocab": "https://example.org/"},
        {"labels": ["noai"]},
        {"labels": "notrain"},
        {"prefs": {"train-gen": "no"}},
        {"prefs": {"training": "n"}},
        {"prefs": []},
        {"statements": {}},
        {"statements": [{"prefs": {"train-gen": "n"}}]},
        {"more": 1},
    ],
)
def test_invalid(changed: dict[str, object]) -> None:
    """The schema refuses what is never written."""
    usage = jsonld_terms.render([SAID])["aiUsage"]
    assert isinstance(usage, dict)
    assert problems_of({**usage, **changed}) != []


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("prefs", {"search": None}),
        ("conditions", None),
        ("conditions", [{"category": "mood", "kind": "x", "value": "y"}]),
        ("audience", {"kind": "any", "value": "did:web:archive.example"}),
        ("audience", "any"),
        ("declaredBy", {"kind": "owner", "id": "https://social.example/actor"}),
        ("declaredBy", {"kind": "author"}),
        ("updated", "2026-11-22"),
        ("expires", "2026-11-22T10:00:00+00:00"),
        ("raw", "train-ai=n"),
    ],
)
def test_invalid_statements(member: str, value: object) -> None:
    """The schema refuses a statement with a member that is never written so."""
    usage = jsonld_terms.render([SAID])["aiUsage"]
    assert isinstance(usage, dict)
    statement = {**usage["statements"][0], member: value}
    assert problems_of({**usage, "statements": [statement]}) != []


@pytest.mark.parametrize("member", SCHEMA["required"])
def test_required(member: str) -> None:
    """Every member is required."""
    usage = jsonld_terms.render([SAID])["aiUsage"]
    assert isinstance(usage, dict)
    assert problems_of({name: value for name, value in usage.items() if name != member}) != []

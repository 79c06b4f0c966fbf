"""Preferences on documents: written on what goes out, read twice from what comes in."""

from __future__ import annotations

from typing import Any

import pytest
from jsonld.loading import pinned
from preferences.samples import ALICE, AT, BOB, NOTE, SERVER, says

from gateway.activitypub.labels import MAX_ATTACHMENTS, PROOFS, Reader, context_for, label, mentions_of, with_context
from gateway.carriers.jsonld_terms import CONTEXT, TERMS
from gateway.carriers.reading import Source
from gateway.jsonld.contexts import AS2
from gateway.preferences import Scope, Statement, Subject, combined

READER = Reader(contexts=pinned(), observed_at=AT)
RENAMED = {"stillAsking": "https://w3id.org/fep/1e38#contentUsage"}
POST = "https://gw.example/posts/1"
FILE = "https://gw.example/media/1/a.png"


def read(document: dict[str, Any], *path: str | int) -> tuple[dict[str, str], list[str]]:
    """Return what a document says about its object and the codes of problems."""
    reading = READER.node(document, path, NOTE, ALICE)
    return combined(reading.statements, at=AT).as_json(), [problem.code for problem in reading.problems]


def test_labels_go_on_the_object_and_its_files() -> None:
    """Every media attachment carries the same terms; a profile field carries none."""
    document = {
        "id": "x",
        "attachment": [{"type": "Image", "url": "u"}, {"type": "PropertyValue"}, "v"],
        "contentUsage": "old",
    }
    found = label(document, [says(train_gen="n", search="y")])
    image, field, text = found["attachment"]  # type: ignore[misc]
    assert found["contentUsage"] == image["contentUsage"] == "train-ai=n, search=y"  # type: ignore[has-type]
    assert set(image) & set(TERMS)  # type: ignore[has-type]
    assert (field, text) == ({"type": "PropertyValue"}, "v")  # type: ignore[has-type]


def test_nothing_stated_is_still_said_in_the_model() -> None:
    """An object without preferences carries the model with nothing in it, and no other term."""
    found = label({"id": "x", "contentUsage": "train-ai=n"}, [])
    assert found["aiUsage"]["prefs"] == {}  # type: ignore[index]
    assert "contentUsage" not in found


def test_the_context_defines_our_terms_inline() -> None:
    """The AS2 context comes first, ours always inline, the one about keys only where keys are."""
    plain, actor = context_for(), context_for(actor=True)
    assert plain[0] == actor[0] == AS2
    assert CONTEXT.items() <= plain[-1].items()  # type: ignore[attr-defined]
    assert [c for c in plain if isinstance(c, str)] == [AS2, PROOFS]
    assert "https://w3id.org/security/v1" in actor
    assert next(iter(with_context({"id": "x", "@context": "old"}))) == "@context"


def test_what_is_written_is_read_back() -> None:
    """Both readings of our own documents agree, and the object, its file and the model say the same."""
    document = with_context(label({"id": POST, "type": "Note", "attachment": [{"type": "Image", "url": "https://gw.example/m"}]},
                                  [says(train_gen="n", ai_input="n", search="y"), says(SERVER, tdm="n")]))  # fmt: skip
    reading = READER.whole(document, (), POST, ALICE)
    assert reading.problems == ()
    assert {s.subject.scope for s in reading.statements} == {Scope.OBJECT, Scope.MEDIA}
    of_post = [s for s in reading.statements if s.subject.ref == POST]
    assert combined(of_post, at=AT).as_json() == {"train-gen": "n", "ai-input": "n", "search": "y", "tdm": "n"}


def test_a_renamed_term_is_read_by_its_meaning() -> None:
    """A context of its own may give our term another name: the no behind it counts."""
    document = {"@context": [AS2, RENAMED], "id": "x", "stillAsking": "train-ai=n"}
    assert read(document)[0] == {"train-gen": "n"}


def test_where_the_readings_differ_the_stricter_counts() -> None:
    """A yes that only one reading shows is not a yes; the difference is a problem that the audit shows."""
    shadowed = {"@context": [AS2, {"contentUsage": "https://x.example/other"}], "id": "x", "contentUsage": "train-ai=y"}
    assert read(shadowed) == ({}, ["readings-differ"])
    both = {
        "@context": [AS2, {**RENAMED, "contentUsage": "https://x.example/other"}],
        "id": "x", "contentUsage": "train-ai=y", "stillAsking": "train-ai=n",
    }  # fmt: skip
    assert read(both) == ({"train-gen": "n"}, ["readings-differ"])


def test_two_readings_that_agree_are_no_problem() -> None:
    """A context that might rename something, but does not, leaves what is said as it is."""
    document = {"@context": [AS2, CONTEXT, {"@vocab": "https://x.example/"}], "id": "x", "contentUsage": "train-ai=y"}
    assert read(document) == ({"train-gen": "y"}, [])


def test_what_cannot_be_expanded_keeps_only_its_refusals() -> None:
    """A context nobody here knows leaves the plain reading, without its permissions."""
    document = {"@context": [AS2, "https://x.example/ctx", CONTEXT], "id": "x", "contentUsage": "train-ai=n, search=y"}
    found, problems = read(document)
    assert found == {"train-gen": "n"}
    assert problems == ["readings-differ"]


def test_an_unknown_context_without_labels_is_no_problem() -> None:
    """Documents that say nothing about AI use are read without complaint."""
    assert read({"@context": [AS2, "https://x.example/ctx"], "id": "x"}) == ({}, [])


@pytest.mark.parametrize(
    ("attachment", "refs"),
    [
        ({"type": "Image", "url": "u1"}, ["u1"]),
        ([{"type": "Image", "url": "u1"}, {"type": "Image", "url": [{"href": "u2"}]}], ["u1", "u2"]),
        ([{"type": "Link", "href": "u3"}], ["u3"]),
        ([{"type": "Image"}, "u4", 7], []),
        (None, []),
    ],
)
def test_files_speak_for_themselves(attachment: object, refs: list[str]) -> None:
    """A file is named by its URL in each of its shapes; what has no URL is not about anything."""
    labelled: Any = attachment
    if isinstance(attachment, list):
        labelled = [{**item, "contentUsage": "train-ai=n"} if isinstance(item, dict) else item for item in attachment]
    elif isinstance(attachment, dict):
        labelled = {**attachment, "contentUsage": "train-ai=n"}
    inner: dict[str, object] = {"id": "x", "attachment": labelled}
    embedded = {"@context": [AS2, CONTEXT], "type": "Create", "object": inner}
    alone = {"@context": [AS2, CONTEXT], **inner}
    assert [s.subject.ref for s in READER.whole(embedded, ("object",), "x", ALICE).statements] == refs
    assert [s.subject.ref for s in READER.whole(alone, (), "x", ALICE).statements] == refs


def test_files_are_bounded() -> None:
    """Of very many files only the first are read."""
    files = [{"type": "Image", "url": f"u{i}", "contentUsage": "train-ai=n"} for i in range(60)]
    reading = READER.whole({"@context": [AS2, CONTEXT], "attachment": files}, (), "x", ALICE)
    assert len(reading.statements) == MAX_ATTACHMENTS


def test_everything_signed_is_found() -> None:
    """What somebody signed counts in either reading, also where they differ."""
    source = Source(subject=Subject(scope=Scope.OBJECT, ref=POST), declared_by=BOB, observed_at=AT)
    document = {
        "@context": [AS2, {**RENAMED, "contentUsage": "https://x.example/other"}],
        "id": POST, "contentUsage": "train-ai=y", "stillAsking": "ai-use=y",
    }  # fmt: skip
    found: tuple[Statement, ...] = READER.explicit(document, (), source)
    assert [s.prefs.as_json() for s in found] == [{"train-gen": "y"}, {"ai-input": "y", "ai-generate": "y"}]


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"id": POST}, [()]),
        ({"type": "Announce", "id": "a", "object": POST}, [()]),
        ({"type": "Announce", "id": "a", "object": [{"id": POST}]}, [(), ("object", 0)]),
        ({"type": "Announce", "id": "a", "object": [POST, "https://x.example"]}, []),
        ({"type": "Create", "id": "a", "object": {"id": "n", "quote": {"id": POST}}}, [("object", "quote")]),
        ({"id": "n", "attachment": [{"type": "Image", "url": FILE}]}, [("attachment", 0)]),
        ({"id": "n", "attachment": [{"type": "Document", "url": POST}]}, []),
        ({"type": "Like", "id": "a", "object": POST}, []),
        ({"id": "n", "attachment": [{"type": "Image", "url": [POST]}]}, []),
        ({"id": "n", "url": POST}, []),
        ({"type": "Follow", "object": POST}, []),
        ({"id": "n", "content": POST}, []),
    ],
)
def test_who_speaks_about_our_objects(document: dict[str, object], paths: list[tuple[object, ...]]) -> None:
    """The object itself, an activity on it, and a media node with its URL speak about it; a mere mention does not."""
    assert [path for path, ref in mentions_of(document, {POST: None, FILE: None}) if ref in (POST, FILE)] == paths

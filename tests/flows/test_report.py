"""Statements and answers as they are printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.flows.report import answer_json, because_json, statement_json
from gateway.preferences import (
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Statement,
    Subject,
    combine,
)
from gateway.preferences.combine import EFFECTS

NOW = datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)
SAID = Statement(
    subject=Subject(scope=Scope.OBJECT, ref="https://peer.example/1"),
    prefs=Preferences({Category.TRAIN_GEN: Preference.DISALLOW}),
    declared_by=Declarant(kind=DeclarantKind.AUTHOR, id="https://peer.example/u", auth=Auth.HTTP_SIGNATURE),
    carrier="contentUsage",
    observed_at=NOW,
    raw="train-ai=n",
)


def test_a_statement() -> None:
    """Who, about what, in which carrier and words, when, and what the carrier has no word for."""
    assert statement_json(SAID) == {
        "declaredBy": {"kind": "author", "id": "https://peer.example/u", "auth": "http-sig"},
        "subject": {"scope": "object", "ref": "https://peer.example/1"},
        "carrier": "contentUsage", "raw": "train-ai=n", "asserted": None, "observed": "2026-11-22T12:00:00Z",
        "revision": SAID.carrier_revision, "prefs": {"train-gen": "n"},
        "couldNotSay": ["train-other", "ai-index", "tdm", "bridge", "bulk-dataset", "archive"],
        "projectionOf": None, "legacy": False, "audience": {"kind": "any", "value": "*"}, "conditions": [],
        "expires": None,
    }  # fmt: skip


def test_everything_that_may_be_stated() -> None:
    """Audience, conditions and moments are printed, in UTC and whole seconds."""
    full = replace(
        SAID, audience=Audience(kind="domain", value="x.example"), asserted_at=NOW, expires_at=NOW + timedelta(days=1),
        conditions=(Condition(category=Category.SEARCH, kind="url", value="https://a.example/"),),
        projection_of="aiUsage", legacy=True,
    )  # fmt: skip
    found = statement_json(full)
    assert found["audience"] == {"kind": "domain", "value": "x.example"}
    assert found["conditions"] == [{"category": "search", "kind": "url", "value": "https://a.example/"}]
    assert (found["asserted"], found["expires"]) == ("2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    assert (found["projectionOf"], found["legacy"]) == ("aiUsage", True)


def test_no_statement_contradicts_itself() -> None:
    """What a statement says is not among what its carrier is said to have no word for."""
    refused = dict.fromkeys((Category.TRAIN_GEN, Category.AI_INDEX, Category.TDM), Preference.DISALLOW)
    tdm = replace(SAID, carrier="tdm-reservation", prefs=Preferences(refused))  # as the carrier is read
    for statement in (SAID, tdm, replace(tdm, carrier="http-tdm-reservation")):
        found = statement_json(statement)
        assert not set(found["couldNotSay"]) & set(found["prefs"]), statement.carrier


def test_an_answer_with_its_reasons() -> None:
    """The answer, and for each statement what it did, in a word and in a sentence."""
    answer = answer_json(combine([SAID], Category.TRAIN_GEN, at=NOW))
    assert (answer["category"], answer["answer"]) == ("train-gen", "n")
    (because,) = answer["because"]
    assert (because["effect"], because["says"]) == ("disallows", EFFECTS["disallows"])
    assert because["raw"] == "train-ai=n"
    assert because_json(combine([SAID], Category.TRAIN_GEN, at=NOW).because[0]) == because


def test_no_answer() -> None:
    """What nobody stated is null, with no reasons."""
    assert answer_json(combine([], Category.SEARCH, at=NOW)) == {"category": "search", "answer": None, "because": []}

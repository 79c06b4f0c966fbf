"""Which statements of one document merely repeat a fuller one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from carriers.samples import ALICE, AT, NOTE

from gateway.carriers.projection import mark_projections
from gateway.preferences import Audience, Auth, Declarant, DeclarantKind, Preferences, Statement

SERVER = Declarant(kind=DeclarantKind.INSTANCE, id="https://a.example", auth=Auth.HTTP_SIGNATURE)


def _says(carrier: str, **stated: str) -> Statement:
    return Statement(subject=NOTE, prefs=Preferences.of(**stated), declared_by=ALICE, carrier=carrier, observed_at=AT)


def _projections(*statements: Statement) -> list[str | None]:
    return [statement.projection_of for statement in mark_projections(statements)]


@pytest.mark.parametrize(
    "repeated",
    [
        _says("contentUsage", train_gen="n", ai_input="n", ai_generate="n", search="n"),
        _says("http-tdm-reservation", train_gen="n", train_other="n", ai_index="n", tdm="n"),
        _says("xRobotsTag", train_gen="n", train_other="n", search="n"),
        _says("indexable", search="n"),
    ],
)
def test_exact_projection(repeated: Statement) -> None:
    """What is exactly what the fuller statement renders to is set aside, also where it over-states."""
    fuller = _says("aiUsage", train_gen="n", ai_input="n", search="n")
    assert _projections(fuller, repeated) == [None, "aiUsage"]
    assert _projections(repeated, fuller) == ["aiUsage", None]


@pytest.mark.parametrize(
    "own",
    [
        _says("contentUsage", train_gen="n", search="n"),
        _says("contentUsage", train_gen="n", ai_input="n", ai_generate="n"),
        _says("indexable", search="y"),
        replace(_says("contentUsage", train_gen="n", train_other="n", search="n"), legacy=True),
    ],
)
def test_anything_else_stands(own: Statement) -> None:
    """A poorer form that says anything else is a statement of its own, and so is a legacy label."""
    fuller = _says("aiUsage", train_gen="n", ai_input="n", search="n")
    assert _projections(fuller, own) == [None, None]


def test_nothing_fuller() -> None:
    """Without a lossless form nothing is set aside."""
    assert _projections(_says("contentUsage", search="n"), _says("indexable", search="n")) == [None, None]
    assert mark_projections(()) == ()


def test_lossless_forms_stand() -> None:
    """A lossless form is never a repetition."""
    assert _projections(_says("aiUsage", search="n"), _says("http-ai-usage", search="n")) == [None, None]


def test_combined_answer_of_several_declarants() -> None:
    """What repeats the combined answer of author and instance is set aside as the repetition that it is."""
    author = _says("aiUsage", ai_generate="y")
    instance = replace(_says("aiUsage", ai_input="n"), declared_by=SERVER)
    repeated = _says("contentUsage", ai_input="n", ai_generate="n")
    assert _projections(author, instance, repeated) == [None, None, "aiUsage"]


def test_expired_statement_has_no_projection() -> None:
    """A no in a poorer form is not set aside for a fuller statement that no longer counts."""
    expired = replace(_says("aiUsage", train_gen="n"), expires_at=AT)
    assert _projections(expired, _says("contentUsage", train_gen="n")) == [None, None]


def test_statement_for_one_consumer_has_no_projection() -> None:
    """A no to everybody is not set aside for a fuller statement about one consumer."""
    only = replace(_says("aiUsage", train_gen="n"), audience=Audience(kind="domain", value="x.example"))
    assert _projections(only, _says("contentUsage", train_gen="n")) == [None, None]

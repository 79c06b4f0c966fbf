"""At home, before sending, the narrower scope wins and the operator fills the gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preferences.samples import AT, NOTE

from gateway.preferences import (
    NOTHING,
    PRESETS,
    Auth,
    DeclarantKind,
    Preferences,
    Preset,
    combined,
    narrowest,
    statements_at_home,
)

if TYPE_CHECKING:
    from gateway.preferences.statement import Statement

AUTHOR = "https://gw.example/users/alice"
INSTANCE = "https://gw.example/actor"
ASKED = Preferences.of(train_gen="n", train_other="n", ai_input="n", ai_generate="n", ai_index="n")


def _said(said: Preferences, asked: Preferences = ASKED) -> tuple[Statement, ...]:
    return statements_at_home(subject=NOTE, author=AUTHOR, said=said, instance=INSTANCE, asked=asked, at=AT)


def test_narrower_scope_wins() -> None:
    """The first layer that speaks about a category decides it, also when it is the milder one."""
    media, post, account = Preferences.of(search="y"), Preferences.of(search="n", tdm="n"), Preferences.of(tdm="y")
    assert narrowest([media, post, account]) == Preferences.of(search="y", tdm="n")
    assert narrowest([account, post, media]) == Preferences.of(search="n", tdm="y")


def test_no_layers() -> None:
    """Without layers nothing is stated."""
    assert narrowest([]) == NOTHING


def test_author_and_instance_speak_for_themselves() -> None:
    """What the author said is the author's statement, what the operator fills in is the instance's."""
    author, instance = _said(Preferences.of(train_gen="y", search="y"))
    assert (author.declared_by.kind, author.declared_by.id) == (DeclarantKind.AUTHOR, AUTHOR)
    assert author.prefs == Preferences.of(train_gen="y", search="y")
    assert (instance.declared_by.kind, instance.declared_by.id) == (DeclarantKind.INSTANCE, INSTANCE)
    assert instance.prefs == Preferences.of(train_other="n", ai_input="n", ai_generate="n", ai_index="n")
    for statement in (author, instance):
        assert statement.declared_by.auth is Auth.LOCAL
        assert (statement.subject, statement.carrier) == (NOTE, "home")
        assert statement.asserted_at == statement.observed_at == AT


def test_author_outweighs_the_instance() -> None:
    """At home an author's yes stands although the operator asks for a no."""
    answer = combined(_said(Preferences.of(train_gen="y")), at=AT)
    expected = Preferences.of(train_gen="y", train_other="n", ai_input="n", ai_generate="n", ai_index="n")
    assert answer == expected


def test_open_author() -> None:
    """For an author who says nothing only the instance speaks."""
    (only,) = _said(PRESETS[Preset.OPEN])
    assert only.declared_by.kind is DeclarantKind.INSTANCE
    assert only.prefs == ASKED


def test_author_who_said_everything() -> None:
    """For an author who said it all the instance is silent."""
    (only,) = _said(PRESETS[Preset.NOAI])
    assert only.declared_by.kind is DeclarantKind.AUTHOR
    assert only.prefs == PRESETS[Preset.NOAI]


def test_nobody_speaks() -> None:
    """Where neither says anything there is no statement."""
    assert _said(NOTHING, NOTHING) == ()

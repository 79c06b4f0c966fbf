"""Statements with their provenance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from preferences.samples import ALICE, AT, BOB, CRAWLER, NOTE, SERVER, says
from store.rows import later

from gateway.preferences import Category, Condition, Scope, Subject

if TYPE_CHECKING:
    from gateway.store.store import Store


def test_a_statement_is_kept_whole(store: Store) -> None:
    """Every field comes back: conditions, audience, times, projection, carrier and raw text."""
    whole = replace(
        says(ALICE, audience=CRAWLER, projection_of="aiUsage", expires_at=later(days=9), train_gen="n"),
        conditions=(Condition(category=Category.TRAIN_GEN, kind="exp", value="x"),),
        carrier_revision="r1", raw="train-ai=n", asserted_at=AT, legacy=True,
    )  # fmt: skip
    store.statements.add([whole], "https://peer.example/activities/1")
    assert store.statements.about([NOTE.ref]) == [whole]
    assert store.database.value("SELECT source FROM statement") == "https://peer.example/activities/1"


def test_repeats_are_kept_once(store: Store) -> None:
    """The same words by the same declarant in the same carrier are one statement; another's are another."""
    store.statements.add([says(train_gen="n"), says(train_gen="n")], "a")
    store.statements.add([says(train_gen="n")], "b")
    store.statements.add(
        [says(BOB, train_gen="n"), says(carrier="contentUsage", train_gen="n"), says(train_gen="y")], "c"
    )
    assert len(store.statements.about([NOTE.ref])) == 4


def test_nothing_is_overwritten(store: Store) -> None:
    """What its author replaced is history, not gone; the same words said again hold again."""
    store.statements.add([says(train_gen="n")], "a")
    store.statements.supersede(NOTE.ref, later(), declared_by=ALICE.id)
    assert store.statements.about([NOTE.ref]) == []
    store.statements.add([says(train_gen="n")], "b")
    assert len(store.statements.about([NOTE.ref])) == 1
    assert len(store.statements.about([NOTE.ref], with_history=True)) == 2


def test_an_author_replaces_own_words_and_those_of_their_server_only(store: Store) -> None:
    """What another declarant said stands, also one on the same server; what the server said for the author goes."""
    neighbour = replace(ALICE, id="https://a.example/users/carol")
    actor = replace(SERVER, id="https://a.example/actor")
    store.statements.add([says(who, train_gen="n") for who in (ALICE, BOB, SERVER, actor, neighbour)], "a")
    store.statements.supersede(NOTE.ref, later(), declared_by=ALICE.id)
    assert {s.declared_by.id for s in store.statements.about([NOTE.ref])} == {BOB.id, neighbour.id}


def test_several_subjects_in_the_order_asked(store: Store) -> None:
    """What holds about an object and its author is found together, each subject once."""
    actor = Subject(scope=Scope.ACTOR, ref=ALICE.id)
    store.statements.add([says(subject=actor, search="n"), says(train_gen="n")], "a")
    refs = [s.subject.ref for s in store.statements.about([NOTE.ref, ALICE.id, NOTE.ref, "nothing"])]
    assert refs == [NOTE.ref, ALICE.id]

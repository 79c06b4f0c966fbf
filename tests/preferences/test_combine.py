"""Many statements become one answer, with reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from preferences.samples import ALICE, AT, BOB, CRAWLER, NOTE, SERVER, says, strictest_word

from gateway.preferences import (
    NOTHING,
    Audience,
    Auth,
    Because,
    Category,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Statement,
    Subject,
    agreeing,
    combine,
    combined,
    strictest,
)
from gateway.preferences.combine import EFFECTS, Effective

TRAIN = Category.TRAIN_GEN


def _answer(*statements: Statement, consumer: str | None = None) -> Effective:
    return combine(statements, TRAIN, at=AT, consumer=consumer)


def _effects(effective: Effective) -> dict[Statement, str]:
    return {because.statement: because.effect for because in effective.because}


def test_nothing_said() -> None:
    """Where nobody speaks about a category there is no answer and no reason."""
    assert _answer() == Effective(category=TRAIN, answer=None, because=())
    assert _answer(says(search="y")) == Effective(category=TRAIN, answer=None, because=())


def test_one_no() -> None:
    """One no is a no, and the reason names its statement."""
    no = says(train_gen="n")
    expected = Effective(
        category=TRAIN, answer=Preference.DISALLOW, because=(Because(statement=no, effect="disallows"),)
    )
    assert _answer(no) == expected


def test_one_yes() -> None:
    """One yes is a yes where nobody says no."""
    yes = says(train_gen="y")
    assert _answer(yes).answer is Preference.ALLOW
    assert _effects(_answer(yes)) == {yes: "allows"}


def test_no_beats_yes() -> None:
    """A no outweighs any number of yeses by others, and each yes is told so."""
    no, yes, other = says(SERVER, train_gen="n"), says(ALICE, train_gen="y"), says(BOB, train_gen="y")
    assert _answer(yes, no, other).answer is Preference.DISALLOW
    assert _effects(_answer(yes, no, other)) == {no: "disallows", yes: "outweighed", other: "outweighed"}


def test_object_allows_author_disallows() -> None:
    """Across scopes of what came in the narrower yes does not beat the wider no (LAB-CONF-001 and 002)."""
    actor = Subject(scope=Scope.ACTOR, ref=ALICE.id)
    assert _answer(says(train_gen="y"), says(subject=actor, train_gen="n")).answer is Preference.DISALLOW
    assert _answer(says(train_gen="n"), says(subject=actor, train_gen="y")).answer is Preference.DISALLOW


def test_because_has_one_order() -> None:
    """The reasons come in the same order whatever order the statements came in, each once."""
    statements = [
        says(SERVER, train_gen="n"),
        says(train_gen="y"),
        replace(says(train_gen="y"), legacy=True),
        says(train_gen="y"),
    ]
    first = _answer(*statements)
    assert first == _answer(*reversed(statements))
    assert [because.effect for because in first.because] == ["outweighed", "outweighed", "disallows"]


def test_expired() -> None:
    """A statement counts until its expiry and is set aside from then on."""
    no = says(train_gen="n", expires_at=AT)
    assert _answer(no).answer is None
    assert _effects(_answer(no)) == {no: "expired"}
    assert combine([no], TRAIN, at=AT - timedelta(seconds=1)).answer is Preference.DISALLOW


def test_projection() -> None:
    """A statement that repeats a fuller one of the same declarant is set aside."""
    repeated = says(carrier="contentUsage", projection_of="aiUsage", train_gen="n")
    assert _answer(repeated).answer is None
    assert _effects(_answer(repeated, says(train_gen="y")))[repeated] == "projection"


def test_other_audience() -> None:
    """What is said about one consumer says nothing about another, nor about everybody."""
    only = says(audience=CRAWLER, train_gen="n")
    assert _answer(only, consumer="crawler.example").answer is Preference.DISALLOW
    assert _answer(only, consumer="other.example").answer is None
    assert _effects(_answer(only)) == {only: "other-audience"}


def test_grant_lifts_the_authors_own_no() -> None:
    """An author's grant lifts the author's own no for the named consumer and for nobody else."""
    no, grant = says(train_gen="n"), says(audience=CRAWLER, train_gen="y")
    granted = _answer(no, grant, consumer="crawler.example")
    assert granted.answer is Preference.ALLOW
    assert _effects(granted) == {no: "lifted", grant: "grants"}
    assert _answer(no, grant, consumer="other.example").answer is Preference.DISALLOW
    assert _answer(no, grant).answer is Preference.DISALLOW


@pytest.mark.parametrize("other", [BOB, SERVER, replace(ALICE, kind=DeclarantKind.INTERMEDIARY)])
def test_grant_lifts_nobody_elses_no(other: Declarant) -> None:
    """A grant does not lift the no of anybody else, nor one that stands under the same name in another role."""
    no, grant = says(other, train_gen="n"), says(audience=CRAWLER, train_gen="y")
    assert _answer(no, grant, consumer="crawler.example").answer is Preference.DISALLOW
    assert _effects(_answer(no, grant, consumer="crawler.example")) == {no: "disallows", grant: "outweighed"}


def test_unproven_grant_lifts_nothing() -> None:
    """A grant whose author we cannot check is only one more yes."""
    forged = says(replace(ALICE, auth=Auth.NONE), audience=CRAWLER, train_gen="y")
    assert _answer(says(train_gen="n"), forged, consumer="crawler.example").answer is Preference.DISALLOW


def test_expired_grant_lifts_nothing() -> None:
    """A grant that has expired gives nothing any more."""
    grant = says(audience=CRAWLER, expires_at=AT, train_gen="y")
    assert _answer(says(train_gen="n"), grant, consumer="crawler.example").answer is Preference.DISALLOW


def test_a_refusal_for_one_consumer_is_not_lifted() -> None:
    """An author's no to one consumer stands beside an older grant to the same consumer."""
    no, grant = says(audience=CRAWLER, train_gen="n"), says(audience=CRAWLER, train_gen="y")
    assert _answer(no, grant, consumer="crawler.example").answer is Preference.DISALLOW


def test_a_grant_speaks_about_its_own_category_only() -> None:
    """A grant for search lifts no refusal of training."""
    grant = says(audience=CRAWLER, search="y")
    assert _answer(says(train_gen="n"), grant, consumer="crawler.example").answer is Preference.DISALLOW


def test_every_effect_has_words() -> None:
    """Every effect that combine can name is explained in words."""
    assert set(EFFECTS) == {
        "disallows",
        "allows",
        "grants",
        "lifted",
        "outweighed",
        "expired",
        "projection",
        "other-audience",
    }


def test_combined() -> None:
    """All categories are answered at once, each for itself."""
    statements = [says(train_gen="n", search="y"), says(SERVER, search="n", tdm="y"), says(BOB, train_gen="y")]
    assert combined(statements, at=AT) == Preferences.of(train_gen="n", search="n", tdm="y")
    assert combined(iter(statements), at=AT) == combined(statements, at=AT)
    assert combined([], at=AT) == NOTHING
    assert combined([says(train_gen="n", expires_at=AT)], at=AT) == NOTHING
    assert combined([says(train_gen="n", expires_at=AT)], at=AT - timedelta(seconds=1)) == Preferences.of(train_gen="n")


def test_combined_for_a_consumer() -> None:
    """The answer for all categories is that of the consumer asked about."""
    statements = [says(train_gen="n", search="n"), says(audience=CRAWLER, search="y")]
    assert combined(statements, at=AT, consumer="crawler.example") == Preferences.of(train_gen="n", search="y")


@pytest.mark.parametrize(
    ("one", "other", "strict", "agreed"),
    [
        ("n", "n", "n", "n"),
        ("n", "y", "n", "n"),
        ("n", "", "n", "n"),
        ("y", "y", "y", "y"),
        ("y", "", "y", ""),
        ("", "", "", ""),
    ],
)
def test_strictest_and_agreeing(one: str, other: str, strict: str, agreed: str) -> None:
    """The strictest of two keeps every no and any yes; agreement keeps every no and only a common yes."""
    first, second = (Preferences.from_json({"search": word}) for word in (one, other))
    assert strictest(first, second) == strictest(second, first) == Preferences.from_json({"search": strict})
    assert agreeing(first, second) == agreeing(second, first) == Preferences.from_json({"search": agreed})


def test_strictest_of_nothing() -> None:
    """Of no preferences at all the strictest is nothing."""
    assert strictest() == NOTHING


_PLACES = (
    (NOTE, ALICE, "aiUsage"),
    (Subject(scope=Scope.MEDIA, ref="https://a.example/media/1/a.png"), ALICE, "contentUsage"),
    (Subject(scope=Scope.ACTOR, ref=ALICE.id), ALICE, "aiUsage"),
    (Subject(scope=Scope.INSTANCE, ref=SERVER.id), SERVER, "robots-content-usage"),
    (NOTE, SERVER, "http-content-usage"),
)


def test_matrix_of_places() -> None:
    """Object, attachment, author, server and header, each no, yes or silent: the strictest counts (LAB-CONF-004)."""
    rows = list(product(("n", "y", ""), repeat=len(_PLACES)))
    assert len(rows) == 243
    for row in rows:
        statements = [
            says(who, subject=subject, carrier=carrier, train_gen=word)
            for word, (subject, who, carrier) in zip(row, _PLACES, strict=True)
            if word
        ]
        effective = combine(statements, TRAIN, at=AT)
        assert effective.answer == strictest_word(row), row
        assert len(effective.because) == len(statements)


def test_consumer_by_did() -> None:
    """A consumer is known by its DID as well as by its domain."""
    grant = says(audience=Audience(kind="did", value="did:web:c.example"), train_gen="y")
    assert _answer(says(train_gen="n"), grant, consumer="did:web:c.example").answer is Preference.ALLOW

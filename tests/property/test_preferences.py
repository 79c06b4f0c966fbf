"""Laws of the concept, for all statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.preferences import (
    ANYBODY,
    Audience,
    Auth,
    Category,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Statement,
    Subject,
    agreeing,
    change,
    combine,
    combined,
    narrowest,
    statements_at_home,
    strictest,
)

PATIENT = settings(deadline=None)  # a busy machine is no failure
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
CONSUMERS = (None, "x.example", "y.example")
RANK = {Preference.ALLOW: 0, None: 1, Preference.DISALLOW: 2}

preferences = st.dictionaries(st.sampled_from(Category), st.sampled_from(Preference)).map(Preferences)
declarants = st.builds(
    Declarant, kind=st.sampled_from(DeclarantKind), id=st.sampled_from("abc"), auth=st.sampled_from(Auth)
)
subjects = st.builds(Subject, scope=st.sampled_from(Scope), ref=st.sampled_from("pq"))
audiences = st.sampled_from((ANYBODY, Audience(kind="domain", value="x.example"), Audience(kind="did", value="did:x")))
moments = st.sampled_from((None, AT - timedelta(days=1), AT, AT + timedelta(days=1)))


def _statements(audience: st.SearchStrategy[Audience] = audiences) -> st.SearchStrategy[Statement]:
    return st.builds(
        Statement,
        subject=subjects,
        prefs=preferences,
        declared_by=declarants,
        carrier=st.sampled_from(("aiUsage", "contentUsage")),
        observed_at=st.just(AT),
        audience=audience,
        expires_at=moments,
        projection_of=st.sampled_from((None, None, "aiUsage")),
        legacy=st.booleans(),
        carrier_revision=st.sampled_from(("", "legacy")),
    )


many = st.lists(_statements(), max_size=6)
to_all = st.lists(_statements(st.just(ANYBODY)), max_size=6)
plain = st.builds(
    Statement,
    subject=subjects,
    prefs=preferences,
    declared_by=declarants,
    carrier=st.just("aiUsage"),
    observed_at=st.just(AT),
)


@PATIENT
@given(many, st.sampled_from(Category), st.sampled_from(CONSUMERS))
def test_idempotent(statements: list[Statement], category: Category, consumer: str | None) -> None:
    """Hearing everything twice changes neither the answer nor the reasons."""
    once = combine(statements, category, at=AT, consumer=consumer)
    assert combine(statements * 2, category, at=AT, consumer=consumer) == once


@PATIENT
@given(many.flatmap(lambda s: st.tuples(st.just(s), st.permutations(s))), st.sampled_from(Category))
def test_order_does_not_matter(both: tuple[list[Statement], list[Statement]], category: Category) -> None:
    """The answer and the order of its reasons do not depend on the order in which statements came."""
    statements, shuffled = both
    for consumer in CONSUMERS:
        assert combine(shuffled, category, at=AT, consumer=consumer) == combine(
            statements, category, at=AT, consumer=consumer
        )


@PATIENT
@given(many, _statements(st.just(ANYBODY)), st.sampled_from(Category), st.sampled_from(CONSUMERS))
def test_one_more_statement_for_everybody_never_lifts_a_no(
    statements: list[Statement], more: Statement, category: Category, consumer: str | None
) -> None:
    """After one more statement for everybody, a no is still a no and a yes never turns into silence."""
    before = combine(statements, category, at=AT, consumer=consumer).answer
    after = combine([*statements, more], category, at=AT, consumer=consumer).answer
    if before is Preference.DISALLOW:
        assert after is Preference.DISALLOW
    if before is Preference.ALLOW:
        assert after is not None


@PATIENT
@given(to_all, _statements(), st.sampled_from(Category), st.sampled_from(CONSUMERS))
def test_only_grants_lift(
    statements: list[Statement], more: Statement, category: Category, consumer: str | None
) -> None:
    """A no falls only by a grant, and only when every no is the same author's own."""
    before = combine(statements, category, at=AT, consumer=consumer)
    after = combine([*statements, more], category, at=AT, consumer=consumer)
    if before.answer is Preference.DISALLOW and after.answer is not Preference.DISALLOW:
        assert more.is_grant
        assert more.prefs.allows(category)
        assert more.audience.value == consumer
        refusals = [b.statement.declared_by for b in before.because if b.effect == "disallows"]
        assert {(d.kind, d.id) for d in refusals} == {(DeclarantKind.AUTHOR, more.declared_by.id)}


@PATIENT
@given(st.lists(plain, max_size=6), st.sampled_from(Category))
def test_no_then_yes_then_nothing(statements: list[Statement], category: Category) -> None:
    """Across declarants and scopes the answer is n if anybody says n, else y if anybody does, else nothing."""
    words = {s.prefs.get(category) for s in statements}
    expected = next((word for word in (Preference.DISALLOW, Preference.ALLOW) if word in words), None)
    assert combine(statements, category, at=AT).answer is expected


@PATIENT
@given(many, st.sampled_from(Category), st.sampled_from(CONSUMERS))
def test_every_statement_has_its_reason(statements: list[Statement], category: Category, consumer: str | None) -> None:
    """Each statement about the category stands exactly once among the reasons, and the answer follows from them."""
    effective = combine(statements, category, at=AT, consumer=consumer)
    assert {b.statement for b in effective.because} == {s for s in statements if category in s.prefs}
    assert len(effective.because) == len({b.statement for b in effective.because})
    effects = {b.effect for b in effective.because}
    assert (effective.answer is Preference.DISALLOW) == ("disallows" in effects)
    assert (effective.answer is Preference.ALLOW) == bool(effects & {"allows", "grants"})


@PATIENT
@given(many, st.sampled_from(CONSUMERS))
def test_all_at_once(statements: list[Statement], consumer: str | None) -> None:
    """The combined preferences are the answers of the single categories."""
    answers = {c: combine(statements, c, at=AT, consumer=consumer).answer for c in Category}
    assert combined(statements, at=AT, consumer=consumer) == {c: a for c, a in answers.items() if a is not None}


@PATIENT
@given(st.lists(preferences, max_size=4))
def test_narrower_scope_wins_at_home(layers: list[Preferences]) -> None:
    """At home every category has the word of the narrowest layer that speaks about it."""
    result = narrowest(layers)
    for category in Category:
        spoken = [layer[category] for layer in layers if category in layer]
        assert result.get(category) is (spoken[0] if spoken else None)


@PATIENT
@given(preferences, preferences)
def test_instance_fills_gaps_only(said: Preferences, asked: Preferences) -> None:
    """At home the author's word stands in every category, and the operator's only where the author is silent."""
    statements = statements_at_home(
        subject=Subject(scope=Scope.OBJECT, ref="p"), author="a", said=said, instance="i", asked=asked, at=AT
    )
    assert combined(statements, at=AT) == narrowest([said, asked])
    for statement in statements:
        own = said if statement.declared_by.kind is DeclarantKind.AUTHOR else asked
        assert all(own[category] is word for category, word in statement.prefs.items())


@PATIENT
@given(preferences, preferences)
def test_strictest_and_agreeing(one: Preferences, other: Preferences) -> None:
    """Neither the strictest nor the agreement of two loses a no, and agreement allows nothing alone."""
    strict, agreed = strictest(one, other), agreeing(one, other)
    assert strict == strictest(other, one)
    assert agreed == agreeing(other, one)
    for category in Category:
        refused = one.disallows(category) or other.disallows(category)
        assert strict.disallows(category) == agreed.disallows(category) == refused
        assert strict.allows(category) == (not refused and (one.allows(category) or other.allows(category)))
        assert agreed.allows(category) == (one.allows(category) and other.allows(category))


@PATIENT
@given(before=preferences, after=preferences, by_author=st.booleans(), old=moments, new=moments)
def test_loosening_is_earned(
    *, before: Preferences, after: Preferences, by_author: bool, old: datetime | None, new: datetime | None
) -> None:
    """Whatever is read, nothing gets looser unless the author says so, later than before."""
    result = change(before, after, by_author=by_author, asserted_before=old, asserted_after=new)
    earned = by_author and (old is None or (new is not None and new > old))
    for category in Category:
        known, read, kept = (p.get(category) for p in (before, after, result.result))
        assert kept is (read if earned or RANK[read] >= RANK[known] else known)
    moved = (*result.tightened, *result.loosened, *result.held)
    assert sorted(moved) == sorted(c for c in Category if before.get(c) is not after.get(c))


@PATIENT
@given(preferences)
def test_json_round_trip(prefs: Preferences) -> None:
    """Preferences survive their JSON form."""
    assert Preferences.from_json(prefs.as_json()) == prefs

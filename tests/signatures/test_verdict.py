"""Verdicts and their steps."""

from __future__ import annotations

from gateway.signatures.verdict import MAX_FOUND, Checks, Step, Verdict


def test_checks_go_on_after_a_failure() -> None:
    """Every step is listed in order, and one failure makes the whole fail."""
    checks = Checks()
    assert checks.check("first", "1", 1, ok=True)
    assert checks.ok
    assert not checks.check("second", "2", 3, ok=False)
    assert checks.check("third", "3", 3, ok=True)
    assert not checks.ok
    assert [step.name for step in checks.steps] == ["first", "second", "third"]


def test_the_first_failure_is_named() -> None:
    """A verdict names its first failed step, or none when every step holds."""
    good = Step(name="a", expected="1", found="1", ok=True)
    bad = Step(name="b", expected="1", found="2", ok=False)
    worse = Step(name="c", expected="1", found="3", ok=False)
    assert Verdict(ok=False, scheme="x", steps=(good, bad, worse)).failed is bad
    whole = Verdict(ok=True, scheme="x", steps=(good,))
    assert (whole.failed, whole.key_id, whole.actor) == (None, "", "")


def test_what_was_found_is_cut() -> None:
    """A stranger's value is shown up to a limit and marked when it was longer."""
    assert MAX_FOUND == 200
    checks = Checks()
    checks.check("exact", "", "x" * MAX_FOUND, ok=True)
    checks.check("long", "", "x" * (MAX_FOUND + 1), ok=True)
    assert [step.found for step in checks.steps] == ["x" * MAX_FOUND, "x" * MAX_FOUND + "..."]


def test_a_step_is_a_json_object() -> None:
    """A step shows name, expectation, finding and outcome, and nothing else."""
    step = Step(name="a", expected="1", found="2", ok=False)
    assert step.as_json() == {"name": "a", "expected": "1", "found": "2", "ok": False}

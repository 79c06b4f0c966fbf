"""Every event has a name and a question."""

from __future__ import annotations

from gateway.observe import names


def test_every_event_says_which_question_it_answers() -> None:
    """The list is complete and each entry is a question."""
    constants = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert constants == {*names.EVENTS, *names.METRICS}
    assert all(question.endswith("?") for question in (*names.EVENTS.values(), *names.METRICS.values()))

"""Lists that others pay for are bounded, wherever they stand; what is over is refused whole."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.activitypub import bounds
from gateway.activitypub.bounds import MOST
from gateway.errors import MalformedDocument


@pytest.mark.parametrize("name", MOST)
@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"object": d}, lambda d: {"x": [[{"y": d}]]}], ids=range(3))
def test_one_more_than_most_is_refused(name: str, wrap: Any) -> None:
    """Exactly the most is taken, one more is not, at the top and deep inside."""
    bounds.check(wrap({name: ["x"] * MOST[name]}))
    with pytest.raises(MalformedDocument, match=name):
        bounds.check(wrap({name: ["x"] * (MOST[name] + 1)}))


@pytest.mark.parametrize("name", sorted(bounds.MAPS))
def test_a_text_in_too_many_languages_is_refused(name: str) -> None:
    """Five hundred languages of one text are taken, and not one more."""
    spoken = {f"x-{number}": "<p>x" for number in range(bounds.MOST_LANGUAGES)}
    bounds.check({"object": {name: spoken}})
    with pytest.raises(MalformedDocument, match=name):
        bounds.check({"object": {name: {**spoken, "ja": "<p>x"}}})


def test_other_lists_are_the_readers_business() -> None:
    """A long list of something else, and a single value instead of a list, are fine."""
    bounds.check({"orderedItems": ["x"] * 10_000, "to": "https://peer.example/1", "attachment": {"type": "Image"}})


def test_everything_that_is_read_of_a_document_is_within_bounds() -> None:
    """No label stands on an attachment that nobody looks at: as many are read as may be there."""
    from gateway.activitypub.labels import MAX_ATTACHMENTS  # noqa: PLC0415 - the bound of another file

    assert MOST["attachment"] == MAX_ATTACHMENTS

"""What an author's software says about an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import home_of, published

from gateway.errors import BadInput
from gateway.flows.wishes import wished
from gateway.preferences import Preferences

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("given", "wish"),
    [
        ({}, None),
        ({"content": "x", "indexable": False}, None),
        ({"contentUsage": None}, Preferences()),
        ({"aiUsage": None}, Preferences()),
        ({"aiUsage": []}, Preferences()),
        ({"contentUsage": ""}, Preferences()),
        ({"contentUsage": "search=n"}, Preferences.of(search="n")),
        ({"contentUsage": "search=y"}, Preferences.of(search="y")),
        ({"contentUsage": "train-ai=n"}, Preferences.of(train_gen="n")),
        ({"aiUsage": {"v": 1, "prefs": {"tdm": "n"}}}, Preferences.of(tdm="n")),
        ({"aiUsage": {"v": 1, "prefs": {"tdm": "n"}}, "contentUsage": "search=n"}, Preferences.of(tdm="n", search="n")),
        ({"aiUsage": {"v": 1, "prefs": {"search": "n"}}, "contentUsage": "search=y"}, Preferences.of(search="n")),
    ],
)
async def test_a_wish_is_read(world: World, given: dict[str, Any], wish: Preferences | None) -> None:
    """Nothing said is None, a null is nothing asked, several terms count together and a no beats a yes."""
    home, _ = home_of(world)
    assert wished(home.kit, given) == wish


async def test_robots_words_are_a_wish(world: World) -> None:
    """Noai in xRobotsTag is a refusal of AI."""
    home, _ = home_of(world)
    wish = wished(home.kit, {"xRobotsTag": "noai"})
    assert wish is not None
    assert wish.as_json()["train-gen"] == "n"


@pytest.mark.parametrize(
    "given",
    [
        {"contentUsage": "((("}, {"contentUsage": 5}, {"contentUsage": ["search=n"]}, {"contentUsage": {"search": "n"}},
        {"xRobotsTag": ["noai"]}, {"xRobotsTag": 1}, {"aiUsage": "search=n"}, {"aiUsage": 5},
        {"aiUsage": {"v": 1, "prefs": {"tdm": "maybe"}}}, {"aiUsage": {"v": 1, "prefs": "n"}},
        {"contentUsage": "search=n", "aiUsage": "broken"}, {"contentUsage": "train-ai=maybe"},
        {"xRobotsTag": "sparkle"},
        {"aiUsage": {"v": 1, "labels": ["noai"]}}, {"aiUsage": {"v": 1, "statements": "all"}},
        {"aiUsage": {"v": 1, "statements": [{"prefs": {"search": "maybe"}}]}},
        {"aiUsage": {"v": 1, "statements": [{"prefs": {"search": "n"}, "expires": "2027-01-01T00:00:00Z"}]}},
        {"aiUsage": {"v": 1, "statements": [{"prefs": {"search": "n"}, "audience": {"kind": "domain", "value": "a"}}]}},
        {"aiUsage": {"v": 1, "statements": [{"prefs": {"tdm": "n"}, "conditions": [{"category": "tdm"}]}]}},
        {"attachment": [{"contentUsage": "((("}]},
    ],
)  # fmt: skip
async def test_a_wish_that_is_not_understood_is_said(world: World, given: dict[str, Any]) -> None:
    """It must not be lost silently: the client learns that it could not be read."""
    home, _ = home_of(world)
    with pytest.raises(BadInput) as error:
        wished(home.kit, given)
    assert error.value.reason == "preferences-unreadable"


async def test_what_stands_around_and_inside_counts(world: World) -> None:
    """A wish on the activity counts as one on its object; what is refused for a file is refused for the post."""
    home, _ = home_of(world)
    activity = {"contentUsage": "search=y, train-ai=n"}
    given = {"contentUsage": "search=n", "attachment": {"type": "Image", "contentUsage": "ai-use=n"}}
    assert wished(home.kit, given, activity) == Preferences.of(search="n", train_gen="n", ai_input="n", ai_generate="n")
    changed = {"contentUsage": "train-ai=y", "attachment": {"contentUsage": "train-ai=n"}}
    assert wished(home.kit, changed) == Preferences.of(train_gen="y")
    granted = {"attachment": [{"contentUsage": "train-ai=y"}, "https://a.example/"]}
    assert wished(home.kit, granted) == Preferences()


async def test_what_we_publish_can_be_sent_back(world: World) -> None:
    """A client that edits the whole object posts our own terms again: they are understood."""
    home, alice = home_of(world)
    stored = await published(home, alice)
    wish = wished(home.kit, stored.document)
    assert wish is not None
    assert wish == stored.prefs

"""A document in every form, with contexts that are bundled, unknown, or fetched because somebody asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import home_of
from peers.plain import AS2, CONTEXT

from gateway.errors import MalformedDocument
from gateway.flows.forms import MAX_FETCHED, Forms, forms, jcs

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
STRANGE = "https://words.example/v1"
NOTE: dict[str, Any] = {"@context": [AS2, STRANGE], "id": "https://peer.example/1", "type": "Note", "flavour": "sweet"}


async def test_a_known_document(world: World) -> None:
    """Every view is there; bundled contexts are named in order, and nobody is asked, whatever is allowed."""
    home, _ = home_of(world)
    document = {**NOTE, "@context": CONTEXT}
    seen = await forms(home.kit, document, fetch_contexts=True)
    assert all("value" in view for view in seen.views.values())
    assert (list(seen.bundled), seen.unknown, seen.fetched, seen.changed) == (CONTEXT, (), (), ())
    assert seen.value("expanded")[0]["@id"] == NOTE["id"]
    assert world.board.requests == []


async def test_only_the_views_that_were_asked_for(world: World) -> None:
    """One view costs one view."""
    home, _ = home_of(world)
    assert (await forms(home.kit, NOTE, views=["nquads"])).views.keys() == {"nquads"}


async def test_unknown_contexts_are_empty_until_somebody_asks(world: World) -> None:
    """What is unknown is told; fetching it shows what changes, and the store stays as it was."""
    home, _ = home_of(world)
    words = world.peer("words.example", "w")
    words.serve(STRANGE, '{"@context": {"flavour": "urn:x:flavour"}}', content_type="application/ld+json")
    seen = await forms(home.kit, NOTE)
    assert (seen.unknown, seen.fetched, words.gets) == ((STRANGE,), (), [])
    seen = await forms(home.kit, NOTE, fetch_contexts=True)
    assert (seen.unknown, seen.fetched, dict(seen.failed), words.gets) == ((STRANGE,), (STRANGE,), {}, ["/v1"])
    assert [(row["pointer"], row["before"], row["after"]) for row in seen.changed] == [
        ("/flavour", "_:flavour", "urn:x:flavour")
    ]
    assert not home.kit.contexts.knows(STRANGE)


async def test_a_chain_of_contexts_ends(world: World) -> None:
    """No more than so many are fetched, the rest is told as not tried; a loop is fetched once."""
    home, _ = home_of(world)
    words = world.peer("words.example", "w")
    for number in range(1, 30):
        following = f"https://words.example/v{number + 1}"
        words.serve(f"/v{number}", json.dumps({"@context": [following]}), content_type="application/ld+json")
    seen = await forms(home.kit, NOTE, fetch_contexts=True)
    assert len(words.gets) == len(seen.fetched) == MAX_FETCHED
    assert [reason.partition(":")[0] for reason in seen.failed.values()] == ["not tried"]
    words.gets.clear()
    words.serve("/v1", json.dumps({"@context": [STRANGE]}), content_type="application/ld+json")
    await forms(home.kit, NOTE, fetch_contexts=True)
    assert words.gets == ["/v1"]


async def test_an_address_that_is_none_is_a_reason(world: World) -> None:
    """A context named by a relative or foreign address fails without a request."""
    home, _ = home_of(world)
    seen = await forms(home.kit, {**NOTE, "@context": [AS2, "words", "ftp://x.example/"]}, fetch_contexts=True)
    assert seen.failed.keys() == {"words", "ftp://x.example/"}
    assert world.board.requests == []


async def test_our_own_context_is_not_asked_for_over_the_wire(world: World) -> None:
    """A document that names a context on this very gateway does not make it call itself for ever."""
    home, _ = home_of(world)
    ours = f"{home.kit.base}/ns/ai-usage"
    seen = await forms(home.kit, {**NOTE, "@context": [AS2, ours]}, fetch_contexts=True)
    assert ours in (*seen.fetched, *seen.failed)


def test_a_view_that_is_missing_says_why() -> None:
    """Its name and the reason."""
    seen = Forms(views={"nquads": {"problem": "too much"}, "expanded": {"value": []}})
    assert seen.value("expanded") == []
    with pytest.raises(MalformedDocument, match="nquads: too much"):
        seen.value("nquads")


def test_jcs() -> None:
    """RFC 8785 bytes; a number that has no form in it is an error."""
    assert jcs({"b": 1.0, "a": "é"}) == '{"a":"é","b":1}'.encode()
    with pytest.raises(MalformedDocument, match="JCS"):
        jcs({"a": 2**60})

"""Looking at a peer's own surfaces."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import arrives, follows, home_of, jobs, published
from world import BASE

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import RemoteUnreachable
from gateway.flows import moderate, watch
from gateway.policy.rules import Action
from gateway.policy.standing import Rung, Violation
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio
PEER = "https://peer.example"
PAGE = f"{PEER}/copy"


async def scene(world: World) -> tuple[Gateway, PlainPeer, Stored]:
    """Return a gateway, a peer and a post of ours that refuses training."""
    home, alice = home_of(world)
    return home, world.peer(), await published(home, alice)


def shows(stored: Stored, extra: str = "") -> str:
    """Return a page that names our post."""
    return f'<html><head>{extra}</head><body><a href="{stored.id}">copy</a></body></html>'


async def test_a_page_with_the_opposite_in_its_header(world: World) -> None:
    """A contradiction is recorded with what was seen, and the peer is limited."""
    home, peer, stored = await scene(world)
    peer.serve("/copy", shows(stored), content_usage="train-ai=y")
    found = await watch.probe(home.kit, "peer.example", (PAGE,))
    (contradiction,) = found.contradictions
    assert contradiction["object"] == stored.id
    assert (contradiction["category"], contradiction["asked"], contradiction["shown"]) == ("train-gen", "n", "y")
    assert (found.evidence.violation, found.decision.action) == (Violation.CONTRADICT.value, Action.LIMIT)
    look = next(look for look in found.looks if look.url == PAGE)
    assert look.sha256 == hashlib.sha256(shows(stored).encode()).hexdigest()


@pytest.mark.parametrize(
    "extra",
    ['<meta name="ai-usage" content="train-gen=y">', '<meta name="content-usage" content="train-ai=y">'],
)
async def test_a_page_with_the_opposite_in_its_head(world: World, extra: str) -> None:
    """Meta elements count like headers, where they are carriers."""
    home, peer, stored = await scene(world)
    peer.serve("/copy", shows(stored, extra))
    found = await watch.probe(home.kit, PEER, (PAGE,))
    assert [item["object"] for item in found.contradictions] == [stored.id]


async def test_the_sites_own_rules_count_for_a_page_that_shows_our_post(world: World) -> None:
    """robots.txt that allows training, together with a page of ours, is the opposite."""
    home, peer, stored = await scene(world)
    peer.serve("/robots.txt", "User-agent: *\nContent-Usage: train-ai=y\nAllow: /\n", content_type="text/plain")
    peer.serve("/copy", shows(stored))
    found = await watch.probe(home.kit, "peer.example", (PAGE,))
    assert {item["url"] for item in found.contradictions} == {f"{PEER}/robots.txt"}


async def test_the_sites_rules_alone_say_nothing_about_us(world: World) -> None:
    """A site that allows training of its own things contradicts nobody."""
    home, peer, _ = await scene(world)
    peer.serve("/robots.txt", "User-agent: *\nContent-Usage: train-ai=y\nAllow: /\n", content_type="text/plain")
    found = await watch.probe(home.kit, "peer.example")
    assert (found.contradictions, found.evidence.violation) == ((), None)


async def test_documents_are_read_where_they_speak_of_us(world: World) -> None:
    """A JSON document with our object and the opposite is found; broken JSON and lists are passed over."""
    home, peer, stored = await scene(world)
    copy: dict[str, Any] = {"@context": ["https://www.w3.org/ns/activitystreams", dict(CONTEXT)],
                            **stored.document, "contentUsage": "train-ai=y", "aiUsage": None}  # fmt: skip
    peer.serve_document(PAGE, copy)
    peer.serve("/broken", "{", content_type="application/json")
    peer.serve("/list", "[]", content_type="application/json")
    peer.serve(
        "/.well-known/tdmrep.json", '[{"location": "/*", "tdm-reservation": 1}]', content_type="application/json"
    )
    found = await watch.probe(home.kit, "peer.example", (PAGE, f"{PEER}/broken", f"{PEER}/list"))
    assert [(item["object"], item["url"]) for item in found.contradictions] == [(stored.id, PAGE)]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("<html>nothing of yours</html>", {"content_usage": "train-ai=y"}),
        ("{page}", {}),
        ("{page}", {"content_usage": "train-ai=n"}),
        ("{page}", {"content_usage": "search=y"}),
    ],
)
async def test_silence_is_in_order(world: World, body: str, headers: dict[str, str]) -> None:
    """Without our post, without a word, or with the same word nothing is held against anybody."""
    home, peer, stored = await scene(world)
    peer.serve("/copy", body.replace("{page}", shows(stored)), **headers)  # type: ignore[arg-type]
    found = await watch.probe(home.kit, "peer.example", (PAGE,))
    assert (found.contradictions, found.decision.action) == ((), Action.ALLOW)


async def test_only_ids_that_are_ours_count(world: World) -> None:
    """A page that names a post we never made, or that is of another kind, is about nobody here."""
    home, peer, _ = await scene(world)
    peer.serve("/copy", f"{BASE}/posts/2222222222222", content_usage="train-ai=y")
    peer.serve("/plain", f"{BASE}/posts/2222222222222", content_type="text/plain", content_usage="train-ai=y")
    found = await watch.probe(home.kit, "peer.example", (PAGE, f"{PEER}/plain"))
    assert found.contradictions == ()


async def test_only_what_the_peer_itself_serves_counts(world: World) -> None:
    """Pages elsewhere, redirects away and errors are not looked at."""
    home, peer, stored = await scene(world)
    other = world.peer("other.example", "eve")
    other.serve("/copy", shows(stored), content_usage="train-ai=y")
    peer.serve("/away", "", status=302, location="https://other.example/copy")
    peer.serve("/gone", shows(stored), status=404, content_usage="train-ai=y")
    urls = ("https://other.example/copy", f"{PEER}/away", f"{PEER}/gone", "not a url")
    found = await watch.probe(home.kit, "peer.example", urls)
    assert found.contradictions == ()
    assert {origin_of(look.url) for look in found.looks} == {origin_of(PEER)}


async def test_a_silent_peer_is_not_judged(world: World) -> None:
    """Of a host that does not answer nothing is recorded, neither good nor bad."""
    home, _, _ = await scene(world)
    before = home.kit.store.database.rows("SELECT * FROM observation")
    with pytest.raises(RemoteUnreachable):
        await watch.probe(home.kit, "silent.example")
    assert home.kit.store.database.rows("SELECT * FROM observation") == before


async def test_boosts_show_where_to_look(world: World) -> None:
    """A page is found without being told, through what the peer boosted."""
    home, peer, stored = await scene(world)
    boost = peer.activity("Announce", stored.id)
    await arrives(world, peer, boost)
    peer.serve(boost["id"], shows(stored), content_usage="train-ai=y")
    found = await watch.probe(home.kit, "peer.example")
    assert [item["url"] for item in found.contradictions] == [boost["id"]]


async def test_three_of_five_looks_refuse_and_stop_deliveries(world: World) -> None:
    """The third contradiction refuses the peer and drops what waits for it."""
    home, peer, stored = await scene(world)
    await follows(world, peer)
    peer.serve("/copy", shows(stored), content_usage="train-ai=y")
    actions = []
    for _ in range(3):
        alice = home.kit.store.accounts.by_name("alice")
        assert alice is not None
        await published(home, alice)
        actions.append((await watch.probe(home.kit, "peer.example", (PAGE,))).decision.action)
        world.clock.forward(hours=1)
    assert actions == [Action.LIMIT, Action.LIMIT, Action.REFUSE]
    assert {state for state, _ in jobs(home)[1:]} == {"dropped"}


async def test_a_peer_that_reserves_its_own_pages_is_aligned(world: World) -> None:
    """Reserving rights on one's own pages is the first rung, once, and only without contradictions."""
    home, peer, _ = await scene(world)
    peer.serve("/", "<html></html>", content_usage="train-ai=n")
    await watch.probe(home.kit, "peer.example")
    assert home.kit.store.peers.rung(origin_of(PEER)) is Rung.ALIGNED
    home.kit.store.peers.set_rung(origin_of(PEER), Rung.PLEDGED)
    await watch.probe(home.kit, "peer.example")
    assert home.kit.store.peers.rung(origin_of(PEER)) is Rung.PLEDGED
    assert moderate.decision_about(home.kit, origin_of(PEER)).action is Action.ALLOW
    assert home.kit.base == BASE

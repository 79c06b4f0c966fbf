"""Collections of actors and objects: everything to their owner, in pages; to others what they may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON, PUBLIC
from web.asking import problem_of
from world import BASE

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.flows import grant, interact, publish, subscribe
from gateway.preferences import Preferences
from gateway.store.objects import Stored

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from web.asking import Answer
    from web.conftest import Site

pytestmark = pytest.mark.anyio

MANY = 45
ALICE = f"{BASE}/users/alice"
MEMBERS = ("followers", "following", "liked")


async def _own(site: Site, path: str, token: str = "alice") -> Answer:
    return await site.get(path, accept=ACTIVITY_JSON, authorization=f"Bearer {site.tokens[token]}")


async def _read(site: Site, path: str, token: str = "alice") -> dict[str, Any]:
    answer = await _own(site, path, token)
    assert answer.status == 200, answer.text
    document: dict[str, Any] = answer.json
    return document


async def _pages(site: Site, path: str, token: str = "alice") -> list[dict[str, Any]]:
    """Return all pages of a collection."""
    found, following = [], (await _read(site, path, token)).get("first")
    while following is not None:
        found.append(await _read(site, following.removeprefix(BASE), token))
        following = found[-1].get("next")
        assert len(found) < 10
    return found


def _ids(pages: list[dict[str, Any]]) -> list[str]:
    return [item["id"] if isinstance(item, dict) else item for page in pages for item in page["orderedItems"]]


async def _fill(site: Site, name: str) -> list[str]:
    """Put many items into one of Alice's collections; return them newest first."""
    kit, made = site.kit, []
    for number in range(MANY):
        site.world.clock.forward(seconds=1)
        other, now = f"https://peer.example/users/u{number}", kit.clock.now()
        if name == "outbox":
            made.append((await publish.create(kit, site.alice, Draft(text=f"{number}")))[1].id)
        elif name == "followers":
            kit.store.relations.save_follow(other, ALICE, f"{other}/f", "accepted", now)
            made.append(other)
        elif name == "following":
            kit.store.relations.save_follow(ALICE, other, f"{other}/f", "accepted", now)
            made.append(other)
        elif name == "liked":
            kit.store.relations.save_interaction("Like", ALICE, f"{other}/note", f"{other}/like", now)
            made.append(f"{other}/note")
        else:
            create = site.follower.activity("Create", site.follower.note(f"{number}"), to=[ALICE])
            assert (await site.follower.post(f"{ALICE}/inbox", create)).status_code == 202
            await site.world.drain()
            made.append(create["id"])
    return made[::-1]


@pytest.mark.parametrize("name", ["inbox", "outbox", *MEMBERS])
async def test_the_owner_reads_every_page(own_site: Site, name: str) -> None:
    """Pages of twenty lead from the newest to the oldest item; each item stands once, each page knows its place."""
    path = f"/users/alice/{name}"
    before = _ids(await _pages(own_site, path))
    made = await _fill(own_site, name)
    whole, pages = await _read(own_site, path), await _pages(own_site, path)
    assert _ids(pages) == made + before
    assert whole["totalItems"] == MANY + len(before)
    assert whole["first"] == pages[0]["id"] == f"{BASE}{path}?page=1"
    assert [len(page["orderedItems"]) for page in pages[:-1]] == [20] * (len(pages) - 1)
    for page in pages:
        assert (page["type"], page["partOf"], page["totalItems"]) == (
            "OrderedCollectionPage",
            whole["id"],
            whole["totalItems"],
        )
    assert "next" not in pages[-1]


@pytest.mark.parametrize("name", ["inbox", "outbox"])
async def test_what_comes_meanwhile_moves_no_page(own_site: Site, name: str) -> None:
    """The second page is the same whether something new came or not."""
    await _fill(own_site, name)
    path = f"/users/alice/{name}"
    second = (await _pages(own_site, path))[0]["next"].removeprefix(BASE)
    before = _ids([await _read(own_site, second)])
    await publish.create(own_site.kit, own_site.carol, Draft(text="new for @alice@gw.example"))
    await publish.create(own_site.kit, own_site.alice, Draft(text="new"))
    await own_site.world.drain()
    assert _ids([await _read(own_site, second)]) == before


@pytest.mark.parametrize("name", ["inbox", "outbox", *MEMBERS])
@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "²", "1%00", "9" * 13, "' OR 1=1", "2222222222222x"])
async def test_a_cursor_that_was_never_given_is_a_404(site: Site, name: str, cursor: str) -> None:
    """No page has such a name."""
    problem_of(await _own(site, f"/users/alice/{name}?page={cursor}".replace(" ", "%20")), [404])


@pytest.mark.parametrize(
    ("name", "cursor"), [("outbox", "2222222222222"), ("inbox", "0"), *((n, "999") for n in MEMBERS)]
)
async def test_beyond_the_end_a_page_is_empty(site: Site, name: str, cursor: str) -> None:
    """A cursor past everything gives a page with nothing on it and nothing after it."""
    page = await _read(site, f"/users/alice/{name}?page={cursor}")
    assert (page["orderedItems"], "next" in page) == ([], False)


async def test_an_empty_collection_has_no_pages(site: Site) -> None:
    """Nothing to show: no first page, an empty list."""
    for name in ("inbox", *MEMBERS):
        document = await _read(site, f"/users/carol/{name}", "carol")
        assert (document["totalItems"], document["orderedItems"], "first" in document) == (0, [], False)


@pytest.mark.parametrize("name", MEMBERS)
async def test_others_learn_how_many(own_site: Site, name: str) -> None:
    """Who they are stays with the owner; pages are not for others either."""
    before = (await _read(own_site, f"/users/alice/{name}"))["totalItems"]
    await _fill(own_site, name)
    for query in ("", "?page=1", "?page=20"):
        path = f"/users/alice/{name}{query}"
        for answer in (await own_site.signed(path, own_site.stranger), await _own(own_site, path, "carol")):
            assert answer.status == 200
            assert answer.json["totalItems"] == MANY + before
            assert answer.json["orderedItems"] == []
            assert "peer.example" not in answer.text


async def test_others_learn_that_they_are_among_them(own_site: Site) -> None:
    """A follower finds itself among the followers, and nobody else."""
    subscribe.follow(own_site.kit, own_site.carol, ALICE)
    await own_site.world.drain()
    for answer, who in (
        (await own_site.signed("/users/alice/followers"), own_site.follower.me.id),
        (await _own(own_site, "/users/alice/followers", "carol"), own_site.carol.id),
    ):
        assert (answer.json["totalItems"], answer.json["orderedItems"]) == (2, [who])


async def test_without_authorized_fetch_anybody_counts(unguarded: Site) -> None:
    """An unsigned request learns numbers, and no names."""
    for name in MEMBERS:
        answer = await unguarded.get(f"/users/alice/{name}", accept=ACTIVITY_JSON)
        assert (answer.status, answer.json["orderedItems"]) == (200, [])
    answer = await unguarded.get("/users/alice/inbox", accept=ACTIVITY_JSON)
    assert problem_of(answer, [403])["code"] == "private-collection"


@pytest.mark.parametrize("who", ["follower", "stranger", "carol"])
async def test_an_inbox_is_its_owners(site: Site, who: str) -> None:
    """Nobody else reads it, with a signature or a token; without either it is a 401."""
    if who == "carol":
        answer = await _own(site, "/users/alice/inbox", "carol")
    else:
        peer: PlainPeer = getattr(site, who)
        answer = await site.signed("/users/alice/inbox", peer)
    assert problem_of(answer, [403])["code"] == "private-collection"
    problem_of(await site.get("/users/alice/inbox", accept=ACTIVITY_JSON), [401])


@pytest.mark.parametrize("name", ["inbox", "outbox", *MEMBERS, "featured"])
async def test_a_token_for_writing_reads_no_collection(site: Site, name: str) -> None:
    """Reading needs the scope for it; nobody has no collections, and who is gone has none any more."""
    site.tokens["writer"] = grant.create_token(site.kit, site.alice, "writer", [grant.WRITE])[1]
    answer = await _own(site, f"/users/alice/{name}", "writer")
    assert problem_of(answer, [403])["code"] == "insufficient-scope"
    problem_of(await _own(site, f"/users/nobody/{name}"), [404])
    problem_of(await _own(site, f"/users/gone/{name}"), [410])


async def test_an_outbox_shows_each_reader_what_is_for_them(site: Site) -> None:
    """A stranger sees what is open, a follower more, who was addressed theirs, and the owner everything."""

    async def seen(answer: Answer) -> set[str]:
        assert answer.status == 200
        objects = {item["object"]["id"] for item in answer.json["orderedItems"] if item["type"] == "Create"}
        return {name for name, post in site.posts.items() if post.id in objects}

    stranger = await seen(await site.signed("/users/alice/outbox?page=1", site.stranger))
    assert stranger == {"public", "unlisted", "warned", "media"}
    bob = await seen(await site.signed("/users/alice/outbox?page=1"))
    assert bob == stranger | {"followers", "direct"}
    assert await seen(await _own(site, "/users/alice/outbox?page=1", "carol")) == stranger
    own = await seen(await _own(site, "/users/alice/outbox?page=1"))
    assert own >= bob


@pytest.mark.parametrize("who", ["stranger", "follower"])
async def test_totals_count_what_the_reader_may_see(site: Site, who: str) -> None:
    """The number that an outbox tells is the number of what it shows."""
    peer: PlainPeer = getattr(site, who)
    whole = (await site.signed("/users/alice/outbox", peer)).json
    page = (await site.signed("/users/alice/outbox?page=1", peer)).json
    assert whole["totalItems"] == page["totalItems"] == len(page["orderedItems"])


async def test_a_narrowed_post_leaves_the_outbox_of_strangers(own_site: Site) -> None:
    """Once a post is for followers alone, its public Create shows it to nobody else."""
    target = own_site.posts["public"].id
    update = {"id": target, "to": [f"{ALICE}/followers"], "cc": [], "content": "<p>narrowed</p>"}
    assert (await own_site.publish(json.dumps({"type": "Update", "object": update}).encode())).status == 201
    assert (await own_site.signed(own_site.path("public"), own_site.stranger)).status == 404
    answer = await own_site.signed("/users/alice/outbox?page=1", own_site.stranger)
    assert "narrowed" not in answer.text


async def test_a_blocked_reader_sees_an_empty_outbox(own_site: Site) -> None:
    """Whoever is blocked is shown nothing, what was addressed to them by name included."""
    assert (await own_site.signed("/users/alice/outbox?page=1")).json["orderedItems"]
    interact.block(own_site.kit, own_site.alice, own_site.follower.me.id)
    answer = await own_site.signed("/users/alice/outbox?page=1")
    shown = [item for item in answer.json["orderedItems"] if item["type"] == "Create"]
    assert shown == []


async def test_what_was_deleted_or_taken_back_is_in_the_owners_outbox_alone(own_site: Site) -> None:
    """The owner sees everything that was ever done, without the text of what was deleted; others none of it."""
    boost = await interact.interact(own_site.kit, own_site.alice, "Announce", own_site.posts["open"].id)
    interact.undo_interaction(own_site.kit, own_site.alice, "Announce", own_site.posts["open"].id)
    own = await _pages(own_site, "/users/alice/outbox")
    assert boost.id in _ids(own)
    assert "regretted" not in json.dumps(own)
    others = (await own_site.signed("/users/alice/outbox?page=1", own_site.stranger)).text
    assert boost.id not in others
    assert "regretted" not in others


async def _liked(site: Site, name: str, kind: str) -> dict[str, str]:
    """Let two people like or boost a post; return the ids of their activities."""
    made = {}
    for peer in (site.follower, site.stranger):
        activity = peer.activity(kind, site.posts[name].id)
        assert (await peer.post(f"{ALICE}/inbox", activity)).status_code == 202
        await site.world.drain()
        made[peer.me.id] = activity["id"]
    return made


async def test_likes_are_told_their_author_and_the_likers(own_site: Site) -> None:
    """The author sees every Like, everybody their own, and everybody how many there are."""
    likes = await _liked(own_site, "public", "Like")
    path = f"{own_site.path('public')}/likes"
    own = await _read(own_site, path)
    assert (own["totalItems"], set(own["orderedItems"])) == (2, set(likes.values()))
    for peer in (own_site.follower, own_site.stranger):
        answer = (await own_site.signed(path, peer)).json
        assert (answer["totalItems"], answer["orderedItems"]) == (2, [likes[peer.me.id]])
    carol = await _read(own_site, path, "carol")
    assert (carol["id"], carol["totalItems"], carol["orderedItems"]) == (f"{BASE}{path}", 2, [])


async def test_shares_are_public(own_site: Site) -> None:
    """Who may see the post sees each boost of it."""
    shares = await _liked(own_site, "public", "Announce")
    path = f"{own_site.path('public')}/shares"
    for answer in (await own_site.signed(path, own_site.stranger), await _own(own_site, path, "carol")):
        assert (answer.json["totalItems"], set(answer.json["orderedItems"])) == (2, set(shares.values()))


@pytest.mark.parametrize("name", ["likes", "shares", "replies"])
@pytest.mark.parametrize(
    ("post", "reader", "status"),
    [
        ("followers", "stranger", 404), ("followers", "follower", 200), ("direct", "stranger", 404),
        ("direct", "follower", 200), ("unlisted", "stranger", 200), ("deleted", "stranger", 200),
    ],
)  # fmt: skip
async def test_collections_of_a_post_are_as_private_as_it(
    site: Site, name: str, post: str, reader: str, status: int
) -> None:
    """Nobody counts the likes of what they may not see; without a signature it is a 401."""
    path = f"{site.path(post)}/{name}"
    answer = await site.signed(path, getattr(site, reader))
    assert answer.status in ((200, 410) if post == "deleted" else (status,))
    problem_of(await site.get(path, accept=ACTIVITY_JSON), [401])
    problem_of(await _own(site, f"/posts/2222222222222/{name}"), [404])


async def test_pinned_posts_are_shown_whole_to_who_may_see_them(own_site: Site) -> None:
    """Featured has the documents themselves; a pin of something that is gone or hidden is left out."""
    featured = f"{ALICE}/featured"
    hidden = own_site.posts["followers"].id
    for item in (own_site.posts["public"].id, hidden, "https://peer.example/notes/unknown"):
        own_site.kit.store.collections.add(featured, item, own_site.kit.clock.now())
    answer = await own_site.signed("/users/alice/featured", own_site.stranger)
    assert [item["id"] for item in answer.json["orderedItems"]] == [own_site.posts["public"].id]
    assert answer.json["orderedItems"][0]["contentUsage"]
    assert hidden in (await own_site.signed("/users/alice/featured")).text


async def test_replies_are_the_open_ones(own_site: Site) -> None:
    """A collection of replies has ids, and none of what was said in private."""
    target = own_site.posts["public"].id
    for number, visibility in enumerate((Visibility.PUBLIC, Visibility.DIRECT)):
        reply = Stored(
            id=f"https://peer.example/notes/r{number}", local=False, type="Note", owner=own_site.follower.me.id,
            visibility=visibility, document={"content": "x"}, prefs=Preferences(), in_reply_to=target,
            published=own_site.kit.clock.now(),
        )  # fmt: skip
        own_site.kit.store.objects.save(reply)
    document = await _read(own_site, f"{own_site.path('public')}/replies")
    assert document["orderedItems"] == ["https://peer.example/notes/r0"]
    assert PUBLIC not in json.dumps(document["orderedItems"])

"""ActivityPub between servers: who sees what, in which form, and what an inbox answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from web.asking import ask, problem_of
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.flows import interact, publish

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

ACTIVITY = "application/activity+json"
PROFILED = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PRIVATE = {"name", "summary", "followers", "following", "featured", "published", "discoverable", "url", "icon"}


def _created(site: Site, name: str) -> str:
    sent = site.kit.store.objects.latest_activity(site.alice.id, "Create", site.posts[name].id)
    assert sent is not None
    return sent.id.removeprefix(BASE)


async def test_an_unsigned_reader_gets_the_keys_of_an_actor_and_nothing_about_the_person(site: Site) -> None:
    """The key-only form holds what verifying needs, and the preferences."""
    document = (await site.get("/users/alice")).json
    assert document["id"] == f"{BASE}/users/alice"
    assert document["publicKey"]["owner"] == document["id"]
    assert document["assertionMethod"][0]["controller"] == document["id"]
    assert document["contentUsage"] == "train-ai=n, ai-use=n, search=y"
    assert not PRIVATE & document.keys()


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421", "rfc9421-ed25519"])
async def test_a_signed_reader_gets_the_whole_actor(site: Site, scheme: str) -> None:
    """Either signature scheme, with either kind of key, opens the whole document."""
    document = (await site.signed("/users/alice", scheme=scheme)).json
    assert document["name"] == "Alice"
    assert document["followers"] == f"{BASE}/users/alice/followers"
    assert document["generator"]["implements"]


async def test_a_bad_signature_is_worse_than_none(site: Site) -> None:
    """A request whose signature cannot be read or does not hold gets no key-only form instead."""
    unreadable = await site.get("/users/alice", signature="garbage")
    assert problem_of(unreadable, [400])["code"] == "malformed-signature"
    request = site.follower.signed(f"{BASE}/users/alice", b"", method="GET")
    lines = [(name, value) for name, value in request.headers if name != "host"]
    elsewhere = await ask(site.app, "GET", "/users/carol", lines)
    assert problem_of(elsewhere, [401])["code"] == "not-authenticated"


async def test_the_instance_actor_is_open(site: Site) -> None:
    """The actor that signs fetches is whole without a signature: peers need it to verify us (FEP-2677)."""
    document = (await site.get("/actor")).json
    assert (document["id"], document["type"]) == (f"{BASE}/actor", "Application")
    assert document["implements"]
    assert document["aiUsage"]["statements"][0]["declaredBy"]["id"] == f"{BASE}/actor"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (ACTIVITY, ACTIVITY),
        (PROFILED, PROFILED),
        (f"{ACTIVITY}, {PROFILED}", ACTIVITY),
        ("*/*", ACTIVITY),
        ("", ACTIVITY),
        ("application/json", ACTIVITY),
        (f"text/html;q=0.1, {ACTIVITY}", ACTIVITY),
        ("application/activity+json;q=banana", ACTIVITY),
    ],
)
@pytest.mark.parametrize("path", ["/users/alice", "/actor"])
async def test_software_gets_json(site: Site, path: str, accept: str, media_type: str) -> None:
    """Whatever names JSON, and whatever names nothing, gets a type that carries ActivityStreams."""
    answer = await site.get(path, accept=accept)
    assert (answer.status, answer.media_type) == (200, media_type)
    assert answer.header("vary") == "Accept, Signature"


@pytest.mark.parametrize("accept", [BROWSER, "text/html", f"text/html, {ACTIVITY};q=0.5"])
async def test_people_are_led_to_pages(site: Site, accept: str) -> None:
    """A browser is sent from the id of a thing to its page, without a signature."""
    tid = site.tid("public")
    for path, page in (("/users/alice", "/@alice"), ("/actor", "/about"), (site.path("public"), f"/@alice/{tid}")):
        answer = await site.get(path, accept=accept)
        assert (answer.status, answer.header("location")) == (303, f"{BASE}{page}")
        assert answer.header("vary") == "Accept, Signature"


async def test_an_unsigned_reader_of_an_object_learns_how_to_sign(site: Site) -> None:
    """The 401 lists the checks, challenges, and names the command that looks it up signed."""
    answer = await site.get(site.path("public"))
    problem = problem_of(answer, [401])
    assert problem["steps"] == [{"name": "signed", "expected": "a signature", "found": "none", "ok": False}]
    assert problem["hint"] == f"gateway lookup --signed {site.posts['public'].id}"
    assert "Signature" in answer.header("www-authenticate")
    assert '"@method" "@target-uri"' in answer.header("accept-signature")
    assert answer.header("cache-control") == "no-store"


async def test_missing_and_existing_objects_look_alike_unsigned(site: Site) -> None:
    """Without a signature nobody learns which posts exist."""
    first, second = [
        (await site.get(path)).text.replace(path, "") for path in (site.path("followers"), "/posts/2222222222222")
    ]
    assert first == second


@pytest.mark.parametrize("name", ["public", "unlisted", "warned", "media"])
async def test_open_posts_are_for_everybody_who_signs(site: Site, name: str) -> None:
    """A stranger's server reads public and unlisted posts."""
    answer = await site.signed(site.path(name), site.stranger)
    assert (answer.status, answer.json["id"]) == (200, site.posts[name].id)


@pytest.mark.parametrize("name", ["followers", "direct"])
async def test_restricted_posts_are_for_those_they_name(site: Site, name: str) -> None:
    """Who follows or is named reads them; for others they are missing, in the very same words."""
    answer = await site.signed(site.path(name))
    assert (answer.status, answer.json["id"]) == (200, site.posts[name].id)
    hidden = await site.signed(site.path(name), site.stranger)
    missing = await site.signed("/posts/2222222222222", site.stranger)
    assert problem_of(hidden, [404]) == problem_of(missing, [404])
    assert dict(hidden.lines) == dict(missing.lines)


async def test_a_direct_post_is_not_for_other_followers(own_site: Site) -> None:
    """Following does not open a direct post; being named does."""
    late = own_site.world.peer("late.example", "dave")
    await late.post(f"{BASE}/users/alice/inbox", late.activity("Follow", own_site.alice.id))
    await own_site.world.drain()
    assert (await own_site.signed(own_site.path("followers"), late)).status == 200
    assert (await own_site.signed(own_site.path("direct"), late)).status == 404


async def test_a_pending_follow_opens_nothing(own_site: Site) -> None:
    """A follow that waits for approval does not open posts for followers."""
    account(own_site.gateway, "erin", approves=True)
    erin = own_site.kit.store.accounts.by_name("erin")
    assert erin is not None
    stored, _ = await publish.create(own_site.kit, erin, Draft(text="closed", visibility=Visibility.FOLLOWERS))
    await own_site.stranger.post(f"{erin.id}/inbox", own_site.stranger.activity("Follow", erin.id))
    await own_site.world.drain()
    assert (await own_site.signed(stored.id.removeprefix(BASE), own_site.stranger)).status == 404


async def test_who_is_blocked_sees_nothing(own_site: Site) -> None:
    """A blocked actor finds public posts missing."""
    await own_site.signed("/users/alice", own_site.stranger)
    interact.block(own_site.kit, own_site.alice, own_site.stranger.me.id)
    assert (await own_site.signed(own_site.path("public"), own_site.stranger)).status == 404
    assert (await own_site.signed(own_site.path("public"))).status == 200


async def test_a_deleted_post_is_a_labelled_tombstone(site: Site) -> None:
    """What was deleted answers 410 with a Tombstone that keeps the preferences and nothing of the text."""
    answer = await site.signed(site.path("deleted"), site.stranger)
    assert (answer.status, answer.media_type) == (410, ACTIVITY)
    document = answer.json
    assert (document["type"], document["formerType"]) == ("Tombstone", "as:Note")
    assert document["contentUsage"] == "train-ai=n, ai-use=n, search=y"
    assert answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert "regretted" not in answer.text


async def test_the_activity_that_made_a_deleted_post_is_gone_too(site: Site) -> None:
    """The bytes of a Create would tell what was deleted."""
    assert problem_of(await site.signed(_created(site, "deleted")), [410])["code"] == "gone"


@pytest.mark.parametrize("name", ["public", "followers", "direct"])
async def test_an_activity_is_shown_as_it_was_delivered(site: Site, name: str) -> None:
    """Those an activity was for read the very bytes that were delivered."""
    target = _created(site, name)
    answer = await site.signed(target)
    sent = site.kit.store.objects.activity(f"{BASE}{target}")
    assert sent is not None
    assert (answer.status, answer.body) == (200, sent.body)


@pytest.mark.parametrize("name", ["followers", "direct"])
async def test_a_restricted_activity_is_missing_for_others(site: Site, name: str) -> None:
    """Who may not see the post may not see the activity either, in the words for a missing one."""
    hidden = await site.signed(_created(site, name), site.stranger)
    missing = await site.signed("/activities/2222222222222", site.stranger)
    assert problem_of(hidden, [404]) == problem_of(missing, [404])


async def test_an_activity_about_somebody_is_theirs_to_read(own_site: Site) -> None:
    """A Block can be read by the blocked actor alone, and not once it is taken back."""
    await own_site.signed("/users/alice", own_site.stranger)
    sent = interact.block(own_site.kit, own_site.alice, own_site.stranger.me.id)
    target = sent.id.removeprefix(BASE)
    assert (await own_site.signed(target, own_site.stranger)).json["type"] == "Block"
    assert (await own_site.signed(target)).status == 404
    interact.unblock(own_site.kit, own_site.alice, own_site.stranger.me.id)
    assert (await own_site.signed(target, own_site.stranger)).status == 404


async def test_collections_count_and_keep_the_members_to_themselves(site: Site) -> None:
    """Followers, following and liked give a number, never names; who is among them finds themselves."""
    for name, number in (("followers", 1), ("following", 0), ("liked", 0)):
        document = (await site.signed(f"/users/alice/{name}", site.stranger)).json
        assert (document["type"], document["totalItems"]) == ("OrderedCollection", number)
        assert "peer.example" not in json.dumps(document)
    assert (await site.signed("/users/alice/followers")).json["orderedItems"] == [site.follower.me.id]


async def test_the_outbox_is_paged_to_its_end(own_site: Site) -> None:
    """Pages hold twenty open activities, newest first, and end; restricted and deleted posts stay out."""
    for number in range(25):
        await publish.create(own_site.kit, own_site.alice, Draft(text=f"number {number}"))
    whole = (await own_site.signed("/users/alice/outbox", own_site.stranger)).json
    following, items = whole["first"], []
    pages = 0
    while following:
        page = (await own_site.signed(following.removeprefix(BASE), own_site.stranger)).json
        assert (page["type"], page["partOf"]) == ("OrderedCollectionPage", whole["id"])
        items += page["orderedItems"]
        following, pages = page.get("next"), pages + 1
    assert (pages, len(items)) == (2, whole["totalItems"])
    assert items == sorted(items, key=lambda item: item["id"], reverse=True)
    shown = {item["object"]["id"] for item in items}
    assert own_site.posts["public"].id in shown
    assert not shown & {own_site.posts[name].id for name in ("followers", "direct", "deleted")}


async def test_a_page_signed_without_its_query_is_forgiven_in_the_old_scheme_alone(site: Site) -> None:
    """Several servers sign collection pages without the query; objects and RFC 9421 are not forgiven that."""
    for scheme, path, status in (
        ("cavage", "/users/alice/outbox", 200),
        ("rfc9421", "/users/alice/outbox", 401),
        ("cavage", "/users/alice", 401),
    ):
        request = site.follower.signed(f"{BASE}{path}", b"", scheme=scheme, method="GET")
        lines = [(name, value) for name, value in request.headers if name != "host"]
        assert (await ask(site.app, "GET", f"{path}?page=1", lines)).status == status


async def test_replies_and_featured_are_inline(site: Site) -> None:
    """Both are ordered collections with their items inside."""
    for path in (f"{site.path('public')}/replies", "/users/alice/featured"):
        document = (await site.signed(path)).json
        assert (document["type"], document["orderedItems"]) == ("OrderedCollection", [])


async def test_replies_to_a_hidden_post_are_hidden(site: Site) -> None:
    """The replies of a post are for those who may see the post."""
    target = f"{site.path('followers')}/replies"
    assert (await site.signed(target)).status == 200
    assert (await site.signed(target, site.stranger)).status == 404


async def test_a_deleted_account_is_gone_everywhere(site: Site) -> None:
    """Actor, collections, inbox, page and feed of a deleted account answer 410."""
    for path in ("/users/gone", "/users/gone/outbox", "/users/gone/followers", "/@gone", "/@gone.atom"):
        assert problem_of(await site.signed(path), [410])["code"] == "gone"
    answer = await site.follower.post(
        f"{BASE}/users/gone/inbox", site.follower.activity("Follow", f"{BASE}/users/gone")
    )
    assert answer.status_code == 410


async def test_an_account_that_never_was_is_missing(site: Site) -> None:
    """Unknown names answer 404, also at the inbox; the instance actor has no address below /users."""
    for path in ("/users/nobody", "/users/nobody/outbox", "/@nobody", "/@nobody.atom", "/users/gw.example"):
        assert problem_of(await site.signed(path), [404])["code"] == "not-found"
    answer = await site.follower.post(
        f"{BASE}/users/nobody/inbox", site.follower.activity("Like", site.posts["public"].id)
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/inbox", "/users/alice/inbox", "/users/carol/inbox", "/actor/inbox"])
async def test_every_inbox_takes_an_activity_once(own_site: Site, path: str) -> None:
    """An inbox answers 202 with an empty body; the same activity again changes nothing."""
    like = own_site.follower.activity("Like", own_site.posts["public"].id)
    for _ in range(2):
        answer = await own_site.follower.post(f"{BASE}{path}", like)
        assert (answer.status_code, answer.content) == (202, b"")
        await own_site.world.drain()
    assert len(own_site.kit.store.relations.interactions(own_site.posts["public"].id, "Like")) == 1


async def test_without_authorized_fetch_open_things_are_open(unguarded: Site) -> None:
    """With the setting off, actors and open posts are read unsigned, restricted ones still are missing."""
    assert (await unguarded.get("/users/alice")).json["name"] == "Alice"
    assert (await unguarded.get(unguarded.path("public"))).status == 200
    assert (await unguarded.get("/users/alice/outbox?page=1")).status == 200
    assert (await unguarded.get(unguarded.path("followers"))).status == 404
    assert (await unguarded.get(unguarded.path("public"), signature="garbage")).status == 400


async def test_a_refused_peer_is_told_why(own_site: Site) -> None:
    """A peer that contradicted our labels is answered 403 with reason, evidence and where to appeal, reading too."""
    stored = own_site.posts["public"]
    faithless = own_site.stranger.activity(
        "Announce", {**stored.document, "contentUsage": "train-ai=y", "aiUsage": None}
    )
    assert (await own_site.stranger.post(f"{BASE}/inbox", faithless)).status_code == 403
    problem = problem_of(await own_site.signed(own_site.path("public"), own_site.stranger), [403])
    assert problem["code"] == "altered-preferences"
    assert problem["evidence"]
    assert problem["appeal"] == f"{BASE}/about/policy"

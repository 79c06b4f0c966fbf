"""Documents: context and labels in one place, types, ETags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import BASE

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

TERMS = ("contentUsage", "aiUsage", "xRobotsTag", "indexable")


@pytest.mark.parametrize(
    "path",
    ["/users/alice", "/users/alice/outbox", "/users/alice/followers", "post", "media", "deleted", "replies", "/actor"],
)
async def test_every_document_carries_every_term(site: Site, path: str) -> None:
    """Our terms are on each document, defined inline in its context, and lossless in ``aiUsage``."""
    named = {"post": site.path("public"), "replies": f"{site.path('public')}/replies"}
    target = named.get(path) or (site.path(path) if path in site.posts else path)
    document = (await site.signed(target)).json
    inline = document["@context"][-1]
    for term in TERMS:
        assert term in inline
        # The instance states nothing about search, so it has no word for ``indexable``.
        assert term in document or (path, term) == ("/actor", "indexable")
    assert document["aiUsage"]["v"] == 1
    assert document["aiUsage"]["prefs"]["train-gen"] == "n"
    assert document["aiUsage"]["statements"]
    assert document["xRobotsTag"] == "noai, noimageai"


async def test_attachments_carry_the_terms_too(site: Site) -> None:
    """A file that is copied out of its post takes its preferences along."""
    document = (await site.signed(site.path("media"))).json
    for term in TERMS:
        assert document["attachment"][0][term] == document[term]


async def test_the_context_names_activitystreams_literally_and_first(site: Site) -> None:
    """Mastodon matches the string."""
    for target in ("/users/alice", "/actor", site.path("public")):
        context = (await site.signed(target)).json["@context"]
        assert context[0] == "https://www.w3.org/ns/activitystreams"
        assert ("https://w3id.org/security/v1" in context) == (target != site.path("public"))


async def test_collections_state_what_their_owner_asks(site: Site) -> None:
    """Carol asks for nothing, so her collections say the instance's own request, declared as the instance's."""
    document = (await site.signed("/users/carol/followers")).json
    assert document["contentUsage"] == "train-ai=n, ai-use=n"
    assert {said["declaredBy"]["kind"] for said in document["aiUsage"]["statements"]} == {"instance"}


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"other", {tag}', 304),
        ("*", 304),
        ('"other"', 200),
        ("", 200),
        ("{bare}", 200),
    ],
)
async def test_a_client_that_has_the_bytes_gets_none(site: Site, known: str, status: int) -> None:
    """If-None-Match is compared weakly, as a list (RFC 9110, section 13.1.2)."""
    target = site.path("public")
    tag = (await site.signed(target)).header("etag")
    answer = await site.signed(target, if_none_match=known.format(tag=tag, bare=tag.strip('"')))
    assert answer.status == status
    assert answer.header("etag") == tag
    assert answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert (answer.body == b"") == (status == 304)


async def test_the_two_forms_of_an_actor_have_two_tags(site: Site) -> None:
    """A cache that knows Vary never mixes the key-only form and the whole one."""
    unsigned, signed = await site.get("/users/alice"), await site.signed("/users/alice")
    assert unsigned.header("etag") != signed.header("etag")
    assert unsigned.header("vary") == signed.header("vary") == "Accept, Signature"
    assert signed.header("cache-control") == "private, no-cache"


async def test_the_same_document_has_the_same_bytes(site: Site) -> None:
    """Nothing in a document depends on when it is asked for."""
    first = await site.signed(site.path("public"))
    site.world.clock.forward(minutes=3)
    assert (await site.signed(site.path("public"))).body == first.body


async def test_ids_are_where_they_say(site: Site) -> None:
    """Each document is at its own id, on our origin."""
    for target in ("/users/alice", "/users/alice/outbox", "/users/alice/followers", site.path("public"), "/actor"):
        assert (await site.signed(target)).json["id"] == f"{BASE}{target}"

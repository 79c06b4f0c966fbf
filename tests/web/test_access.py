"""Who is asking, and may they: signatures on GETs, visibility, tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from web.asking import problem_of
from world import BASE

from gateway.activitypub.addressing import Visibility
from gateway.errors import NotFound
from gateway.flows.grant import hash_secret
from gateway.signatures import cavage
from gateway.signatures.request import SignedRequest
from gateway.web.access import check_visible

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from web.conftest import Site

pytestmark = pytest.mark.anyio


def test_a_token_is_kept_as_its_hash(site: Site) -> None:
    """No secret stands in the database, in no table."""
    rows = site.kit.store.database.rows("SELECT * FROM token")
    assert hash_secret(site.tokens["alice"]) in {row["hash"] for row in rows}
    assert site.tokens["alice"] not in str(rows)


@pytest.mark.parametrize(
    ("visibility", "asker", "seen"),
    [
        (Visibility.PUBLIC, None, True),
        (Visibility.PUBLIC, "stranger", True),
        (Visibility.UNLISTED, None, True),
        (Visibility.FOLLOWERS, None, False),
        (Visibility.FOLLOWERS, "stranger", False),
        (Visibility.FOLLOWERS, "follower", True),
        (Visibility.DIRECT, None, False),
        (Visibility.DIRECT, "follower", False),
        (Visibility.DIRECT, "stranger", False),
        (Visibility.DIRECT, "named", True),
        (Visibility.FOLLOWERS, "named", True),
    ],
)
def test_who_may_see_what(site: Site, visibility: Visibility, asker: str | None, *, seen: bool) -> None:
    """Open posts are for all, others for followers or those they name; the rest finds nothing."""
    people = {
        "stranger": site.stranger.me.id,
        "follower": site.follower.me.id,
        "named": "https://named.example/users/nina",
    }
    document = {"to": [people["named"]], "cc": []}
    stored = replace(site.posts["public"], visibility=visibility, document=document)
    who = people[asker] if asker else None
    if seen:
        assert check_visible(site.kit, stored, who) is stored
    else:
        with pytest.raises(NotFound):
            check_visible(site.kit, stored, who)


def test_what_came_from_elsewhere_is_not_ours_to_show(site: Site) -> None:
    """A remote object is never served, even when it is open: its origin does that."""
    with pytest.raises(NotFound):
        check_visible(site.kit, replace(site.posts["public"], local=False), None)
    with pytest.raises(NotFound):
        check_visible(site.kit, None, None)


async def test_a_signed_get_costs_two_fetches_at_most(own_site: Site) -> None:
    """The signer is looked up once: the key's document, and its owner when that is another one."""
    newcomer = own_site.world.peer("newcomer.example", "nora")
    assert (await own_site.signed("/users/alice", newcomer)).status == 200
    assert newcomer.gets == ["/users/nora"]
    assert (await own_site.signed(own_site.path("public"), newcomer)).status == 200
    assert newcomer.gets == ["/users/nora"]


async def test_a_key_with_a_document_of_its_own_is_followed_to_its_owner(own_site: Site) -> None:
    """A key id that is a path (GoToSocial) is fetched, then its owner, who must list it."""
    newcomer = own_site.world.peer("newcomer.example", "nora")
    nora = newcomer.me
    key = {"id": f"{nora.id}/main-key", "owner": nora.id, "publicKeyPem": nora.rsa.public.pem()}
    newcomer.serve_document(f"{nora.id}/main-key", {"@context": "https://w3id.org/security/v1", **key})
    newcomer.serve_document(nora.id, nora.document(publicKey=key))
    answer = await _with_key(own_site, newcomer, f"{nora.id}/main-key")
    assert answer == 200
    assert newcomer.gets == ["/users/nora/main-key", "/users/nora"]


async def _with_key(site: Site, peer: PlainPeer, key_id: str) -> int:
    bare = SignedRequest(method="GET", target=f"{BASE}/users/alice", headers=(("accept", "application/activity+json"),))
    signed = bare.with_headers(*cavage.sign(bare, peer.me.rsa, key_id, site.world.clock.now()))
    return (await peer.send(signed)).status_code


@pytest.mark.parametrize("status", [404, 410])
async def test_a_key_that_is_gone_authenticates_nobody(own_site: Site, status: int) -> None:
    """A key host that says the key is gone makes it a 401."""
    newcomer = own_site.world.peer("newcomer.example", "nora")
    newcomer.serve(newcomer.me.id, "", status=status)
    assert (await own_site.signed("/users/alice", newcomer)).status == 401


@pytest.mark.parametrize("status", [500, 502, 429, 408])
async def test_a_key_host_in_trouble_is_a_503(own_site: Site, status: int) -> None:
    """A passing fault of the key host is worth another try: 503 with Retry-After."""
    newcomer = own_site.world.peer("newcomer.example", "nora")
    newcomer.serve(newcomer.me.id, "", status=status)
    answer = await own_site.signed("/users/alice", newcomer)
    assert problem_of(answer, [503])["code"] == "key-host-unavailable"
    assert int(answer.header("retry-after")) > 0


async def test_a_name_is_found_in_any_case(site: Site) -> None:
    """Names are compared without case; the id keeps its own."""
    assert (await site.get("/users/ALICE")).json["id"] == f"{BASE}/users/alice"

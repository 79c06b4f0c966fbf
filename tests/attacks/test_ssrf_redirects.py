"""Beyond the catalogue: where a redirect may lead, hop by hop, for every purpose that follows one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS
from attacks.internet import PUBLIC_4
from attacks.spellings import bracketed, numeric, written
from attacks.ssrf_vectors import START, to
from peers.plain import Served
from world import BASE

from gateway.errors import AddressRefused, GatewayError, RemoteAnswer, RemoteUnreachable
from gateway.net.client import Answer
from gateway.net.purpose import DELIVERY, OBJECT, PURPOSES
from gateway.policy.rules import Action, Rule

if TYPE_CHECKING:
    from attacks.internet import Ask
    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
SECURE, PLAIN = "https://a.example", "http://a.example"
FOLLOWED = {301, 302, 303, 307, 308}
# Ways in whose first request is for the URL itself, one or more for each purpose that follows redirects.
FOLLOWING = ("keyid_fetch", "object_fetch (announce/inReplyTo)", "actor_refresh", "client_follow", "client_recipient",
             "proxy_url", "follow_add", "jsonld_context", "inspect_json", "inspect_keys", "cli_lookup",
             "robots_txt_or_policy_fetch")  # fmt: skip
STAYING = ["keyid_fetch", "actor_refresh", "client_follow", "inspect_keys"]
LOCATIONS = (
    "http://127.0.0.1/", "https://127.0.0.1/", "//127.0.0.1/", "///127.0.0.1/", "/\\127.0.0.1/", "\\\\127.0.0.1\\",
    "https:127.0.0.1/", "https:/127.0.0.1/", "HTTPS://127.0.0.1/", " https://127.0.0.1/", "\thttps://127.0.0.1/",
    "https://127.0.0.1:443/", "https://127.0.0.1:8443/", "https://a.example@127.0.0.1/", "https://a.example:@127.0.0.1/",
    "https://127.0.0.1\\@a.example/", "https://127.0.0.1%2f@a.example/", "https://a.example%40127.0.0.1/",
    "https://localhost/", "https://[::1]/", "//[::ffff:7f00:1]/", "https://x.internal/", "ws://127.0.0.1/",
    "blob:https://127.0.0.1/x", "view-source:http://127.0.0.1/", "jar:http://127.0.0.1!/", "dict://127.0.0.1:11211/x",
    "ldap://127.0.0.1/", "unix:/run/x.sock", "http+unix://%2Frun%2Fx.sock/", "netdoc:/etc/passwd", "//127.0.0.1:22",
    "https://b.example/\r\nlocation: https://127.0.0.1/", "x\r\nrefresh: 0;url=http://127.0.0.1/", "%68ttps://127.0.0.1/",
    "https://xn--/", "//a.xn--", "https://xn--a.example/", "https://xn--zz--zz/", "https://\u0378.example/", "https://%/",
    "https://\u00ad/", "https://a..b/", "https://.../", "https://[fe80::1%25lo]/", "https://a:b/", "https://a:99999/",
    "?", "#", "\x00", "\U0001f600", f"https://{'a' * 64}.example/", f"https://{'a.' * 200}example/", f"/{'x' * 3000}",
)  # fmt: skip


def _hops(scene: Scene, base: str) -> list[str]:
    return [ask.target for ask in scene.internet.heard if ask.base == base]


@pytest.mark.parametrize("status", range(300, 310))
@pytest.mark.parametrize("base", [SECURE, PLAIN])
async def test_no_status_leads_inside(base: str, status: int, scene: Scene) -> None:
    """Every 3xx with a Location inside ends where it began: followed and refused, or not followed at all."""
    scene.internet.sites[base].default = to(f"{base.partition(':')[0]}://10.0.0.1/", status)
    found = await scene.get(f"{base}/x")
    assert isinstance(found, AddressRefused if status in FOLLOWED else Answer)
    assert scene.internet.forbidden() == []
    assert _hops(scene, base) == ["/x"]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("base", [SECURE, PLAIN])
async def test_no_location_leads_inside(base: str, location: str, scene: Scene) -> None:
    """Other schemes, broken authorities, second Location fields: nothing inside is contacted, nothing breaks."""
    scene.internet.names["x.internal"] = ["10.0.0.9"]
    scene.internet.sites[base].default = to(location)
    found = await scene.get(f"{base}/x")
    assert isinstance(found, RemoteUnreachable | Answer), found
    assert scene.internet.forbidden() == []
    assert len(_hops(scene, base)) <= OBJECT.redirects + 1


@pytest.mark.parametrize("base", [SECURE, PLAIN])
async def test_no_spelling_in_a_location_leads_inside(base: str, scene: Scene) -> None:
    """Every way to write an inner address is refused behind a redirect as well, with and without a scheme."""
    scene.internet.keeps_alive = True
    for name, part in (*numeric("169.254.169.254"), *written("127.0.0.1"), *bracketed("::ffff:a9fe:a9fe")):
        for location in (f"//{part}/", f"https://{part}/", f"http://{part}/"):
            scene.internet.sites[base].default = to(location)
            found = await scene.get(f"{base}/x")
            assert isinstance(found, RemoteUnreachable | Answer), (name, location, found)
            assert scene.internet.forbidden() == [], (name, location)


@pytest.mark.parametrize("name", FOLLOWING)
async def test_a_redirect_to_a_good_host_is_followed(name: str, scene: Scene) -> None:
    """The ways in that the tests here use do follow: what they do not reach is refused, not overlooked.

    Only an actor and a key are read where they are named: there a good host is followed on the same origin alone.
    """
    there = SECURE if name in STAYING else "https://b.example"
    scene.internet.sites[SECURE].default = to(f"{there}/there")
    await ENTRY_POINTS[name].attempt(scene, START)
    assert "/there" in _hops(scene, there)


@pytest.mark.parametrize("name", STAYING)
async def test_actors_and_keys_are_read_on_their_own_origin(name: str, scene: Scene) -> None:
    """An actor or key that redirects elsewhere is not asked for there: it could not count, and costs somebody else."""
    scene.internet.sites[SECURE].default = to("https://b.example/there")
    await ENTRY_POINTS[name].attempt(scene, START)
    assert _hops(scene, "https://b.example") == []


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize(
    "location", ["https://denied.example/", "https://DENIED.example./x", "https://sub.denied.example/"]
)
async def test_a_refused_peer_is_not_asked_behind_a_redirect(name: str, location: str, scene: Scene) -> None:
    """SSRF-R-019: the admin's rule holds at every hop, however the refused host is written, and for its subdomains."""
    rule = Rule(id="denied", host="denied.example", action=Action.REFUSE)
    scene.kit.store.peers.save_rule(rule, scene.kit.clock.now())
    scene.internet.names["sub.denied.example"] = [PUBLIC_4]
    scene.internet.sites[SECURE].default = to(location)
    await ENTRY_POINTS[name].attempt(scene, START)
    scene.check()
    assert [host for host in scene.internet.asked if "denied" in host.lower()] == []


@pytest.mark.parametrize("name", FOLLOWING)
async def test_nobody_makes_us_ask_ourselves(name: str, scene: Scene) -> None:
    """A redirect to our own address is not followed: what is ours is in the store."""
    scene.internet.names["gw.example"] = [PUBLIC_4]
    scene.internet.sites[SECURE].default = to(f"{BASE}/users/alice/outbox")
    await ENTRY_POINTS[name].attempt(scene, START)
    scene.check(passing=True)
    assert "gw.example" not in scene.internet.asked


@pytest.mark.parametrize(
    "location", ["data:,x", "javascript:alert(1)", "https://[", "https://a b/", "http://[::1/128]/", "https://xn--/"]
)
async def test_a_useless_redirect_is_no_passing_fault(location: str, scene: Scene) -> None:
    """A key host that redirects to nonsense has answered: the sender hears 401, and is not asked to come again."""
    scene.internet.sites[SECURE].default = to(location)
    await ENTRY_POINTS["keyid_fetch"].attempt(scene, START)
    assert [answer.status for answer in scene.inboxes] == [401]
    assert isinstance(await scene.get(START), RemoteAnswer)


async def test_hops_are_counted_and_signed_afresh(scene: Scene) -> None:
    """Three redirects are followed; each request is signed for its own host and goes to its own address."""
    hosts = ("b.example", "other.example", "peer.example")
    for here, there in zip(("a.example", *hosts), (*hosts, "evil.example"), strict=True):
        scene.internet.sites[f"https://{here}"].default = to(f"https://{there}/x")
    answer = await scene.web("POST", "/api/proxy", {"id": START})
    assert (answer.status, answer.json["code"]) == (502, "remote-answer")
    asked = scene.internet.heard
    assert [ask.base for ask in asked] == [SECURE, *(f"https://{host}" for host in hosts)]
    assert [ask.server_name for ask in asked] == ["a.example", *hosts]
    signed = [next(line for line in ask.lines if line.lower().startswith("signature:")) for ask in asked]
    assert len(set(signed)) == len(asked)
    assert scene.internet.asked == ["a.example", *hosts]


@pytest.mark.parametrize("status", sorted({*range(300, 309), 201, 401}))
@pytest.mark.parametrize("where", ["https://other.example/inbox", "/elsewhere", "https://10.0.0.1/", f"{BASE}/inbox"])
async def test_a_delivery_goes_nowhere_else(status: int, where: str, scene: Scene) -> None:
    """SSRF-R-012: a signed body is sent to its inbox alone, whatever that answers, and not again at once."""
    site = scene.mallory
    who = scene.met(scene.newcomer(site), shared_inbox=None)
    site.posts[who.inbox.removeprefix(site.peer.base)] = Served(
        status, {"location": where, "content-location": where}, b""
    )
    await scene.submit({"type": "Note", "content": "hello", "to": [who.id]})
    posts = [f"{ask.base}{ask.target}" for ask in scene.internet.heard if ask.method == "POST"]
    assert set(posts) == {who.inbox}
    assert len(posts) == (1 if status != 401 else 3)
    assert scene.internet.forbidden() == []
    assert set(scene.internet.asked) == {"mallory.example"}


async def test_a_delivery_has_no_redirects_in_its_purpose(scene: Scene) -> None:
    """The table says what the client does: nothing is followed for a delivery, three hops for everything else."""
    assert {purpose.name: purpose.redirects for purpose in PURPOSES} == {
        **dict.fromkeys((purpose.name for purpose in PURPOSES), 3), DELIVERY.name: 0,
    }  # fmt: skip
    scene.internet.sites[SECURE].default = to("https://b.example/")
    assert isinstance(await scene.get(START, replace(OBJECT, redirects=0)), RemoteAnswer)
    assert [ask.base for ask in scene.internet.heard] == [SECURE]


async def test_a_loop_ends_at_its_limit(scene: Scene) -> None:
    """SSRF-R-007: an address that redirects to itself is asked four times, once remembered not at all."""
    scene.internet.sites[SECURE].default = to("/start")
    for _ in range(3):
        assert (await scene.web("POST", "/api/proxy", {"id": START})).status == 502
    assert _hops(scene, SECURE) == ["/start"] * 4


async def test_a_redirect_changes_while_it_is_followed(scene: Scene) -> None:
    """A server that sends each asker somewhere else, now out, now inside, reaches nothing inside."""
    turns = [f"https://{host}/" for host in ("b.example", "127.0.0.1", "a.example", "10.0.0.1")]

    def turning(_ask: Ask) -> Served:
        turns.append(turns.pop(0))
        return Served(302, {"location": turns[-1]}, b"")

    for base in (SECURE, "https://b.example"):
        scene.internet.sites[base].default = turning
    for _ in range(20):
        assert isinstance(await scene.get(START), GatewayError)
    assert scene.internet.forbidden() == []

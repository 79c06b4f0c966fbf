"""Every place where somebody can make the gateway contact a URL of theirs: ONE table, the catalogue's names first.

An entry point takes the scene and a URL, and uses it as a stranger, an author or the admin would. Where an origin is
checked, the attacker's server is on the origin of the URL when there is one there. ``NEVER`` are the catalogue's names
that are no way out: fields that are kept at most (see kept_fields).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.kept_fields import FIELDS, host_in
from attacks.ssrf_scene import ALICE
from peers.plain import AS2, PUBLIC, Served

from gateway.cli import explain as cli_explain
from gateway.cli import follow as cli_follow
from gateway.cli import inspect as cli_inspect
from gateway.cli import lookup as cli_lookup
from gateway.cli import peers as cli_peers
from gateway.cli.output import Run
from gateway.net.purpose import (
    ACTOR,
    CONTEXT,
    DELIVERY,
    KEY,
    OBJECT,
    PAGE,
    RECIPIENT,
    SPECIMEN,
    WEBFINGER,
    Purpose,
)
from gateway.urls import try_origin

if TYPE_CHECKING:
    from attacks.ssrf_scene import Scene

Attempt = Callable[["Scene", str], Awaitable[None]]
QUIET = Run(quiet=True, json=True)
JRD = "application/jrd+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """How a URL gets in, what for it is asked, and how often a good one is contacted (``connects``).

    ``straight``: whoever hands the URL over is told at once that it was refused; ``by_host``: its host counts.
    """

    name: str
    attempt: Attempt
    purposes: tuple[Purpose, ...]
    connects: int
    straight: bool = False
    by_host: bool = False


ENTRY_POINTS: dict[str, EntryPoint] = {}
REASON = "the gateway never fetches this"
NEVER = dict.fromkeys(FIELDS, REASON)


def entry(
    name: str, *purposes: Purpose, connects: int = 1, straight: bool = False, by_host: bool = False
) -> Callable[[Attempt], Attempt]:
    """Put a function into the table."""

    def add(function: Attempt) -> Attempt:
        ENTRY_POINTS[name] = EntryPoint(
            name=name, attempt=function, purposes=purposes, connects=connects, straight=straight, by_host=by_host
        )
        return function

    return add


def says_no(entry_point: EntryPoint, scene: Scene, url: str) -> bool:
    """Tell whether whoever hands the URL over has to hear a no: not where only its host counts and is a good one."""
    return entry_point.straight and not (entry_point.by_host and str(try_origin(url)) in scene.internet.sites)


# Who signed this: before anybody is known.


@entry("keyid_fetch", KEY)
async def keyid_fetch(scene: Scene, url: str) -> None:
    """A signed GET names its key at the URL."""
    who = scene.newcomer(scene.mallory)
    who.name_of_key = url
    await scene.send(scene.mallory.peer.signed(f"{ALICE}/outbox", b"", who, method="GET"))


@entry("actor_fetch", KEY)
async def actor_fetch(scene: Scene, url: str) -> None:
    """A delivery is by an actor at the URL."""
    who = scene.newcomer(scene.mallory)
    who.name_of_key = f"{url}#main-key"
    await scene.post(scene.mallory.peer, {"id": url, "type": "Follow", "actor": url, "object": ALICE}, who)


@entry("key_owner_fetch", KEY, connects=2)
async def key_owner_fetch(scene: Scene, url: str) -> None:
    """The document of a key names its owner at the URL."""
    site = scene.near(url)
    who = scene.newcomer(site)
    pem = who.rsa.public.pem()
    key = {"@context": AS2, "type": "Key", "owner": url, "controller": url, "publicKeyPem": pem}
    who.name_of_key = scene.page(site, key, "/keys")
    await scene.send(site.peer.signed(f"{ALICE}/outbox", b"", who, method="GET"))


# What settling an activity asks for.


@entry("object_fetch (announce/inReplyTo)", OBJECT, connects=2)
async def object_fetch(scene: Scene, url: str) -> None:
    """Somebody whom alice follows boosts the URL, and answers it so that her followers would have to hear of it."""
    peer = scene.mallory.peer
    await scene.post(peer, peer.activity("Announce", url))
    scene.internet.clock.forward(hours=1)
    reply = peer.note("re", inReplyTo=url, to=[f"{ALICE}/followers"], cc=[])
    await scene.post(peer, peer.activity("Create", reply, to=[f"{ALICE}/followers"]))


@entry("created_by_id", OBJECT)
async def created_by_id(scene: Scene, url: str) -> None:
    """A Create names its object at the URL and leaves it out."""
    peer = scene.near(url).peer
    await scene.post(peer, peer.activity("Create", url, to=[ALICE]))


@entry("announced_author", OBJECT, ACTOR, connects=2)
async def announced_author(scene: Scene, url: str) -> None:
    """A boosted post is by an author at the URL."""
    site = scene.near(url)
    note = {"@context": AS2, **site.peer.note(), "attributedTo": url}
    peer = scene.mallory.peer
    await scene.post(peer, peer.activity("Announce", scene.page(site, note, "/notes")))


@entry("moved_to", OBJECT)
async def moved_to(scene: Scene, url: str) -> None:
    """Somebody whom alice follows moves to the URL."""
    peer = scene.mallory.peer
    await scene.post(peer, {**peer.activity("Move", peer.me.id), "target": url})


@entry("actor_refresh", ACTOR)
async def actor_refresh(scene: Scene, url: str) -> None:
    """An actor who was met at the URL before updates itself."""
    if try_origin(url) is None:
        return
    site = scene.near(url)
    who = scene.newcomer(site)
    who.id = url
    scene.met(who)
    changed = {**who.document(), "name": "changed"}
    await scene.post(site.peer, site.peer.activity("Update", changed, who, id=f"{url}#update"), who)


@entry("unmet_follower", ACTOR)
async def unmet_follower(scene: Scene, url: str) -> None:
    """Alice has a follower at the URL whose document is lost, and an answer to her is passed on."""
    kit, peer = scene.kit, scene.mallory.peer
    kit.store.relations.save_follow(url, ALICE, f"{url}#follow", "accepted", kit.clock.now())
    await scene.submit({"type": "Note", "content": "hello", "to": [PUBLIC]})
    post = kit.store.objects.by_owner(ALICE, limit=1)[0]
    reply = peer.note("re", inReplyTo=post.id, to=[f"{ALICE}/followers"], cc=[])
    await scene.post(peer, peer.activity("Create", reply, to=[f"{ALICE}/followers"]))


@entry("jsonld_context", SPECIMEN, CONTEXT, connects=2)
async def jsonld_context(scene: Scene, url: str) -> None:
    """A document needs a context at the URL: what arrives is settled without it, a developer may ask for it."""
    site = scene.near(url)
    peer = scene.mallory.peer
    context = [AS2, url]
    before = list(scene.internet.heard)
    await scene.post(peer, {**peer.activity("Create", peer.note(to=[ALICE], cc=[]), to=[ALICE]), "@context": context})
    assert scene.internet.heard == before
    assert scene.internet.asked == []
    page = scene.page(site, {"@context": context, "type": "Note", "content": "x"})
    await scene.web("GET", "/inspect.json", {"url": page, "contexts": "fetch"})


# Where activities go.


@entry("inbox_delivery", KEY, DELIVERY, connects=3)
async def inbox_delivery(scene: Scene, url: str) -> None:
    """An actor has its inbox at the URL: when it is met, and when its host was somewhere else at that time."""
    site = scene.near(url)
    who = scene.newcomer(site, inbox=url, endpoints={})
    await scene.post(site.peer, site.peer.activity("Follow", ALICE, who), who)
    if try_origin(url) is not None:
        known = scene.met(scene.newcomer(site), inbox=url, shared_inbox=None)
        await scene.submit({"type": "Note", "content": "hello", "to": [known.id]})


@entry("shared_inbox_delivery", KEY, DELIVERY, connects=3)
async def shared_inbox_delivery(scene: Scene, url: str) -> None:
    """A server has its shared inbox at the URL: when a follower of it is met, and when that was before."""
    site = scene.near(url)
    who = scene.newcomer(site, endpoints={"sharedInbox": url})
    await scene.post(site.peer, site.peer.activity("Follow", ALICE, who), who)
    if try_origin(url) is not None:
        kit, known = scene.kit, scene.met(scene.newcomer(site), shared_inbox=url)
        kit.store.relations.save_follow(known.id, ALICE, f"{known.id}#follow", "accepted", kit.clock.now())
        await scene.submit({"type": "Note", "content": "hello", "to": [f"{ALICE}/followers"]})


@entry("delivery_redirect", DELIVERY, connects=0)
async def delivery_redirect(scene: Scene, url: str) -> None:
    """An inbox answers that it is at the URL now: a signed body goes nowhere else."""
    site = scene.mallory
    for status in (301, 302, 303, 307, 308):
        who = scene.met(scene.newcomer(site), shared_inbox=None)
        site.posts[who.inbox.removeprefix(site.peer.base)] = Served(status, {"location": url}, b"")
        await scene.submit({"type": "Note", "content": "hello", "to": [who.id]})
        assert scene.internet.heard[-1].method == "POST"


@entry("collection_page (first/next)", RECIPIENT, connects=3)
async def collection_page(scene: Scene, url: str) -> None:
    """Alice addresses a collection whose first page is at the URL, and one whose next page is."""
    site = scene.near(url)
    page = {"type": "OrderedCollectionPage", "orderedItems": [], "next": url}
    for first in (url, page):
        document = {"@context": AS2, "type": "OrderedCollection", "first": first, "last": url, "current": url}
        await scene.submit({"type": "Note", "content": "x", "to": [scene.page(site, document, "/lists")]})


@entry("client_recipient", RECIPIENT)
async def client_recipient(scene: Scene, url: str) -> None:
    """Alice's software addresses the URL."""
    await scene.submit({"type": "Note", "content": "hello", "to": [url]})


# Who is behind a handle.


@entry("webfinger", WEBFINGER, ACTOR, connects=3)
async def webfinger(scene: Scene, url: str) -> None:
    """A handle is at the host of the URL; a handle's actor is at the URL; its descriptor is at the URL."""
    await scene.web("GET", "/inspect.json", {"url": f"@m@{host_in(url)}"})
    peer = scene.mallory.peer
    for name, served in (("linked", None), ("elsewhere", Served(302, {"location": url}, b""))):
        path = f"/.well-known/webfinger?resource=acct:{name}@mallory.example"
        links = [{"rel": "self", "type": "application/activity+json", "href": url}]
        peer.serve(path, json.dumps({"links": links}), content_type=JRD)
        if served is not None:
            peer.pages[path] = served
        await scene.web("GET", "/inspect.json", {"url": f"@{name}@mallory.example"})


@entry("mention", WEBFINGER)
async def mention(scene: Scene, url: str) -> None:
    """Alice writes a handle at the host of the URL into a post."""
    await scene.submit({"type": "Note", "content": f"hello @m@{host_in(url)}"})


@entry("follow_add", ACTOR, WEBFINGER, connects=2, straight=True)
async def follow_add(scene: Scene, url: str) -> None:
    """The admin lets alice follow the URL, and a handle at its host."""
    await scene.command(cli_follow.add(QUIET, name="alice", target=url))
    await scene.command(cli_follow.add(QUIET, name="alice", target=f"@m@{host_in(url)}"))


# What an author's own software asks for.


@entry("proxy_url", OBJECT, straight=True)
async def proxy_url(scene: Scene, url: str) -> None:
    """Alice's software asks the proxy for the URL."""
    await scene.web("POST", "/api/proxy", {"id": url})


@entry("client_follow", ACTOR, straight=True)
async def client_follow(scene: Scene, url: str) -> None:
    """Alice's software follows the URL."""
    await scene.submit({"type": "Follow", "object": url})


@entry("client_like", OBJECT, connects=1, straight=True)
async def client_like(scene: Scene, url: str) -> None:
    """Alice's software likes the URL, and boosts it."""
    await scene.submit({"type": "Like", "object": url})
    await scene.submit({"type": "Announce", "object": url})


@entry("client_reply", OBJECT)
async def client_reply(scene: Scene, url: str) -> None:
    """Alice's software answers the URL."""
    await scene.submit({"type": "Note", "content": "re", "inReplyTo": url})


# What a developer or the admin looks at.


@entry("inspect_json", SPECIMEN, connects=2, straight=True)
async def inspect_json(scene: Scene, url: str) -> None:
    """Somebody who is signed in inspects the URL, unsigned and signed."""
    await scene.web("GET", "/inspect.json", {"url": url})
    await scene.web("GET", "/inspect.json", {"url": url, "scheme": "rfc9421"})


@entry("inspect_keys", SPECIMEN, KEY, connects=2)
async def inspect_keys(scene: Scene, url: str) -> None:
    """A document that is inspected has a proof whose key is at the URL."""
    site = scene.near(url)
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": url,
        "proofValue": "z",
    }
    page = scene.page(site, {"@context": AS2, "type": "Note", "proof": proof, "signature": {"creator": url}})
    await scene.web("GET", "/inspect.json", {"url": page, "keys": "fetch"})


@entry("cli_lookup", SPECIMEN, straight=True)
async def cli_lookup_(scene: Scene, url: str) -> None:
    """The admin looks the URL up."""
    await scene.command(cli_lookup.lookup(QUIET, target=url, signed=True))


@entry("cli_inspect", SPECIMEN, straight=True)
async def cli_inspect_(scene: Scene, url: str) -> None:
    """The admin inspects the URL; what is none is taken for a file that is not there."""
    await scene.command(cli_inspect.look(QUIET, target=url))


@entry("cli_explain", OBJECT, straight=True)
async def cli_explain_(scene: Scene, url: str) -> None:
    """The admin asks what holds for the URL."""
    await scene.command(cli_explain.explain(QUIET, url=url))


@entry("robots_txt_or_policy_fetch", PAGE, connects=6, straight=True, by_host=True)
async def peers_probe(scene: Scene, url: str) -> None:
    """The admin probes the host of the URL, and the URL as a page of it."""
    await scene.command(cli_peers.probe(QUIET, host=url, url=[url]))

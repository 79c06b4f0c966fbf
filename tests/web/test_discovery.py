"""WebFinger, host-meta, NodeInfo, robots.txt, TDM and health."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from web.asking import ask, problem_of
from world import BASE, account

from gateway.errors import StoreError

if TYPE_CHECKING:
    from web.conftest import Site
    from world import World

pytestmark = pytest.mark.anyio

# The required part of http://nodeinfo.diaspora.software/ns/schema/2.1, in its own words.
NODEINFO: dict[str, Any] = {
    "type": "object",
    "required": ["version", "software", "protocols", "services", "openRegistrations", "usage", "metadata"],
    "additionalProperties": False,
    "properties": {
        "version": {"enum": ["2.1"]},
        "software": {
            "type": "object",
            "required": ["name", "version"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                "version": {"type": "string"},
                "repository": {"type": "string"},
                "homepage": {"type": "string"},
            },
        },
        "protocols": {"type": "array", "minItems": 1, "items": {"enum": ["activitypub"]}},
        "services": {
            "type": "object",
            "required": ["inbound", "outbound"],
            "properties": {
                "inbound": {"type": "array", "items": {"enum": ["atom1.0", "rss2.0"]}},
                "outbound": {"type": "array", "items": {"enum": ["atom1.0", "rss2.0"]}},
            },
        },
        "openRegistrations": {"type": "boolean"},
        "usage": {
            "type": "object",
            "required": ["users"],
            "additionalProperties": False,
            "properties": {
                "users": {"type": "object", "properties": {"total": {"type": "integer", "minimum": 0}}},
                "localPosts": {"type": "integer", "minimum": 0},
                "localComments": {"type": "integer", "minimum": 0},
            },
        },
        "metadata": {"type": "object"},
    },
}


@pytest.mark.parametrize(
    "resource",
    [
        "acct:alice@gw.example",
        "acct:ALICE@GW.example",
        "acct%3Aalice%40gw.example",
        "acct:@alice@gw.example",
        "ACCT:alice@gw.example",
        "https://gw.example/users/alice",
        "https://gw.example/@alice",
    ],
)
async def test_an_account_is_found_by_every_name_it_has(site: Site, resource: str) -> None:
    """Handle and addresses give the same descriptor, whose self link has the exact type others look for."""
    answer = await site.get(f"/.well-known/webfinger?resource={resource}")
    assert (answer.status, answer.media_type) == (200, "application/jrd+json")
    assert answer.header("access-control-allow-origin") == "*"
    found = answer.json
    assert found["subject"] == "acct:alice@gw.example"
    links = {link["rel"]: link for link in found["links"]}
    assert links["self"] == {"rel": "self", "type": "application/activity+json", "href": f"{BASE}/users/alice"}
    assert links["http://webfinger.net/rel/profile-page"]["href"] == f"{BASE}/@alice"


@pytest.mark.parametrize("resource", ["https://gw.example/", "https://gw.example"])
async def test_the_site_names_its_actor(site: Site, resource: str) -> None:
    """The site itself points at the instance actor (FEP-d556)."""
    found = (await site.get(f"/.well-known/webfinger?resource={resource}")).json
    assert found["links"] == [
        {
            "rel": "https://www.w3.org/ns/activitystreams#Service",
            "type": "application/activity+json",
            "href": f"{BASE}/actor",
        }
    ]


async def test_the_instance_actor_is_found_by_its_handle(site: Site) -> None:
    """Other servers resolve the signer of our fetches back from its handle."""
    found = (await site.get("/.well-known/webfinger?resource=acct:gw.example@gw.example")).json
    assert found["links"][0]["href"] == f"{BASE}/actor"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?resource=", 400),
        ("?resource=acct:", 400),
        ("?resource=acct:alice", 400),
        ("?resource=acct:@gw.example", 400),
        ("?resource=acct:alice@gw.example:port", 400),
        ("?resource=acct:alice@", 400),
        ("?resource=acct:nobody@gw.example", 404),
        ("?resource=acct:alice@other.example", 404),
        ("?resource=https://other.example/users/alice", 404),
        ("?resource=https://gw.example/users/nobody", 404),
        ("?resource=http://gw.example/users/alice", 404),
        ("?resource=mailto:alice@gw.example", 404),
        ("?resource=%00%ff%fe", 404),
        ("?resource=acct:gone@gw.example", 410),
    ],
)
async def test_what_cannot_be_found_says_which_way(site: Site, query: str, status: int) -> None:
    """Nonsense is a 400, what was never here a 404, what was deleted a 410."""
    problem_of(await site.get(f"/.well-known/webfinger{query}"), [status])


async def test_handles_on_another_domain(site: Site) -> None:
    """With an account domain, handles of that domain and of the gateway's host both lead to the account."""
    other = site.world.gateway("https://sub.example", account_domain="example.org")
    account(other, "frank")
    app = site.world.board.apps["sub.example"]
    for resource in ("acct:frank@example.org", "acct:frank@sub.example"):
        answer = await ask(app, "GET", f"/.well-known/webfinger?resource={resource}", host="sub.example")
        assert answer.json["subject"] == "acct:frank@example.org"


async def test_host_meta_points_at_webfinger(site: Site) -> None:
    """The XRD has one lrdd link with a template."""
    root = ET.fromstring((await site.get("/.well-known/host-meta")).text)  # noqa: S314 - our own output
    link = root.find("{http://docs.oasis-open.org/ns/xri/xrd-1.0}Link")
    assert link is not None
    assert link.get("template") == f"{BASE}/.well-known/webfinger?resource={{uri}}"


async def test_nodeinfo_is_valid_and_found_from_its_well_known_address(site: Site) -> None:
    """The links lead to a document that the NodeInfo 2.1 schema accepts, and to the instance actor."""
    links = {link["rel"]: link["href"] for link in (await site.get("/.well-known/nodeinfo")).json["links"]}
    assert links["https://www.w3.org/ns/activitystreams#Application"] == f"{BASE}/actor"
    found = links["http://nodeinfo.diaspora.software/ns/schema/2.1"].removeprefix(BASE)
    document = (await site.get(found)).json
    jsonschema.validate(document, NODEINFO)
    assert document["usage"] == {"users": {"total": 2}, "localPosts": 5}
    assert document["metadata"]["usagePreferences"]["train-gen"] == "n"


async def test_robots_txt_asks_ai_crawlers_to_stay_away_and_lets_federation_through(site: Site) -> None:
    """The file states the instance's preferences for all, and closes pages but not federation to AI agents."""
    groups = (await site.get("/robots.txt")).text.strip().split("\n\n")
    assert len(groups) == 2
    assert groups[0].startswith("User-agent: *\nAllow: /\n")
    assert all("Content-Usage: train-ai=n, ai-use=n" in group for group in groups)
    assert "User-agent: GPTBot" in groups[1]
    assert {"Allow: /users/", "Allow: /posts/", "Allow: /.well-known/", "Disallow: /"} <= set(groups[1].split("\n"))


async def test_tdm_is_reserved_with_a_policy_that_can_be_read(site: Site) -> None:
    """tdmrep.json reserves the whole site and points at an ODRL offer that asks for consent."""
    rules = (await site.get("/.well-known/tdmrep.json")).json
    assert rules == [{"location": "/", "tdm-reservation": 1, "tdm-policy": f"{BASE}/policies/tdm.json"}]
    policy = (await site.get("/policies/tdm.json")).json
    assert (policy["@type"], policy["uid"]) == ("Offer", rules[0]["tdm-policy"])
    assert policy["permission"][0]["duty"] == [{"action": "obtainConsent"}]


async def test_health_answers_on_any_host(site: Site) -> None:
    """Load balancers ask by address; readiness needs the worker."""
    for host in ("10.0.0.7:8000", "gw.example", "anything.example"):
        assert (await ask(site.app, "GET", "/livez", host=host)).text == "ok\n"
        ready = await ask(site.app, "GET", "/readyz", host=host)
        assert (ready.status, ready.text, ready.header("cache-control")) == (503, "not ready\n", "no-store")


async def test_readiness_follows_worker_and_database(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway at work is ready; one whose database fails is not."""

    def fail(_sql: str) -> None:
        raise StoreError("disk full")

    await own_site.gateway.start()
    assert (await own_site.get("/readyz")).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(own_site.kit.store.database, "value", fail)
        assert (await own_site.get("/readyz")).status == 503
    await own_site.gateway.worker.stop()
    assert (await own_site.get("/readyz")).status == 503


async def test_weaknesses_have_an_address(site: Site) -> None:
    """security.txt has contact, a date to come and the policy, in the form of RFC 9116."""
    lines = (await site.get("/.well-known/security.txt")).text.splitlines()
    found = dict(line.split(": ", 1) for line in lines)
    assert found["Contact"] == found["Policy"] == f"{BASE}/about/security"
    assert found["Canonical"] == f"{BASE}/.well-known/security.txt"
    now = site.world.clock.now()
    assert now < datetime.fromisoformat(found["Expires"]) < now + timedelta(days=366)


@pytest.mark.parametrize(
    ("contact", "shown"), [("a@gw.example", "mailto:a@gw.example"), ("https://gw.example/me", "https://gw.example/me")]
)
async def test_a_mail_address_is_a_contact(world: World, contact: str, shown: str) -> None:
    """What the admin gave as contact stands there as a URI."""
    world.gateway(contact=contact)
    answer = await ask(world.board.apps["gw.example"], "GET", "/.well-known/security.txt")
    assert answer.text.splitlines()[0] == f"Contact: {shown}"

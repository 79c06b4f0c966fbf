"""From a handle to an actor, and what remote descriptors may say."""

from __future__ import annotations

import pytest

from gateway.activitypub import webfinger
from gateway.errors import BadInput

ACTOR = "https://gw.example/users/alice"
ACTIVITY = "application/activity+json"
LD = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ("acct:alice@gw.example", ("alice", "gw.example")),
        ("acct:@Alice@GW.example", ("alice", "gw.example")),
        ("ACCT:alice@gw.example.", ("alice", "gw.example")),
        ("acct:alice@bücher.example", ("alice", "xn--bcher-kva.example")),
        ("acct:alice@localhost:8000", ("alice", "localhost:8000")),
        ("https://gw.example/users/alice", None),
        ("", None),
        ("mailto:alice@gw.example", None),
    ],
)
def test_accounts_in_normal_form(resource: str, found: tuple[str, str] | None) -> None:
    """An acct: URI is a name and a host; anything else is another kind of resource."""
    assert webfinger.account_of(resource) == found


@pytest.mark.parametrize(
    "resource",
    [
        "acct:",
        "acct:alice",
        "acct:@gw.example",
        "acct:alice@",
        "acct:a@b@c",
        "acct:a@ho st",
        "acct:a@h:x",
        "acct:a@h/p",
        "acct:@@gw.example",
    ],
)
def test_nonsense_accounts_are_bad_input(resource: str) -> None:
    """An acct: URI without name or host, or with an impossible host, is refused as bad input."""
    with pytest.raises(BadInput):
        webfinger.account_of(resource)


def test_a_descriptor_points_at_actor_page_and_feed() -> None:
    """The descriptor names the subject, the actor as self, the page, and the feed where there is one."""
    found = webfinger.jrd(
        "acct:alice@gw.example", ACTOR, "https://gw.example/@alice", aliases=("https://gw.example/@alice",)
    )
    assert found["subject"] == "acct:alice@gw.example"
    assert found["aliases"] == [ACTOR, "https://gw.example/@alice"]
    assert webfinger.self_link(found) == ACTOR
    with_feed = webfinger.jrd("acct:a@b", ACTOR, "p", feed="https://gw.example/@alice.atom")
    assert {"rel": "http://schemas.google.com/g/2010#updates-from", "type": "application/atom+xml",
            "href": "https://gw.example/@alice.atom"} in with_feed["links"]  # type: ignore[operator]  # fmt: skip


def test_the_site_names_its_actor() -> None:
    """The site's own descriptor leads to the instance actor (FEP-d556)."""
    assert webfinger.site_jrd("https://gw.example", f"{ACTOR}x") == {
        "subject": "https://gw.example/",
        "links": [{"rel": webfinger.SITE_ACTOR_REL, "type": ACTIVITY, "href": f"{ACTOR}x"}],
    }


def test_host_meta_is_a_template() -> None:
    """host-meta is one XRD link with the uri template."""
    text = webfinger.host_meta("https://gw.example")
    assert 'template="https://gw.example/.well-known/webfinger?resource={uri}"' in text
    assert text.startswith("<?xml")
    assert text.endswith("</XRD>\n")


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"links": [{"rel": "self", "type": ACTIVITY, "href": ACTOR}]}, ACTOR),
        ({"links": [{"rel": "self", "type": LD, "href": ACTOR}]}, ACTOR),
        (
            {"links": [{"rel": "self", "type": "text/html", "href": "x"}, {"rel": "self", "type": LD, "href": ACTOR}]},
            ACTOR,
        ),
        ({"links": [{"rel": "self", "type": ACTIVITY, "href": 7}]}, None),
        ({"links": [{"rel": "self", "type": ACTIVITY}]}, None),
        ({"links": [{"rel": "self", "href": ACTOR}, "x", None]}, None),
        ({"links": [{"rel": "other"}] * 60 + [{"rel": "self", "type": ACTIVITY, "href": ACTOR}]}, None),
        ({"links": "x"}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_only_a_typed_self_link_counts(document: object, found: str | None) -> None:
    """A remote descriptor names its actor in a self link with an ActivityStreams type, within fifty links."""
    assert webfinger.self_link(document) == found

"""Which form somebody wants."""

from __future__ import annotations

import pytest

from gateway.activitypub.negotiation import is_activity_type, wants_html, wants_profiled

PROFILE = '"https://www.w3.org/ns/activitystreams"'
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False), ("*/*", False), (CHROME, True), ("text/html", True), ("application/xhtml+xml", True),
        ("application/activity+json", False), ("application/json", False), ("application/ld+json", False),
        ("application/activity+json, text/html", False), ("application/activity+json;q=0.9, text/html", True),
        ("text/html;q=0.5, application/json;q=0.6", False), ("TEXT/HTML", True), ("text/html;q=0", False),
        ("text/html;q=nonsense", False), ("text/html;q=7", True), ("text/html;q=-1", False), ("text/html;q=nan", False),
        ("," * 200 + "text/html", False), ("image/png", False),
    ],
)  # fmt: skip
def test_browsers_get_pages_and_software_gets_json(accept: str, html: bool) -> None:  # noqa: FBT001 - a table
    """A page only for who prefers HTML; whoever says nothing is software."""
    assert wants_html(accept) is html


@pytest.mark.parametrize(
    ("accept", "profiled"),
    [
        (f"application/ld+json; profile={PROFILE}", True), ("application/ld+json", True),
        (f"application/activity+json, application/ld+json; profile={PROFILE}", False),
        ("application/activity+json", False), ("", False), ("*/*", False),
    ],
)  # fmt: skip
def test_the_long_name_only_where_it_alone_is_asked_for(accept: str, profiled: bool) -> None:  # noqa: FBT001 - a table
    """The short media type is the answer wherever it is taken."""
    assert wants_profiled(accept) is profiled


@pytest.mark.parametrize(
    ("content_type", "ok"),
    [
        ("application/activity+json", True), ("application/activity+json; charset=utf-8", True),
        ("APPLICATION/ACTIVITY+JSON", True), (f"application/ld+json; profile={PROFILE}", True),
        (f'application/ld+json; profile="https://x.example {PROFILE[1:-1]}"', True),
        ("application/ld+json", False), ('application/ld+json; profile="https://x.example"', False),
        (f'application/ld+json; profile={PROFILE[:-1]}2"', False), ("application/json", False), ("text/html", False),
        ("", False), ("application/activity+json, text/html", False), ("text/html, application/activity+json", False),
        ("image/png; x=application/activity+json", False), ('application/activity+json ; charset="UTF-8"', True),
        (f"application/ld+json; profile={PROFILE[1:-1]}", True), ("application/activity+json; charset=us-ascii", True),
        (f"application/ld+json; profile = {PROFILE}", True), ("application/activity+json; charset=", True),
        ("application/activity+json; charset=utf-8; charset=utf-8", True),
        ("application/activity+json;", True), ("application/activity+json; charset=utf-16", False),
        ('application/ld+json; x="; profile=https://www.w3.org/ns/activitystreams"', False),
        (f'application/ld+json; profile={PROFILE}; profile="x"', False), ("application/activity+json\xa0", False),
        (f'application/ld+json; profile="\\h{PROFILE[2:]}', True),
    ],
)  # fmt: skip
def test_only_two_content_types_carry_activities(content_type: str, ok: bool) -> None:  # noqa: FBT001 - a table
    """Plain JSON, bare JSON-LD and lists never pass for an ActivityStreams document."""
    assert is_activity_type(content_type) is ok

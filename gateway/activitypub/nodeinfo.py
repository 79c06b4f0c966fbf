"""NodeInfo 2.1 (FEP-f1d5, FEP-0151) and its discovery document with the instance actor (FEP-2677)."""

from __future__ import annotations

SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/2.1"
APPLICATION_REL = "https://www.w3.org/ns/activitystreams#Application"


def links(base: str, actor: str) -> dict[str, object]:
    """Return ``/.well-known/nodeinfo``."""
    return {
        "links": [
            {"rel": SCHEMA, "href": f"{base}/nodeinfo/2.1"},
            {"rel": APPLICATION_REL, "href": actor},
        ]
    }


def nodeinfo(*, base: str, version: str, users: int, posts: int, usage: dict[str, object]) -> dict[str, object]:
    """Return ``/nodeinfo/2.1``; ``usage`` are the preferences that the instance declares."""
    return {
        "version": "2.1",
        "software": {"name": "noai-gateway", "version": version, "homepage": f"{base}/about"},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": ["atom1.0"]},
        "openRegistrations": False,
        "usage": {"users": {"total": users}, "localPosts": posts},
        "metadata": {
            "nodeName": base.partition("://")[2],
            "nodeDescription": "Posts from here carry their authors' AI usage preferences.",
            "federation": {"enabled": True},
            "federationNotes": f"{base}/about/federation",
            "usagePreferences": usage,
        },
    }

"""NodeInfo against the shape of its schema."""

from __future__ import annotations

import jsonschema

from gateway.activitypub import nodeinfo

# http://nodeinfo.diaspora.software/ns/schema/2.1, the parts a reader relies on.
SHAPE = {
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
            "additionalProperties": False,
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
                "users": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"total": {"type": "integer", "minimum": 0}},
                },
                "localPosts": {"type": "integer", "minimum": 0},
            },
        },
        "metadata": {"type": "object"},
    },
}


def test_the_document_has_the_shape_of_its_schema() -> None:
    """Every member is of the kind that NodeInfo 2.1 says, and nothing is added outside metadata."""
    document = nodeinfo.nodeinfo(base="https://gw.example", version="0.1.0", users=2, posts=3, usage={"train-gen": "n"})
    jsonschema.validate(document, SHAPE)
    assert document["usage"] == {"users": {"total": 2}, "localPosts": 3}


def test_the_metadata_carries_the_preferences() -> None:
    """What the instance asks for is machine-readable in the metadata."""
    document = nodeinfo.nodeinfo(
        base="https://gw.example", version="0", users=0, posts=0, usage={"prefs": {"tdm": "n"}}
    )
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["usagePreferences"] == {"prefs": {"tdm": "n"}}
    assert metadata["nodeName"] == "gw.example"


def test_discovery_names_schema_and_instance_actor() -> None:
    """The discovery document leads to NodeInfo 2.1 and to the instance actor (FEP-2677)."""
    links = nodeinfo.links("https://gw.example", "https://gw.example/actor")["links"]
    assert links == [
        {"rel": nodeinfo.SCHEMA, "href": "https://gw.example/nodeinfo/2.1"},
        {"rel": nodeinfo.APPLICATION_REL, "href": "https://gw.example/actor"},
    ]

"""The contexts we know, pinned by hash."""

from __future__ import annotations

import json

import pytest
from jsonld.loading import files, manifest, pinned
from pyld import jsonld

from gateway.errors import SettingsError
from gateway.jsonld import contexts

BUNDLED = [
    contexts.AS2,
    "https://w3id.org/security/v1",
    "https://w3id.org/security/data-integrity/v1",
    "https://w3id.org/security/data-integrity/v2",
    "https://w3id.org/security/multikey/v1",
    "https://www.w3.org/ns/did/v1",
    "https://www.w3.org/ns/cid/v1",
    "https://w3id.org/identity/v1",
    "https://gotosocial.org/ns",
]


@pytest.mark.parametrize("url", BUNDLED)
def test_the_contexts_of_the_fediverse_are_bundled(url: str) -> None:
    """Each context that servers use is known and handed to pyld as a static document."""
    assert pinned().knows(url)
    remote = pinned()(url, {})
    assert (remote["tag"], remote["documentUrl"]) == ("static", url)
    assert "@context" in remote["document"]


def test_every_file_is_listed_and_pinned() -> None:
    """The manifest and the folder name the same files."""
    listed = [entry["file"] for entry in json.loads(manifest())["contexts"]]
    assert sorted(listed) == sorted(files())


@pytest.mark.parametrize("name", sorted(files()))
def test_a_changed_file_is_refused(name: str) -> None:
    """One more byte in any context, or a missing one, stops the start."""
    for content in (files()[name] + b"\n", b""):
        with pytest.raises(SettingsError, match=name):
            contexts.load(manifest(), {**files(), name: content})
    with pytest.raises(SettingsError, match=name):
        contexts.load(manifest(), {key: value for key, value in files().items() if key != name})


def test_an_alias_is_the_same_document() -> None:
    """The other spellings of a context URL give the same document."""
    aliases = json.loads(manifest())["aliases"]
    assert aliases
    for alias, url in aliases.items():
        assert pinned()(alias, {})["document"] == pinned()(url, {})["document"]


@pytest.mark.parametrize("url", ["https://evil.example/ns", "", f"{contexts.AS2}/", "https://w3id.org/security/v2"])
def test_nothing_else_is_loaded(url: str) -> None:
    """A context that is not bundled is refused, never fetched."""
    assert not pinned().knows(url)
    with pytest.raises(jsonld.JsonLdError):
        pinned()(url, {})


def test_what_is_handed_out_is_a_copy() -> None:
    """Whoever changes a loaded context changes his own, and the pinned one stays."""
    remote = pinned()(contexts.AS2, {})
    remote["document"]["@context"]["content"] = "urn:elsewhere"
    assert pinned()(contexts.AS2, {})["document"]["@context"]["content"] == "as:content"


def test_no_pinned_context_imports_another() -> None:
    """@import is refused in documents, so no bundled context may need it."""
    assert not any(b"@import" in content for content in files().values())


def test_the_prefixes_of_a_context_are_known() -> None:
    """A known context tells which prefixes it defines, also where it is a list."""
    assert ("mastodon", "http://joinmastodon.org/ns#") in pinned().prefixes["https://join-lemmy.org/context.json"]
    odd = contexts.Contexts({"https://x.example/": {"@context": ["https://y.example/", {"p": "https://p.example/"}]}})
    assert odd.prefixes == {"https://x.example/": (("p", "https://p.example/"),)}
    assert contexts.Contexts({"https://x.example/": {}}).prefixes == {"https://x.example/": ()}

"""The contexts we know, and the only loader: nothing is ever fetched to decide anything.

The documents live in ``schemas/contexts`` and are pinned there by SHA-256; they are read by the
composition root and come in here as values.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from pyld.documentloader.frozen import FrozenDocumentLoader

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AS2 = "https://www.w3.org/ns/activitystreams"
PUBLIC = f"{AS2}#Public"


class Contexts(FrozenDocumentLoader):  # type: ignore[misc]  # pyld is untyped
    """A document loader over known contexts.

    ``tag: static`` tells pyld that a context never changes, which saves it from canonicalising the
    ActivityStreams context at every expansion.
    """

    scoped: frozenset[str]  # terms and types that bring a context of their own
    prefixes: Mapping[str, tuple[tuple[str, str], ...]]  # URL -> (prefix, namespace) that it defines

    def __init__(self, documents: Mapping[str, Mapping[str, object]]) -> None:
        """Take URL -> context document."""
        super().__init__(documents={url: dict(document) for url, document in documents.items()})
        self.scoped = frozenset(name for document in documents.values() for name in _scoped(document.get("@context")))
        self.prefixes = {url: tuple(_prefixes(document.get("@context"))) for url, document in documents.items()}

    def __call__(self, url: str, options: Mapping[str, object]) -> dict[str, Any]:
        """Return pyld's remote document for a known URL; raise its error for any other."""
        remote = dict(super().__call__(url, dict(options)))
        # pyld resolves URLs in place; the pinned value stays as it was read.
        remote["document"] = copy.deepcopy(remote["document"])
        remote["tag"] = "static"
        return remote

    def knows(self, url: str) -> bool:
        """Tell whether ``url`` is bundled."""
        return url in self.documents


def _scoped(context: object) -> Iterator[str]:
    """Yield each term of a context that brings a context of its own."""
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, dict):
            yield from (name for name, term in part.items() if isinstance(term, dict) and "@context" in term)


def _prefixes(context: object) -> Iterator[tuple[str, str]]:
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, dict):
            for name, base in part.items():
                if isinstance(base, str) and base.endswith(("#", "/")):
                    yield name, base


def load(manifest: bytes, files: Mapping[str, bytes]) -> Contexts:
    """Build the loader from ``manifest.json`` and the files it names (file name -> bytes).

    Raises SettingsError when a file is missing or is not the pinned one.
    """
    listed = json.loads(manifest)
    documents: dict[str, Mapping[str, object]] = {}
    for entry in listed["contexts"]:
        content = files.get(entry["file"], b"")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise SettingsError(f"context {entry['file']} is not the pinned one")
        documents[entry["url"]] = json.loads(content)
    for alias, url in listed["aliases"].items():
        documents[alias] = documents[url]
    return Contexts(documents)

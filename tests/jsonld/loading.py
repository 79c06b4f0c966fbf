"""The pinned contexts of this repository, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.carriers.jsonld_terms import CONTEXT, IRIS
from gateway.jsonld import contexts
from gateway.jsonld.terms import Vocabulary

if TYPE_CHECKING:
    from gateway.jsonld.contexts import Contexts

FOLDER = Path(__file__).parents[2] / "schemas" / "contexts"
WORDS = Vocabulary(iris=IRIS, context=CONTEXT)


def manifest() -> bytes:
    """Return the manifest as it stands in the repository."""
    return (FOLDER / "manifest.json").read_bytes()


def files() -> dict[str, bytes]:
    """Return every context document by file name."""
    return {path.name: path.read_bytes() for path in FOLDER.glob("*.jsonld")}


@cache
def pinned() -> Contexts:
    """Return the loader over the pinned contexts."""
    return contexts.load(manifest(), files())

"""Reads the JSON-LD API test-suite of this folder: its entries, the contexts they name, and when two results agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pyld import jsonld

from gateway.jsonld.contexts import Contexts

HERE = Path(__file__).parent / "json-ld-api"
BASE = "https://w3c.github.io/json-ld-api/tests/"
KINDS = ("expand", "compact", "toRdf")
CANONICAL = {
    "algorithm": "URDNA2015",
    "inputFormat": "application/n-quads",
    "format": "application/n-quads",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a manifest; file names are relative to the folder."""

    id: str
    kind: str
    input: str
    expect: str | None
    error: str | None
    context: str | None
    options: dict[str, Any]

    @property
    def base(self) -> str:
        """Return the base IRI: the address of the input, unless the entry says otherwise."""
        return str(self.options.get("base", BASE + self.input))

    @property
    def expand_context(self) -> str | None:
        """Return the file of the context to expand with."""
        found = self.options.get("expandContext")
        return str(found) if found is not None else None


@cache
def entries() -> dict[str, Entry]:
    """Return every entry of the three manifests by its id, such as ``expand#t0001``."""
    found = {}
    for kind in KINDS:
        for row in json_of(f"{kind}-manifest.jsonld")["sequence"]:
            name = f"{kind}{row['@id']}"
            found[name] = Entry(
                id=name,
                kind=kind,
                input=row["input"],
                expect=row.get("expect"),
                error=row.get("expectErrorCode"),
                context=row.get("context"),
                options=row.get("option", {}),
            )
    return found


def json_of(name: str | None) -> Any:
    """Return the JSON of a file, freshly read; None for no file."""
    return json.loads(text_of(name)) if name is not None else None


def text_of(name: str) -> str:
    """Return the text of a file."""
    return (HERE / name).read_text(encoding="utf-8")


@cache
def contexts() -> Contexts:
    """Return every object of the folder under the address at which entries name it."""
    found = {}
    for kind in KINDS:
        for path in sorted((HERE / kind).rglob("*.jsonld")):
            name = path.relative_to(HERE).as_posix()
            document = json_of(name)
            if isinstance(document, dict):
                found[BASE + name] = document
    return Contexts(found)


def comparable(value: object) -> str:
    """Return JSON as text that is equal for equal results: only the items of ``@list`` have an order."""
    return json.dumps(_sorted(value, ordered=False), sort_keys=True)


def _sorted(value: object, *, ordered: bool) -> object:
    if isinstance(value, dict):
        return {key: _sorted(item, ordered=key == "@list") for key, item in value.items()}
    if isinstance(value, list):
        items = [_sorted(item, ordered=False) for item in value]
        return items if ordered else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def canonical(quads: str) -> str:
    """Return N-Quads with canonical blank node labels, in order; raise ValueError when it is no N-Quads."""
    try:
        return str(jsonld.normalize(quads, CANONICAL))
    except jsonld.JsonLdError as error:
        raise ValueError("not N-Quads") from error

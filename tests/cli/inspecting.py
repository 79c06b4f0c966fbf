"""Documents to inspect, and what ``gateway inspect`` says about one to programs and to people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from peers.plain import AS2

from gateway.carriers.jsonld_terms import CONTEXT as TERMS

if TYPE_CHECKING:
    from cli.conftest import Shell

NOTE = "https://peer.example/notes/1"
UNDEFINED = {
    "@context": [AS2],
    "id": NOTE,
    "type": "Note",
    "attributedTo": "https://peer.example/users/bob",
    "content": "<p>hello</p>",
    "contentUsage": "train-ai=n",
}
DEFINED = {**UNDEFINED, "@context": [AS2, dict(TERMS)]}


def report_on(shell: Shell, document: object, *options: str) -> Any:
    """Inspect a document given on standard input."""
    return shell.json("inspect", "-", *options, stdin=json.dumps(document))


def told_about(shell: Shell, document: object, *options: str) -> str:
    """Return what people read about a document."""
    result = shell.run("inspect", "-", *options, stdin=json.dumps(document))
    assert result.exit_code == 0, result.output
    return result.stdout

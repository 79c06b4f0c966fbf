"""``gateway lookup``: fetch a document as this gateway would, and print it in the form that is asked for."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer

from gateway.activitypub.negotiation import is_activity_type
from gateway.cli.output import INDENT, Run, command
from gateway.errors import BadInput, MalformedDocument, RemoteAnswer, Text
from gateway.flows import look, specimen
from gateway.flows.forms import forms, jcs
from gateway.jsonld import strict

ONE_FORM = Text("Choose one form", "形式は1つだけ指定してください")
VIEWS = {"compact": "compact", "expanded": "expanded", "nquads": "nquads"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "lookup")(lookup)


async def lookup(
    run: Run,
    target: Annotated[str, typer.Argument(help="URL or @user@host.")],
    signed: Annotated[bool, typer.Option("--signed", help="Sign the request as the instance actor.")] = False,
    scheme: Annotated[str, typer.Option(help="rfc9421 or cavage.")] = "cavage",
    raw: Annotated[bool, typer.Option("--raw", help="The bytes as they came.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="JSON-LD, compacted with the gateway's context.")] = False,
    expanded: Annotated[bool, typer.Option("--expanded", help="JSON-LD, expanded.")] = False,
    nquads: Annotated[bool, typer.Option("--nquads", help="RDF: canonical N-Quads.")] = False,
    jcs_: Annotated[bool, typer.Option("--jcs", help="Canonical JSON (RFC 8785), byte for byte.")] = False,
    fetch_contexts: Annotated[bool, typer.Option("--fetch-contexts", help="Fetch contexts that are unknown.")] = False,
) -> None:
    """Fetch a document and print it as JSON; what is ours comes from the database."""
    asked = {"raw": raw, "compact": compact, "expanded": expanded, "nquads": nquads, "jcs": jcs_}
    chosen = [name for name, is_asked in asked.items() if is_asked]
    if len(chosen) > 1:
        raise BadInput(", ".join(f"--{name}" for name in chosen), detail=ONE_FORM)
    form = chosen[0] if chosen else "json"
    async with run.gateway() as gateway:
        kit = gateway.kit
        found = await specimen.fetched(kit, target, scheme=scheme if signed else None, asker=look.owner_of(kit, target))
        run.say(f"{found.url}: {found.status or 'from the database'}, {found.content_type}")
        if form == "raw":
            _print(run, found, form, found.body)
            return
        document = _document(found)
        if form == "jcs":
            _print(run, found, form, jcs(document))
            return
        value: Any = document
        if form in VIEWS:
            view = VIEWS[form]
            seen = await forms(kit, document, url=found.url, views=[view], fetch_contexts=fetch_contexts)
            for url in seen.unknown:
                fate = "fetched" if url in seen.fetched else f"taken as empty{_why(seen.failed.get(url))}"
                run.say(f"unknown context {url}: {fate}")
            value = seen.value(view)
        _print(run, found, form, value.encode() if isinstance(value, str) else value)


def _why(problem: str | None) -> str:
    return f" ({problem})" if problem else "; see --fetch-contexts"


def _document(found: specimen.Specimen) -> dict[str, object]:
    if found.content_type is None or not is_activity_type(found.content_type):
        raise RemoteAnswer(f"{found.url} is no ActivityStreams document; see --raw", remote_status=found.status or 0)
    try:
        return strict.read_object(found.body)
    except MalformedDocument as error:
        raise RemoteAnswer(f"{found.url}: {error}", remote_status=found.status or 0) from error


def _print(run: Run, found: specimen.Specimen, form: str, value: Any) -> None:
    """Print the form alone; with --json wrapped in one document that says where it came from."""
    if run.json or run.jsonl:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        source = {"url": found.url, "status": found.status, "content_type": found.content_type, "signed": found.signed}
        run.one({**source, "form": form, "value": text})
        return
    body = value if isinstance(value, bytes) else orjson.dumps(value, option=INDENT) + b"\n"
    sys.stdout.buffer.write(body)
    sys.stdout.flush()

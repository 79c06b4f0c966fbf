"""``gateway inspect``: everything about one document, and what this gateway would make of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import category, read_file
from gateway.cli.output import Run, command
from gateway.flows import look as looking
from gateway.flows import specimen
from gateway.flows.bounded import TOO_COMPLEX
from gateway.flows.inspect import Wish, inspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.flows.kit import Kit

SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "inspect")(look)


async def look(
    run: Run,
    target: Annotated[str, typer.Argument(help='URL, @user@host, a file, or "-" for stdin.')],
    signed: Annotated[bool, typer.Option("--signed", help="Sign the request as the instance actor.")] = False,
    scheme: Annotated[str, typer.Option(help="rfc9421 or cavage.")] = "cavage",
    use: Annotated[str | None, typer.Option(help="One category, for example train-gen; all when left out.")] = None,
    consumer: Annotated[str | None, typer.Option(help="For whom: a domain or DID.")] = None,
    fetch_contexts: Annotated[bool, typer.Option("--fetch-contexts", help="Fetch contexts that are unknown.")] = False,
    fetch_keys: Annotated[bool, typer.Option("--fetch-keys", help="Fetch keys of proofs that are unknown.")] = False,
) -> None:
    """Show forms, coverage, signatures, statements, effective preferences and decision for a document."""
    wish = Wish(
        use=category(use) if use is not None else None, consumer=consumer, fetch_contexts=fetch_contexts,
        fetch_keys=fetch_keys,
    )  # fmt: skip
    async with run.gateway() as gateway:
        found = await _specimen(gateway.kit, target, scheme if signed else None)
        report = await inspect(gateway.kit, found, wish)
        if run.json or run.jsonl:
            run.one(report)
        else:
            run.one({}, "\n".join(_told(report)))
        stopped = [name for name, view in report["forms"].items() if view.get("problem") == TOO_COMPLEX]
        if stopped:
            run.say(f"gateway: {', '.join(stopped)}: {TOO_COMPLEX}")
            raise typer.Exit(1)


async def _specimen(kit: Kit, target: str, scheme: str | None) -> specimen.Specimen:
    if target == "-":
        return specimen.Specimen(body=sys.stdin.buffer.read())
    if target.startswith(("http://", "https://", "@", "did:", "at://")):
        return await specimen.fetched(kit, target, scheme=scheme, asker=looking.owner_of(kit, target))
    return specimen.Specimen(body=read_file(Path(target)))


def _told(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report as a person reads it: the remarkable first, the rest counted."""
    source = report["source"]
    yield f"Document  {source['url'] or 'given'}, {source['bytes']} bytes, {source['contentType'] or 'no content type'}"
    yield from _section(
        "Problems as ActivityStreams", [f"{p['pointer'] or '/'}  {p['sentence']}" for p in report["problems"]]
    )
    yield from _contexts(report["contexts"])
    if report["coverage"] is not None:
        yield from _coverage(report)
    for one in report["signatures"]:
        yield f"\nSignature at {one['pointer']}: {one['scheme']}, {'holds' if one['ok'] else 'does not hold'}"
        yield from (
            f"  {'ok ' if s['ok'] else 'NO '} {s['name']}: expected {s['expected']}, found {s['found']}"
            for s in one["steps"]
        )
    yield from report_lines(report)


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is stated, what holds, and what the gateway would do."""
    yield from _section("Statements", [_statement(s) for s in report["statements"]])
    answers = [f"{row['category']}: {_WORDS[row['answer']]}" for row in report["effective"] if row["answer"]]
    yield from _section("Effective preferences", answers, empty="nothing is stated")
    yield from _decision(report["decision"])


def step_line(step: Mapping[str, Any]) -> str:
    """Return one check as a line: what was expected, what was found."""
    return f"  {'ok ' if step['ok'] else 'NO '} {step['name']}: expected {step['expected']}, found {step['found']}"


_WORDS = {"n": "no", "y": "yes", None: "not stated"}


def _section(title: str, lines: list[str], empty: str = "none") -> Iterator[str]:
    yield f"\n{title}{'' if lines else f': {empty}'}"
    yield from (f"  {line}" for line in lines)


def _contexts(contexts: Mapping[str, Any]) -> Iterator[str]:
    lines = [f"bundled  {url}" for url in contexts["bundled"]]
    for url in contexts["unknown"]:
        fate = "fetched" if url in contexts["fetched"] else "taken as empty"
        why = contexts["failed"].get(url)
        lines.append(f"unknown  {url}: {fate}{f' ({why})' if why else ''}")
    lines += [
        f"changes  {row['pointer']}: {row['before'] or 'no meaning'} -> {row['after']}" for row in contexts["changed"]
    ]
    yield from _section("Contexts", lines)


def _coverage(report: Mapping[str, Any]) -> Iterator[str]:
    coverage, readers = report["coverage"], report["readers"]
    if coverage["problem"]:
        yield from _section("Coverage", [coverage["problem"]])
    else:
        lost = [row for row in coverage["terms"] if not row["inRdf"]]
        kept = len(coverage["terms"]) - len(lost)
        lines = [f"{kept} of {len(coverage['terms'])} values keep a meaning that an RDF-canonical signature covers"]
        lines += [f"not covered  {row['pointer']}  ({row['meaning'] or 'dropped'})" for row in lost]
        if "bytes" in coverage["jcs"]:
            beside = ", ".join(coverage["jcs"]["notCovered"])
            lines.append(f"a JCS proof covers all {coverage['jcs']['bytes']} bytes{f' but {beside}' if beside else ''}")
        yield from _section("Coverage", lines)
    yield from _section("Opt-outs", [f"{row['pointer']}  {row['sentence']}" for row in coverage["optOuts"]])
    yield f"  {readers['sentence']}"
    for name, view in report["forms"].items():
        if "problem" in view:
            yield f"\nNo {name} form: {view['problem']}"


def _statement(statement: Mapping[str, Any]) -> str:
    who, said = statement["declaredBy"], ", ".join(f"{name}={value}" for name, value in statement["prefs"].items())
    beside = f", cannot say {', '.join(statement['couldNotSay'])}" if statement["couldNotSay"] else ""
    repeats = f", repeats {statement['projectionOf']}" if statement["projectionOf"] else ""
    raw = f": {statement['raw'][:SHOWN]}" if statement["raw"] else ""
    return f"{statement['carrier']}  {who['kind']} {who['id']} says {said or 'nothing'}{raw}{repeats}{beside}"


def _in_brackets(row: Mapping[str, Any]) -> str:
    return f" ({row['reason']})" if row.get("reason") else ""


def _decision(decision: Mapping[str, Any]) -> Iterator[str]:
    lines = []
    if decision["about"] is not None:
        about = decision["about"]
        lines.append(f"{decision['peer']}: {about['action']} ({about['reason']}: {about['because']})")
    lines += [f"{row['effect']}: {row['says']}{_in_brackets(row)}" for row in decision["would"]]
    lines += [f"accuses: {row['object']} {row['category']} shown as y" for row in decision["accuses"]]
    yield from _section("What this gateway would do", lines, empty="nothing")

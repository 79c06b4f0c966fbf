"""``gateway explain``: the effective preference for an object, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import category, when
from gateway.cli.output import Run, command
from gateway.flows import inspect
from gateway.preferences.combine import EFFECTS

if TYPE_CHECKING:
    from gateway.preferences import Because, Effective


SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "explain")(explain)


def _because(because: Because) -> dict[str, Any]:
    statement = because.statement
    return {
        "effect": because.effect,
        "says": EFFECTS[because.effect],
        "declaredBy": {
            "kind": statement.declared_by.kind.value,
            "id": statement.declared_by.id,
            "auth": statement.declared_by.auth.value,
        },
        "subject": {"scope": statement.subject.scope.value, "ref": statement.subject.ref},
        "carrier": statement.carrier,
        "raw": statement.raw,
        "asserted": when(statement.asserted_at),
        "observed": when(statement.observed_at),
    }  # fmt: skip


def _answer(effective: Effective) -> dict[str, Any]:
    return {
        "category": effective.category.value,
        "answer": effective.answer.value if effective.answer else None,
        "because": [_because(because) for because in effective.because],
    }


async def explain(
    run: Run,
    url: Annotated[str, typer.Argument(help="URL of an object, actor or media file.")],
    use: Annotated[str | None, typer.Option(help="One category, for example train-gen; all when left out.")] = None,
    consumer: Annotated[str | None, typer.Option(help="For whom: a domain or DID.")] = None,
) -> None:
    """Print the effective preference for a use, and every statement behind it."""
    wanted = category(use) if use is not None else None
    async with run.gateway() as gateway:
        found = await inspect.explain(gateway.kit, url, use=wanted, consumer=consumer)
        answers = [_answer(answer) for answer in found.answers]
        if run.json or run.jsonl:
            run.one({"subject": url, "consumer": consumer, "fetched": found.fetched, "answers": answers})
            return
        for answer in answers:
            if not (answer["because"] or wanted):
                continue
            word = {"n": "no", "y": "yes", None: "not stated"}[answer["answer"]]
            run.one({}, f"{answer['category']}: {word}")
            repeats = [because for because in answer["because"] if because["effect"] == "projection"]
            for because in answer["because"]:
                if because in repeats:
                    continue
                who, what = because["declaredBy"], because["subject"]
                raw = f": {because['raw'][:SHOWN]}" if because["raw"] else ""
                run.one({}, f"  {who['kind']} {who['id']} {because['says']}")
                run.one({}, f"      about the {what['scope']} {what['ref']}, in {because['carrier']}{raw}")
            if repeats:
                run.one({}, f"  and {len(repeats)} that repeat a fuller statement in a poorer form (see --json)")

"""``gateway explain``: the effective preference for an object, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.arguments import category
from gateway.cli.output import Run, command
from gateway.flows import explain as explaining
from gateway.flows.report import answer_json

SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "explain")(explain)


async def explain(
    run: Run,
    url: Annotated[str, typer.Argument(help="URL of an object, actor or media file.")],
    use: Annotated[str | None, typer.Option(help="One category, for example train-gen; all when left out.")] = None,
    consumer: Annotated[str | None, typer.Option(help="For whom: a domain or DID.")] = None,
) -> None:
    """Print the effective preference for a use, and every statement behind it."""
    wanted = category(use) if use is not None else None
    async with run.gateway() as gateway:
        found = await explaining.explain(gateway.kit, url, use=wanted, consumer=consumer)
        answers = [answer_json(answer) for answer in found.answers]
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

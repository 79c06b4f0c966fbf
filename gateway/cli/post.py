"""``gateway post``: publish, edit, delete."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.activitypub.sanitise import plain
from gateway.cli.arguments import account as account_named
from gateway.cli.arguments import preferences, uploads, when
from gateway.cli.output import Run, command
from gateway.errors import NotFound
from gateway.flows import publish, revise
from gateway.preferences import NOTHING, labels

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

app = typer.Typer(help="Publish, edit and delete posts.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Account name.")]
Url = Annotated[str, typer.Argument(help="Id or page of the post.")]
Prefs = Annotated[str | None, typer.Option("--prefs", help='For this post alone: "train-gen=n, search=y".')]


def described(stored: Stored) -> dict[str, Any]:
    """Return a post as commands print it."""
    return {
        "id": stored.id,
        "page": stored.document.get("url"),
        "text": plain(str(stored.document.get("content", ""))),
        "visibility": stored.visibility.value,
        "prefs": stored.prefs.as_json(),
        "labels": list(labels(stored.prefs)),
        "published": when(stored.published),
        "updated": when(stored.updated),
    }


@command(app, "create")
async def create(
    run: Run,
    name: Name,
    text: Annotated[str, typer.Argument(help='The text; "-" reads it from stdin.')],
    media: Annotated[list[Path] | None, typer.Option(help="A file to attach; may be repeated.")] = None,
    alt: Annotated[list[str] | None, typer.Option(help="Alternative text of each file, in order.")] = None,
    prefs: Prefs = None,
    reply_to: Annotated[str | None, typer.Option(help="Id of the post that is answered.")] = None,
    visibility: Annotated[Visibility, typer.Option(help="public, unlisted, followers or direct.")] = Visibility.PUBLIC,
    cw: Annotated[str, typer.Option(help="Content warning.")] = "",
    language: Annotated[str, typer.Option(help="Language tag, for example ja.")] = "",
) -> None:
    """Publish a post. The running gateway delivers it."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        draft = Draft(text=_text(text), visibility=visibility, warning=cw, language=language, reply_to=reply_to)
        own = preferences(prefs) if prefs is not None else NOTHING
        stored, sent = await publish.create(kit, account, draft, own=own, uploads=uploads(media or [], alt or []))
        run.one({**described(stored), "activity": sent.id, "queued": kit.store.jobs.count()})


def _text(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _owned(kit: Kit, url: str) -> tuple[Account, str]:
    object_id = f"{kit.base}/posts/{url.rstrip('/').rpartition('/')[2]}"
    stored = kit.store.objects.get(object_id)
    account = kit.store.accounts.by_id(stored.owner) if stored is not None else None
    if account is None:
        raise NotFound(f"there is no post {url} here; see: gateway post list NAME")
    return account, object_id


@command(app, "edit")
async def edit(
    run: Run,
    url: Url,
    text: Annotated[str | None, typer.Argument(help='The new text; "-" reads it from stdin.')] = None,
    prefs: Prefs = None,
    cw: Annotated[str | None, typer.Option(help="Content warning.")] = None,
) -> None:
    """Change a post's text, warning or preferences; everybody who has it gets the change."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account, object_id = _owned(kit, url)
        stored, sent = await revise.edit(
            kit, account, object_id, text=_text(text) if text is not None else None, warning=cw,
            own=preferences(prefs) if prefs is not None else None,
        )  # fmt: skip
        run.one({**described(stored), "activity": sent.id, "queued": kit.store.jobs.count()})


@command(app, "delete")
async def delete(run: Run, url: Url) -> None:
    """Delete a post; everybody who has it is told."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account, object_id = _owned(kit, url)
        sent = revise.delete(kit, account, object_id)
        run.one({"deleted": object_id, "activity": sent.id, "queued": kit.store.jobs.count()})


@command(app, "list")
async def list_posts(
    run: Run, name: Name, limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20
) -> None:
    """List an account's posts, newest first."""
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        posts = gateway.kit.store.objects.by_owner(account.id, limit=limit, open_only=False)
        run.many(
            [described(post) for post in posts], ["published", "visibility", "text", "labels", "id"], "No posts yet."
        )

"""``gateway account``: people who publish here."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.carriers.forms import FORMS
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.cli.arguments import account as account_named
from gateway.cli.arguments import preferences, when
from gateway.cli.output import Run, command
from gateway.errors import BadInput, Conflict, Text
from gateway.flows import grant, outbound, stating
from gateway.flows.revise import delete as delete_post
from gateway.preferences import CATEGORIES, PRESETS, Category, Preset
from gateway.store.accounts import Account

if TYPE_CHECKING:
    from gateway.flows.kit import Kit

app = typer.Typer(help="People who publish here.", no_args_is_help=True)
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,28}[a-z0-9_])?", re.ASCII)
Name = Annotated[str, typer.Argument(help="Account name.")]
PresetOption = Annotated[Preset | None, typer.Option(help="noai, notrain, people-only or open.")]


def create_account(
    kit: Kit, name: str, display_name: str = "", preset: Preset = Preset.NOAI, summary: str = ""
) -> Account:
    """Make an account with its keys; raise BadInput or Conflict."""
    name = name.lower()
    if not _NAME.fullmatch(name):
        raise BadInput(name, detail=Text("Names are 1 to 30 of a-z 0-9 _ . -", "名前は a-z 0-9 _ . - の30文字までです"))
    if kit.store.accounts.by_name(name) is not None:
        raise Conflict(f"the name {name} is taken, or was: ids are for ever")
    now = kit.clock.now()
    account = Account(
        id=f"{kit.base}/users/{name}", name=name, display_name=display_name or name, summary=summary,
        preset=preset.value, prefs=PRESETS[preset], created=now, updated=now,
    )  # fmt: skip
    with kit.store.transaction():
        kit.store.accounts.save(account)
        kit.keyring.make(account.id, now)
    return account


def described(kit: Kit, account: Account) -> dict[str, Any]:
    """Return an account as commands print it."""
    return {
        "name": account.name,
        "id": account.id,
        "handle": f"@{account.name}@{kit.settings.domain}",
        "display_name": account.display_name,
        "preset": account.preset,
        "prefs": account.prefs.as_json(),
        "effective": combined_at_home(stating.actor_statements(kit, account)).as_json(),
        "page": f"{kit.base}/@{account.name}",
        "feed": f"{kit.base}/@{account.name}.atom",
        "approves_followers": account.approves,
        "followers": len(kit.store.relations.followers(account.id)),
        "following": len(kit.store.relations.following(account.id)),
        "created": when(account.created),
    }


@command(app, "create")
async def create(
    run: Run,
    name: Name,
    display_name: Annotated[str, typer.Option(help="Name shown to people.")] = "",
    preset: Annotated[Preset, typer.Option(help="noai (default), notrain, people-only or open.")] = Preset.NOAI,
    summary: Annotated[str, typer.Option(help="A line about the person.")] = "",
    approve_followers: Annotated[bool, typer.Option(help="Ask before somebody may follow.")] = False,
) -> None:
    """Make an account. The preset is the author's own choice, shown here and changeable."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = create_account(kit, name, display_name, preset, summary)
        if approve_followers:
            account = replace(account, approves=True)
            kit.store.accounts.save(account)
        run.one(described(kit, account))
        run.say(f"The preset is {preset.value}. Change it with: gateway account prefs {account.name} --preset ...")


@command(app, "list")
async def list_accounts(run: Run) -> None:
    """List accounts."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        rows = [described(kit, account) for account in kit.store.accounts.all()]
        run.many(rows, ["name", "display_name", "preset", "followers", "page"], "No accounts yet.")


@command(app, "show")
async def show(run: Run, name: Name) -> None:
    """Show one account."""
    async with run.gateway() as gateway:
        run.one(described(gateway.kit, account_named(gateway.kit, name)))


@command(app, "prefs")
async def prefs(
    run: Run,
    name: Name,
    set_: Annotated[str | None, typer.Option("--set", help='For example "train-gen=n, search=y".')] = None,
    preset: PresetOption = None,
) -> None:
    """Show, form by form, exactly what the world will read; change it with --set or --preset."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        if preset is not None or set_ is not None:
            account = _changed(kit, account, preset, set_)
            run.say("Changed. Posts keep what they were published with until they are edited.")
        statements = stating.actor_statements(kit, account)
        whole = combined_at_home(statements)
        rows = [
            {"form": form.name, "text": form.show(whole, kit.policy_url) or None}
            for form in FORMS.values()
            if form.name != "robots.txt"
        ]
        if run.json:
            run.one({
                "account": account.name, "preset": account.preset, "author": account.prefs.as_json(),
                "instance": {c.value: whole[c].value for c in whole if c not in account.prefs},
                "effective": whole.as_json(), "forms": rows,
            })  # fmt: skip
            return
        words = [
            {
                "category": category.value,
                "author": account.prefs.get(category, "unstated"),
                "goes_out": whole.get(category, "unstated"),
                "declared_by": "author" if category in account.prefs else "instance" if category in whole else "-",
            }
            for category in Category
            if category in CATEGORIES or category in whole
        ]
        if not run.jsonl:
            run.many(words, ["category", "author", "goes_out", "declared_by"])
        run.many(rows, ["form", "text"])


def _changed(kit: Kit, account: Account, preset: Preset | None, text: str | None) -> Account:
    """Keep new preferences and tell followers' servers."""
    chosen = PRESETS[preset] if preset is not None else preferences(text or "")
    changed = replace(account, prefs=chosen, preset=preset.value if preset else None, updated=kit.clock.now())
    with kit.store.transaction():
        kit.store.accounts.save(changed)
        outbound.announce_actor(kit, changed)
    return changed


@command(app, "keys")
async def keys(run: Run, name: Name) -> None:
    """List an account's public keys."""
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        rows = [
            {"kind": kind, "created": when(created), "public": public.strip()}
            for kind, _, public, created in gateway.kit.store.accounts.keys(account.id)
        ]
        run.many(rows, ["kind", "created", "public"])


@command(app, "sign-in")
async def sign_in(run: Run, name: Name) -> None:
    """Make a link that signs a browser in, once, within ten minutes: for apps that ask for access, and for /inspect."""
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        link, expires = grant.sign_in_link(gateway.kit, account)
        run.one({"account": account.id, "link": link, "expires": when(expires)})
        run.say("Give it to the person whose account it is: whoever opens it acts for them.")


@command(app, "delete")
async def delete(run: Run, name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete an account and its posts, and tell every server that has them. The name is never given out again."""
    if not yes:
        typer.confirm(f"Delete {name} and all its posts for ever?", abort=True, err=True)
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        with kit.store.transaction():
            for post_id in kit.store.objects.of_owner_to_bury(account.id):
                delete_post(kit, account, post_id)
            outbound.announce_deleted_actor(kit, account)
            kit.store.relations.drop_actor(account.id, kit.clock.now())
            kit.store.accounts.save(replace(account, deleted=kit.clock.now()))
        run.one({"deleted": account.id})

"""``gateway check``: is this installation fit to run? Each failure says how to mend it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.output import Run, command
from gateway.errors import GatewayError
from gateway.runtime import open_gateway

if TYPE_CHECKING:
    from gateway.settings import Settings


_UNSAFE = (
    "SQLite before 3.51.3 can corrupt its log: every write and checkpoint holds gateway.sqlite3-writer now, which is"
    " safe and slower; install pysqlite3. PostgreSQL: turn fsync, full_page_writes and synchronous_commit on"
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "check")(check)


def _row(name: str, ok: bool | None, found: str, fix: str = "") -> dict[str, Any]:
    return {
        "check": name,
        "ok": {True: "ok", False: "failed", None: "warning"}[ok],
        "found": found,
        "fix": "" if ok else fix,
    }


async def check(run: Run) -> None:
    """Check settings, data directory, secret file, database engine and keys."""
    settings = run.settings()
    rows = [_row("settings", ok=True, found=f"base URL {settings.base_url}, peers {settings.peer_mode.value}")]
    secure = settings.origin.scheme == "https" or settings.is_local
    rows.append(_row("base URL", secure or None, settings.base_url, "use https: most servers refuse plain http"))
    rows += await _opened(settings)
    run.many(rows, ["check", "ok", "found", "fix"])
    if any(row["ok"] == "failed" for row in rows):
        run.say("Not fit to run: see the failed checks.")
        raise typer.Exit(1)


async def _opened(settings: Settings) -> list[dict[str, Any]]:
    try:
        async with open_gateway(settings) as gateway:
            kit = gateway.kit
            engine, safe = kit.store.database.engine()
            damage = kit.store.database.damage()
            rows = [
                _row("database engine", safe or None, engine, _UNSAFE),
                _row("data directory", os.access(settings.data, os.W_OK), str(settings.data), "make it writable"),
                _row("database", not damage, damage[0] if damage else "no damage", "restore a backup"),
                _row("instance key", ok=bool(kit.keyring.get(kit.instance_actor)), found="opens with the secret file"),
                _row("contexts", ok=True, found=f"{len(kit.contexts.documents)} pinned JSON-LD contexts"),
                _row(
                    "media",
                    kit.files.is_marked(kit.store.meta.get("media_mark") or ""),
                    kit.files.name,
                    "another community's, or not the one that the other processes use: share one",
                ),
                _row(
                    "queue", ok=True, found=f"{kit.store.jobs.count()} waiting, {kit.store.jobs.count('dead')} given up"
                ),
            ]
    except GatewayError as error:
        return [_row("data directory", ok=False, found=str(error), fix="see the message")]
    mode = stat.S_IMODE(settings.secret_path.stat().st_mode)
    private = not mode & 0o077
    rows.append(
        _row(
            "secret file", private, f"{settings.secret_path} ({mode:o}); without it no private key opens: back it up",
            "chmod 600",
        )
    )  # fmt: skip
    return rows

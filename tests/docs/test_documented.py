"""What users touch is named where users read: the README, or a page of the gateway."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from starlette.routing import Mount, Route
from typer.main import get_command

import gateway
from gateway.cli.main import app
from gateway.observe.names import METRICS
from gateway.policy.reasons import Reason
from gateway.settings import Settings
from gateway.web.app import ROUTES

ROOT = Path(gateway.__file__).parent
README = (ROOT.parent / "README.md").read_text("utf-8")
TEXTS = [README, *(path.read_text("utf-8") for path in sorted((ROOT / "web" / "pages").glob("*.html")))]
EVERYTHING = "\n".join(TEXTS)
# What only software asks for, by its standard's own name.
STANDARD = {"/static"}


def commands() -> list[str]:
    """Return every command as it is typed: verbs, and nouns with their verbs."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found = []
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found += [f"{name} {verb}" for verb in inner] if inner else [name]
    return found


def listed(command: str, text: str) -> bool:
    """Tell whether a command is named, alone or in a list: ``follow add|list|remove``."""
    noun, _, verb = command.partition(" ")
    if not verb:
        return re.search(rf"gateway [a-z |`,]*\b{noun}\b", text) is not None
    return any(verb in re.split(r"[|,\s`]+", match) for match in re.findall(rf"\b{noun} ([a-z|, `-]+)", text))


def shape(path: str) -> str:
    """Return a route with its parameters as a reader would write them, as a pattern."""
    parts = [r"[^\s/`|.]+" if part else "" for part in re.findall(r"\{[^}]+\}", path)]
    fixed = [re.escape(piece) for piece in re.split(r"\{[^}]+\}", path)]
    return "".join(piece + (parts[index] if index < len(parts) else "") for index, piece in enumerate(fixed))


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    """Each verb, and each noun with its verb, stands in the README."""
    assert listed(command, README)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    """Each GATEWAY_ variable stands in the README."""
    assert f"GATEWAY_{name.upper()}" in README


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented(name: str) -> None:
    """Each metric stands in the README with the question that it answers."""
    assert f"| `{name}` | {METRICS[name]} |" in README


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented(reason: Reason) -> None:
    """Each reason code that a peer may be shown is explained in the README or on a page."""
    assert reason.value in EVERYTHING


@pytest.mark.parametrize("path", sorted({r.path for r in ROUTES if isinstance(r, Route | Mount)} - STANDARD))
def test_every_address_is_documented(path: str) -> None:
    """Each route is named in the README or on a page, with any word for its parameters."""
    assert re.search(shape(path), EVERYTHING) is not None

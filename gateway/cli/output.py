"""One output contract for every command: stdout is data, chatter goes to stderr.

``--json`` prints one document, ``--jsonl`` one line an item, otherwise a table or sentences for people.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from gateway.errors import GatewayError
from gateway.runtime import Gateway, open_gateway
from gateway.settings import load

try:
    import uvloop
except ImportError:  # not made for this system: the standard library's loop does the same, slower
    _LOOP = None
else:
    _LOOP = uvloop.new_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.settings import Settings

# C0 and C1 controls but the line break, and every mark that turns the direction of text.
_OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
INDENT = orjson.OPT_INDENT_2
_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("json", Annotated[bool, typer.Option("--json", help="Print one JSON document.")], False),
    ("jsonl", Annotated[bool, typer.Option("--jsonl", help="Print one JSON line an item.")], False),
    ("quiet", Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the data.")], False),
    ("config", Annotated[Path | None, typer.Option("--config", help="Settings file (default gateway.toml).")], None),
    ("data", Annotated[Path | None, typer.Option("--data", help="Data directory.")], None),
)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a command: its common options, its settings, its way to speak."""

    json: bool = False
    jsonl: bool = False
    quiet: bool = False
    config: Path | None = None
    data: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings; raise SettingsError with every problem."""
        found, self.sources = load(self.config, {"data": self.data, **self.flags})
        return found

    def gateway(self) -> Gateway:
        """Open the data directory."""
        return open_gateway(self.settings())

    def say(self, text: str) -> None:
        """Tell a person something, on stderr."""
        if not self.quiet:
            Console(stderr=True, highlight=False, soft_wrap=True).print(shown(text), markup=False)

    def one(self, item: Mapping[str, Any], text: str | None = None) -> None:
        """Print one thing: as JSON, or as ``text``, or as name and value."""
        if self.json or self.jsonl:
            self._write(item)
        elif text is not None:
            Console(highlight=False, soft_wrap=True).print(shown(text), markup=False)
        else:
            width = max((len(name) for name in item), default=0)
            lines = (f"{name:<{width}}  {_cell(value)}" for name, value in item.items())
            Console(highlight=False, soft_wrap=True).print("\n".join(lines), markup=False)

    def many(self, items: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str = "Nothing here.") -> None:
        """Print a list: as a JSON array, as JSON lines, or as a table with ``columns``."""
        if self.jsonl:
            for item in items:
                self._write(item)
        elif self.json:
            self._write(list(items))
        elif not items:
            self.say(empty)
        else:
            table = Table(box=None, pad_edge=False, header_style="bold")
            for column in columns:
                table.add_column(column.replace("_", " "), overflow="fold")
            for item in items:
                table.add_row(*(RichText(_cell(item.get(column))) for column in columns))
            Console(highlight=False).print(table)

    def _write(self, value: object) -> None:
        option = 0 if self.jsonl else INDENT
        sys.stdout.buffer.write(orjson.dumps(value, option=option, default=str) + b"\n")
        sys.stdout.flush()


def _cell(value: Any) -> str:
    return shown(_plain(value))


def shown(text: str) -> str:
    """Return text that a terminal shows and never obeys: control and direction marks as their escapes."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items()) or "-"
    return str(value)


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function whose first parameter is a ``Run`` as a command with the common options."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function, eval_str=True)
        own = [parameter for key, parameter in signature.parameters.items() if key != "run"]
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, annotation, default in _COMMON
        ]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + common

        @functools.wraps(function)
        def wrapper(**values: Any) -> None:
            run = Run(**{key: values.pop(key) for key, _, _ in _COMMON})
            _execute(function, run, values)

        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del wrapper.__wrapped__  # or the original signature would be read
        group.command(name)(wrapper)
        return function

    return decorate


def _execute(function: Callable[..., Any], run: Run, values: dict[str, Any]) -> None:
    try:
        result = function(run, **values)
        if inspect.iscoroutine(result):
            with asyncio.Runner(loop_factory=_LOOP) as runner:
                runner.run(result)
    except GatewayError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            shown(f"gateway: {message_of(error)}"), markup=False
        )
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


def message_of(error: GatewayError) -> str:
    """Return what a person at the command line should read: the safe text and the inner one."""
    inner = str(error)
    safe = error.detail.en
    return safe if inner in ("", safe, error.title.en) else f"{safe.rstrip('.')}: {inner}"

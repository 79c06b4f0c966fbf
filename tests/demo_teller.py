"""What the demo says: numbered steps, ticked sentences, and what did not happen."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 100


class Failed(Exception):
    """Something that the demo promised did not happen."""


class Teller:
    """Says what happens, in colour only on a terminal that wants it."""

    def __init__(self) -> None:
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.colours = sys.stdout.isatty() and wanted
        self.tick = "✓" if "utf" in (sys.stdout.encoding or "").lower() else "+"
        self.step = 0
        self.title = ""

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def begin(self, title: str) -> None:
        """Start the next numbered step."""
        self.step, self.title = self.step + 1, title
        self.line()
        self.line(self._in("1", f"{self.step}. {title}"))

    def explain(self, text: str) -> None:
        """Say why, in plain sentences."""
        for line in textwrap.wrap(text, WIDTH - 3, break_long_words=False, break_on_hyphens=False):
            self.line(f"   {line}")

    def command(self, args: Sequence[str]) -> None:
        """Show a command as a person would type it."""
        self.line("   " + self._in("36", f"$ gateway {shlex.join(args)}"))

    def shows(self, text: str, code: str = "2") -> None:
        """Show what somebody answered."""
        for line in text.splitlines():
            self.line(("     " + self._in(code, line)) if line else "")

    def fact(self, name: str, value: object) -> None:
        """Show one observed value."""
        self.line(f"     {self._in('2', f'{name:<15}')} {value}")

    def check(self, holds: object, sentence: str, found: object = None) -> None:
        """Tick a sentence that is true; raise Failed for one that is not."""
        if not holds:
            raise Failed(sentence if found is None else f"{sentence}\nobserved instead: {found}")
        self.line("   " + self._in("32", f"{self.tick} ") + sentence)

    def failure(self, text: str) -> None:
        """Say what went wrong."""
        self.line()
        self.line(self._in("31", f"Step {self.step} failed ({self.title}):"))
        self.shows(text, "31")

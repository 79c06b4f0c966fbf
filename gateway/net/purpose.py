"""Why the gateway asks somebody else's server: every way out, in one table, with what it may cost.

Each call of the client names one of these. The tests run every address trick through every row.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
_ACTIVITY = frozenset({"application/activity+json", "application/ld+json"})
# What a static host calls a file without a suffix is taken, too; nobody else writes under /.well-known.
_DESCRIPTOR = frozenset(
    {"application/jrd+json", "application/json", "application/activity+json", "application/octet-stream", "text/plain"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One way out. ``limit`` bounds the bytes of the answer, ``seconds`` the whole of it with its redirects.

    ``idle`` bounds the wait for the next byte; ``media`` are the types an answer of 200 may have (empty: any).
    """

    name: str
    media: frozenset[str] = frozenset()
    limit: int = MIB
    seconds: float = 30.0
    is_glance: bool = False  # the status is the answer; of the body what fits is read, however it is coded
    idle: float = 10.0
    redirects: int = 3


# Before anybody is known: a silent host holds an inbox no longer than this.
KEY = Purpose(name="key", media=_ACTIVITY, seconds=15.0)
ACTOR = Purpose(name="actor", media=_ACTIVITY)
OBJECT = Purpose(name="object", media=_ACTIVITY)
RECIPIENT = Purpose(name="recipient", media=_ACTIVITY)
WEBFINGER = Purpose(name="webfinger", media=_DESCRIPTOR, limit=64 * 1024)
PAGE = Purpose(name="page")  # what a peer shows the world: robots.txt, tdmrep.json, pages
SPECIMEN = Purpose(name="specimen")  # what a developer asks to see, whatever it is
CONTEXT = Purpose(name="context", limit=512 * 1024)  # only when a developer asks; decides nothing
DELIVERY = Purpose(
    name="delivery", limit=64 * 1024, idle=20.0, redirects=0, is_glance=True
)  # a signed body goes nowhere else

PURPOSES = (KEY, ACTOR, OBJECT, RECIPIENT, WEBFINGER, PAGE, SPECIMEN, CONTEXT, DELIVERY)

"""The SHOULDs of the ActivityPub Recommendation that are left undone on purpose, each with its reason.

A MUST never stands here. The tests beside this file hold every other sentence that binds a server.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """One sentence, where it stands, and why it is not done."""

    section: str
    sentence: str
    reason: str


NOT_DONE = (
    NotDone(
        section="6.9",
        sentence="Servers SHOULD NOT deliver Block Activities to their object.",
        reason=(
            "The server of a blocked person elsewhere is told, as Mastodon does, so that it ends the follow. "
            "A blocked account of this server gets nothing."
        ),
    ),
    NotDone(
        section="4.1",
        sentence="SharedInbox endpoints SHOULD also be publicly readable OrderedCollection objects.",
        reason=(
            "One address that hands everything public from everywhere to whoever asks is what collectors of "
            "training data look for; with authorized fetch on it would be no public collection either."
        ),
    ),
)

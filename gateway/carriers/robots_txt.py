"""robots.txt (RFC 9309) with ``Content-Usage`` (draft-ietf-aipref-attach-05) and ``Content-Signal`` rules.

The group of AI agents asks crawlers that announce themselves as such to stay away from pages and
media. It names no user, so that it cannot be used to list who opted out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.carriers import content_signal, content_usage
from gateway.carriers.agents import AI_AGENTS
from gateway.carriers.path_pattern import encoded, matches
from gateway.carriers.reading import EMPTY, MAX_TEXT, Reading
from gateway.preferences import TRAINING, Preferences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.carriers.reading import Source

NAME = "robots.txt"
INEXPRESSIBLE = content_usage.INEXPRESSIBLE & content_signal.INEXPRESSIBLE
RULES = ("allow", "disallow", content_usage.NAME, content_signal.NAME)
PRIVATE_PATHS = ("/admin", "/inspect")
# Federation must work for everybody who speaks it, whatever the agent calls itself.
FEDERATION_PATHS = ("/users/", "/posts/", "/activities/", "/actor", "/.well-known/", "/nodeinfo/")


def render(prefs: Preferences) -> str:
    """Return the file for a site whose default is ``prefs``."""
    groups = [["User-agent: *", "Allow: /", *(f"Disallow: {path}" for path in PRIVATE_PATHS)]]
    if usage := content_usage.render(prefs):
        groups[0].append(f"Content-Usage: {usage}")
    if signal := content_signal.render(prefs):
        groups[0].append(f"Content-Signal: {signal}")
    if asks_agents_to_stay_away(prefs):
        agents = [f"User-agent: {agent}" for agent in AI_AGENTS]
        allowed = [f"Allow: {path}" for path in FEDERATION_PATHS]
        # An AI agent reads only its own group, so the preferences are repeated there.
        groups.append([*agents, *allowed, "Disallow: /", *groups[0][2 + len(PRIVATE_PATHS) :]])
    return "\n\n".join("\n".join(group) for group in groups) + "\n"


def parse(text: str, source: Source, *, path: str = "/", agent: str = "*") -> Reading:
    """Read what the group for ``agent`` (a product token) says about ``path``."""
    reading = EMPTY
    for name, value in _matching_rules(_group(text[:MAX_TEXT], agent), path):
        if name == content_usage.NAME:
            reading += content_usage.parse(value, source, carrier="robots-content-usage")
        else:
            reading += content_signal.parse(value, source, carrier="robots-content-signal")
    return reading


def _group(text: str, agent: str) -> list[tuple[str, str]]:
    """Return the rules of the groups for ``agent``, or of ``*`` when it has none."""
    wanted = {agent.lower(), "*"}
    groups: dict[str, list[tuple[str, str]]] = {}
    current: set[str] = set()  # those of interest: a group may name thousands of others
    in_rules = False
    for line in re.split(r"[\r\n]", text.removeprefix("\ufeff")):
        name, colon, value = line.partition("#")[0].partition(":")
        key = name.strip().lower()
        if not colon:
            continue
        if key == "user-agent":
            current, in_rules = (set() if in_rules else current), False
            token = value.strip().lower()
            if token in wanted:
                current.add(token)
                groups.setdefault(token, [])
        elif key in RULES:  # other records, like Sitemap, neither belong to a group nor end one
            in_rules = True
            for token in current:
                groups[token].append((key, value.strip()))
    return groups.get(agent.lower(), groups.get("*", []))


def _matching_rules(rules: Iterable[tuple[str, str]], path: str) -> list[tuple[str, str]]:
    """Return (carrier, value) of the preference rules with the longest matching path of each kind."""
    found: list[tuple[str, str]] = []
    for kind in (content_usage.NAME, content_signal.NAME):
        candidates: list[tuple[int, str]] = []
        for name, value in rules:
            if name != kind:
                continue
            prefix, statement = _split_path(value)
            if matches(prefix, path):
                candidates.append((len(encoded(prefix)), statement))
        longest = max((length for length, _ in candidates), default=0)
        found += [(kind, statement) for length, statement in candidates if length == longest]
    return found


def _split_path(value: str) -> tuple[str, str]:
    if not value.startswith("/"):
        return "", value
    prefix, *rest = value.split(maxsplit=1)
    return prefix, rest[0] if rest else ""


def asks_agents_to_stay_away(prefs: Preferences) -> bool:
    """Tell whether ``render`` writes the group of AI agents."""
    return any(prefs.disallows(category) for category in TRAINING)

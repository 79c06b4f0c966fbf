"""The agents of AI systems."""

from __future__ import annotations

from gateway.carriers.agents import AI_AGENTS


def test_well_known_agents() -> None:
    """The crawlers of the large AI companies are on the list, each once, in alphabetical order."""
    assert {"GPTBot", "ClaudeBot", "Google-Extended", "CCBot", "Bytespider", "Applebot-Extended"} <= set(AI_AGENTS)
    assert len(set(AI_AGENTS)) == len(AI_AGENTS)
    assert list(AI_AGENTS) == sorted(AI_AGENTS, key=str.lower)


def test_preview_bots_are_left_out() -> None:
    """Agents that show a post to people are not on the list."""
    assert not {"facebookexternalhit", "Twitterbot", "Slackbot", "Mastodon"} & set(AI_AGENTS)


def test_tokens_fit_a_line() -> None:
    """No token can break the file it is written into."""
    assert all(agent.isascii() and agent.isprintable() and not set("#:") & set(agent) for agent in AI_AGENTS)

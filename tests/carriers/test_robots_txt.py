"""robots.txt with preferences, written and read."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, answer, problems, said

from gateway.carriers import robots_txt
from gateway.carriers.agents import AI_AGENTS
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, Preferences, Preset

HEAD = "User-agent: *\nAllow: /\nDisallow: /admin\nDisallow: /inspect\n"
FEDERATION = """Allow: /users/
Allow: /posts/
Allow: /activities/
Allow: /actor
Allow: /.well-known/
Allow: /nodeinfo/
Disallow: /
"""


def _agents() -> str:
    return "".join(f"User-agent: {agent}\n" for agent in AI_AGENTS)


@pytest.mark.parametrize(
    ("preset", "lines"),
    [
        (
            "noai",
            "Content-Usage: train-ai=n, ai-use=n, search=y\nContent-Signal: search=yes, ai-input=no, ai-train=no\n",
        ),
        ("notrain", "Content-Usage: train-ai=n\nContent-Signal: ai-train=no\n"),
        (
            "people-only",
            "Content-Usage: train-ai=n, ai-use=n, search=n\nContent-Signal: search=no, ai-input=no, ai-train=no\n",
        ),
    ],
)
def test_render_presets(preset: str, lines: str) -> None:
    """A site that refuses training says so to all, and asks AI agents to stay away from all but federation."""
    expected = HEAD + lines + "\n" + _agents() + FEDERATION + lines
    assert robots_txt.render(PRESETS[Preset(preset)]) == expected


def test_render_open() -> None:
    """A site that states nothing keeps only its private pages to itself."""
    assert robots_txt.render(PRESETS[Preset.OPEN]) == HEAD


def test_render_without_training() -> None:
    """A site that refuses something else than training sends no agent away."""
    prefs = Preferences.of(search="n", train_gen="y")
    assert robots_txt.asks_agents_to_stay_away(prefs) is False
    assert robots_txt.render(prefs) == HEAD + "Content-Usage: train-ai=y, search=n\nContent-Signal: search=no\n"


@pytest.mark.parametrize("prefs", [Preferences.of(train_gen="n"), Preferences.of(train_gen="y", train_other="n")])
def test_either_training_sends_agents_away(prefs: Preferences) -> None:
    """One refused kind of training is enough to ask AI agents to stay away."""
    assert robots_txt.asks_agents_to_stay_away(prefs) is True
    assert "\nUser-agent: GPTBot\n" in robots_txt.render(prefs)


def test_agents_read_the_same_as_everybody() -> None:
    """An AI agent, which reads only its own group, finds the same preferences there."""
    text = robots_txt.render(PRESETS[Preset.NOAI])
    everybody = answer(robots_txt.parse(text, SOURCE))
    assert everybody == {
        "train-gen": "n",
        "train-other": "n",
        "ai-input": "n",
        "ai-generate": "n",
        "search": "y",
    }
    assert answer(robots_txt.parse(text, SOURCE, agent="gptbot")) == everybody
    assert answer(robots_txt.parse(text, SOURCE, agent="ClaudeBot", path="/users/alice")) == everybody


def test_statements() -> None:
    """Each rule is a statement that knows which of the two vocabularies it came in."""
    text = "User-agent: *\nContent-Usage: train-ai=n\nContent-Signal: search=yes"
    reading = robots_txt.parse(text, SOURCE)
    assert said(reading) == [{"train-gen": "n"}, {"search": "y"}]
    assert [s.carrier for s in reading.statements] == ["robots-content-usage", "robots-content-signal"]
    assert [s.raw for s in reading.statements] == ["train-ai=n", "search=yes"]


PATHS = """User-agent: *
Content-Usage: train-ai=n
Content-Usage: /ai-ok/ train-ai=y
Content-Usage: /ai-ok/not/\ttrain-ai=n
Content-Usage: /twice/ train-ai=y
Content-Usage: /twice/ train-ai=n
Content-Usage: /silent/
Content-Usage: /broken/ train-ai=n search=n
Content-Usage: /*.png train-ai=y, search=n
Content-Usage: /é/ search=n
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", {"train-gen": "n"}),
        ("/x", {"train-gen": "n"}),
        ("/ai-ok/x", {"train-gen": "y"}),
        ("/ai-ok", {"train-gen": "n"}),
        ("/ai-ok/not/x", {"train-gen": "n"}),
        ("/twice/x", {"train-gen": "n"}),
        ("/silent/x", {}),
        ("/broken/x", {}),
        ("/a.png", {"train-gen": "y", "search": "n"}),
        ("/%c3%a9/x", {"search": "n"}),
    ],
)
def test_paths(path: str, expected: dict[str, str]) -> None:
    """The longest matching path decides, and of two rules for one path the stricter counts."""
    assert answer(robots_txt.parse(PATHS, SOURCE, path=path)) == expected


def test_broken_rule_is_a_problem() -> None:
    """A rule that cannot be read is recorded."""
    assert problems(robots_txt.parse(PATHS, SOURCE, path="/broken/x")) == [("robots-content-usage", "not-a-dictionary")]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("*", {"search": "y"}),
        ("unknown", {"search": "y"}),
        ("a", {"train-gen": "n"}),
        ("A", {"train-gen": "n"}),
        ("b", {"train-gen": "n", "search": "n"}),
        ("c", {}),
        ("d", {"train-gen": "y"}),
    ],
)
def test_groups(agent: str, expected: dict[str, str]) -> None:
    """An agent reads its own groups together, whatever stands between them, and the star only when it has none."""
    text = """
user-agent : A   # first
Sitemap: https://a.example/sitemap.xml

User-Agent: b
CONTENT-USAGE: train-ai=n # no training
no colon here
: no name
User-agent: *
Content-Usage: search=y
User-agent: c
Disallow: /
User-agent: d
Content-Usage: train-ai=y
User-agent: B
Content-Usage: search=n
"""
    assert answer(robots_txt.parse(text, SOURCE, agent=agent)) == expected


def test_a_line_without_colon_is_no_record() -> None:
    """The name of a record alone does not begin a group."""
    text = "User-agent: *\nAllow: /\nUser-agent\nContent-Usage: search=n"
    assert said(robots_txt.parse(text, SOURCE)) == [{"search": "n"}]


def test_rules_before_any_group() -> None:
    """A rule that stands in no group is said to nobody."""
    assert robots_txt.parse("Content-Usage: train-ai=y\nUser-agent: *\nAllow: /", SOURCE) == EMPTY


@pytest.mark.parametrize("text", ["", "\n\n", "<html>", "\x00", "User-agent", "User-agent:", "\ufeff"])
def test_no_preferences(text: str) -> None:
    """A file without groups states nothing and is no problem."""
    assert robots_txt.parse(text, SOURCE) == EMPTY


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """All three line ends are understood, and a byte order mark does not hide the first group."""
    text = "\ufeff" + end.join(["User-agent: *", "Content-Usage: train-ai=n", ""])
    assert said(robots_txt.parse(text, SOURCE)) == [{"train-gen": "n"}]


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_comment_ends_with_its_line(separator: str) -> None:
    """Characters that only some readers take for a line end do not turn a comment into a rule."""
    text = f"User-agent: *\nContent-Usage: search=n # see{separator}Content-Usage: train-ai=y\n"
    assert said(robots_txt.parse(text, SOURCE)) == [{"search": "n"}]


def test_size_limit() -> None:
    """What stands after 500 KiB is not read."""
    text = "User-agent: *\nContent-Usage: search=n\n" + "#" * 512_000 + "\nContent-Usage: train-ai=n\n"
    assert said(robots_txt.parse(text, SOURCE)) == [{"search": "n"}]


def test_inexpressible() -> None:
    """The two vocabularies together cannot refuse AI indexes, other mining, nor the reuse axes."""
    names = {c.value for c in robots_txt.INEXPRESSIBLE}
    assert names == {"ai-index", "tdm", "bridge", "bulk-dataset", "archive"}

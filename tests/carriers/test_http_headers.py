"""The headers of one response together."""

from __future__ import annotations

import pytest
from carriers.samples import ALICE, POLICY, SOURCE, answer, problems, said

from gateway.carriers import http_headers
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, DeclarantKind, Preferences, Preset

TDM = {"train-gen": "n", "train-other": "n", "ai-index": "n", "tdm": "n"}


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "noai",
            [
                ("content-usage", "train-ai=n, ai-use=n, search=y"),
                (
                    "ai-usage",
                    "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=y, tdm=n",
                ),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("x-robots-tag", "noai, noimageai, noarchive"),
            ],
        ),
        (
            "notrain",
            [
                ("content-usage", "train-ai=n"),
                ("ai-usage", "train-gen=n, train-other=n"),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("x-robots-tag", "noai, noimageai, noarchive"),
            ],
        ),
        (
            "people-only",
            [
                ("content-usage", "train-ai=n, ai-use=n, search=n"),
                (
                    "ai-usage",
                    "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=n, tdm=n",
                ),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("x-robots-tag", "noai, noimageai, noarchive, noindex"),
            ],
        ),
        ("open", []),
    ],
)
def test_render_presets(preset: str, expected: list[tuple[str, str]]) -> None:
    """A response says its preset in every form that headers can hold."""
    assert http_headers.render(PRESETS[Preset(preset)], POLICY) == expected


def test_no_policy_without_reservation() -> None:
    """The policy is named only where something is reserved."""
    allowed = Preferences.of(train_gen="y", train_other="y", ai_index="y", tdm="y")
    headers = dict(http_headers.render(allowed, POLICY))
    assert headers["tdm-reservation"] == "0"
    assert "tdm-policy" not in headers


@pytest.mark.parametrize(
    ("headers", "carrier", "expected"),
    [
        ([("Content-Usage", "train-ai=n")], "http-content-usage", {"train-gen": "n"}),
        ([("AI-USAGE", "tdm=n")], "http-ai-usage", {"tdm": "n"}),
        ([("TDM-Reservation", "1")], "http-tdm-reservation", TDM),
        ([("X-Robots-Tag", "noindex")], "http-x-robots-tag", {"search": "n"}),
        ([("Content-Signal", "ai-train=no")], "http-content-signal", {"train-gen": "n", "train-other": "n"}),
    ],
)
def test_parse(headers: list[tuple[str, str]], carrier: str, expected: dict[str, str]) -> None:
    """Each header is read, whatever the case of its name."""
    (statement,) = http_headers.parse(headers, SOURCE).statements
    assert (statement.carrier, statement.prefs.as_json()) == (carrier, expected)


@pytest.mark.parametrize(
    "headers", [[], [("x-other", "train-ai=n")], [("tdm-policy", POLICY)], [("content-usage", "")]]
)
def test_nothing_stated(headers: list[tuple[str, str]]) -> None:
    """Other headers, a policy alone and an empty dictionary state nothing."""
    assert http_headers.parse(headers, SOURCE) == EMPTY


def test_repeated_lines() -> None:
    """Each repeated line counts by itself, so that an appended yes cannot undo a no; repeated words add up."""
    headers = [("content-usage", "train-ai=n, search=n"), ("content-usage", "search=y")]
    assert said(http_headers.parse(headers, SOURCE)) == [{"train-gen": "n", "search": "n"}, {"search": "y"}]
    assert answer(http_headers.parse(headers, SOURCE)) == {"train-gen": "n", "search": "n"}
    usage = [("ai-usage", "tdm=n"), ("ai-usage", "search=n")]
    assert answer(http_headers.parse(usage, SOURCE)) == {"search": "n", "tdm": "n"}
    robots = [("x-robots-tag", "noai"), ("x-robots-tag", "noindex")]
    assert said(http_headers.parse(robots, SOURCE)) == [{"train-gen": "n", "train-other": "n", "search": "n"}]


def test_repeated_reservations() -> None:
    """Of two reservations that disagree the stricter counts."""
    headers = [("tdm-reservation", "0"), ("tdm-reservation", "1")]
    assert answer(http_headers.parse(headers, SOURCE)) == TDM


def test_unreadable() -> None:
    """A header that cannot be read is a problem, and the others count."""
    reading = http_headers.parse(
        [("content-usage", "train-ai n"), ("ai-usage", "!"), ("x-robots-tag", "noindex")], SOURCE
    )
    assert problems(reading) == [("http-ai-usage", "not-a-dictionary"), ("http-content-usage", "not-a-dictionary")]
    assert said(reading) == [{"search": "n"}]


def test_content_signal_is_an_intermediarys() -> None:
    """A Content-Signal header is the word of somebody in between, and never set aside as the author's own."""
    headers = [("ai-usage", "train-gen=n, train-other=n"), ("content-signal", "ai-train=no")]
    author, between = http_headers.parse(headers, SOURCE).statements
    assert author.declared_by == ALICE
    assert between.declared_by.kind is DeclarantKind.INTERMEDIARY
    assert between.projection_of is None


def test_content_signal_does_not_override_a_no() -> None:
    """An intermediary's yes does not outweigh the author's no."""
    headers = [("content-usage", "train-ai=n"), ("content-signal", "ai-train=yes")]
    assert answer(http_headers.parse(headers, SOURCE)) == {"train-gen": "n", "train-other": "y"}


def test_headers_that_disagree() -> None:
    """A poorer header that says more than the lossless one means is a statement of its own, and its no counts."""
    headers = [("ai-usage", "search=y"), ("tdm-reservation", "1")]
    assert answer(http_headers.parse(headers, SOURCE)) == {**TDM, "search": "y"}

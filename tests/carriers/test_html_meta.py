"""Meta elements of a page."""

from __future__ import annotations

import pytest
from carriers.samples import POLICY, SOURCE, answer, problems, said

from gateway.carriers import html_meta
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, Preset

NOAI_LINE = "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=y, tdm=n"


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "noai",
            [
                ("robots", "noai, noimageai, noarchive"),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("content-usage", "train-ai=n, ai-use=n, search=y"),
                ("ai-usage", NOAI_LINE),
            ],
        ),
        (
            "notrain",
            [
                ("robots", "noai, noimageai, noarchive"),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("content-usage", "train-ai=n"),
                ("ai-usage", "train-gen=n, train-other=n"),
            ],
        ),
        (
            "people-only",
            [
                ("robots", "noai, noimageai, noarchive, noindex"),
                ("tdm-reservation", "1"),
                ("tdm-policy", POLICY),
                ("content-usage", "train-ai=n, ai-use=n, search=n"),
                ("ai-usage", NOAI_LINE.replace("search=y", "search=n")),
            ],
        ),
        ("open", []),
    ],
)
def test_render_presets(preset: str, expected: list[tuple[str, str]]) -> None:
    """A page says its preset in every form that pages can hold."""
    assert html_meta.render(PRESETS[Preset(preset)], POLICY) == expected


@pytest.mark.parametrize(
    ("html", "carrier", "expected"),
    [
        ('<meta name="robots" content="noai">', "meta-robots", {"train-gen": "n", "train-other": "n"}),
        ("<META NAME=ROBOTS CONTENT=NoIndex>", "meta-robots", {"search": "n"}),
        ('<meta content="noindex" name=" robots "/>', "meta-robots", {"search": "n"}),
        ('<meta name="content-usage" content="train-ai=n">', "meta-content-usage", {"train-gen": "n"}),
        ('<meta name="ai-usage" content="tdm=y">', "meta-ai-usage", {"tdm": "y"}),
        (
            '<meta name="tdm-reservation" content="1">',
            "meta-tdm-reservation",
            {"train-gen": "n", "train-other": "n", "ai-index": "n", "tdm": "n"},
        ),
        ('<p>broken <b <meta name="robots" content="x"><meta name=robots content=noindex', "", {}),
        ('<meta name="robots" content="search&#61;n noindex">', "meta-robots", {"search": "n"}),
        ('<meta name="ai-usage" content="search=n" content="search=y">', "meta-ai-usage", {"search": "n"}),
    ],
)
def test_parse(html: str, carrier: str, expected: dict[str, str]) -> None:
    """Each of the names is read, in any case and any order of attributes, of which the first counts."""
    reading = html_meta.parse(html, SOURCE)
    assert said(reading) == ([expected] if expected else [])
    assert [s.carrier for s in reading.statements] == ([carrier] if carrier else [])


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>noai</p>",
        "<meta>",
        "<meta name>",
        '<meta name="robots">',
        '<meta name="robots" content>',
        '<meta property="robots" content="noai">',
        '<meta name="googlebot" content="noindex">',
        '<!-- <meta name="robots" content="noai"> -->',
        '<script>"<meta name=robots content=noai>"</script>',
        '<link name="robots" content="noai">',
    ],
)
def test_nothing_stated(html: str) -> None:
    """Text, comments, scripts, other elements and other names state nothing."""
    assert html_meta.parse(html, SOURCE) == EMPTY


@pytest.mark.parametrize("broken", ["<![foo[", "<![ x", "<![CDATA[", "<!", "<!doctype [", "<?", "</", "<a b='"])
def test_broken_pages(broken: str) -> None:
    """What stands before something broken is read, and nothing is raised."""
    assert said(html_meta.parse(f'<meta name="robots" content="noindex">{broken}', SOURCE)) == [{"search": "n"}]


def test_broken_declaration_hides_nothing() -> None:
    """A declaration that browsers skip does not hide the elements after it."""
    html = '<![foo[ x ]]><meta name="robots" content="noindex">'
    assert said(html_meta.parse(html, SOURCE)) == [{"search": "n"}]


def test_unreadable_line() -> None:
    """A line that is no dictionary is a problem, and the rest of the page counts."""
    html = '<meta name="content-usage" content="train-ai n"><meta name="robots" content="noindex">'
    reading = html_meta.parse(html, SOURCE)
    assert problems(reading) == [("meta-content-usage", "not-a-dictionary")]
    assert said(reading) == [{"search": "n"}]


def test_projections_are_set_aside() -> None:
    """Where the lossless line stands beside its poorer forms, it alone counts."""
    html = "".join(
        f'<meta name="{name}" content="{text}">' for name, text in html_meta.render(PRESETS[Preset.NOTRAIN], POLICY)
    )
    reading = html_meta.parse(html, SOURCE)
    assert answer(reading) == {"train-gen": "n", "train-other": "n"}
    assert {s.carrier: s.projection_of for s in reading.statements} == {
        "meta-robots": "meta-ai-usage",
        "meta-tdm-reservation": "meta-ai-usage",
        "meta-content-usage": "meta-ai-usage",
        "meta-ai-usage": None,
    }


def test_limits() -> None:
    """Of a page the first 500 KiB and the first 200 named meta elements are read."""
    meta, filler = '<meta name="robots" content="noindex">', '<meta name="x">'
    assert said(html_meta.parse(" " * 511_000 + meta, SOURCE)) == [{"search": "n"}]
    assert said(html_meta.parse(" " * 512_000 + meta, SOURCE)) == []
    assert said(html_meta.parse(filler * 199 + meta, SOURCE)) == [{"search": "n"}]
    assert said(html_meta.parse(filler * 200 + meta, SOURCE)) == []

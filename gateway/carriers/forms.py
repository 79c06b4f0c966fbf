"""The table of carriers: what each can say, and which refusals it cannot.

``round_trip`` renders and reads again, in the form a stranger would read. The rule: reading back
never allows what was not allowed, and a refusal may be lost only in an inexpressible category.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.carriers import (
    ai_usage,
    atom_terms,
    content_signal,
    content_usage,
    html_meta,
    http_headers,
    indexable,
    jsonld_terms,
    robots_txt,
    tdm,
    x_robots_tag,
)
from gateway.preferences import Category, Preferences, Statement, combined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.carriers.reading import Reading, Source

_POLICY = "https://example.org/policies/tdm.json"  # a round trip loses nothing of it, whatever it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One carrier: its name, the categories whose refusal it cannot express, and both directions.

    ``show`` takes the preferences and the address of the TDM policy.
    """

    name: str
    inexpressible: frozenset[Category]
    show: Callable[[Preferences, str], str]
    round_trip: Callable[[Preferences, Source], Reading]

    def reads_back(self, prefs: Preferences, source: Source) -> Preferences:
        """Return what a reader of this one form understands."""
        return combined(self.round_trip(prefs, source).statements, at=source.observed_at)


# How a statement's carrier is called where it stands, when that is not the name of its form.
_STANDS_AS = {
    "contentUsage": "content-usage", "aiUsage": "ai-usage", "xRobotsTag": "x-robots-tag", "robots": "x-robots-tag",
    "home": "ai-usage",
}  # fmt: skip


def could_not_say(statement: Statement) -> tuple[Category, ...]:
    """Return the categories of which a statement's carrier cannot speak; none for an unknown carrier.

    Where one word of a carrier means several categories together, they are said.
    """
    name = statement.carrier.removeprefix("http-").removeprefix("meta-").removeprefix("atom-")
    form = FORMS.get(_STANDS_AS.get(name, name))
    unsaid = form.inexpressible - set(statement.prefs) if form is not None else frozenset()
    return tuple(category for category in Category if category in unsaid)


def _as_statement(prefs: Preferences, source: Source) -> list[Statement]:
    statement = Statement(
        subject=source.subject,
        prefs=prefs,
        declared_by=source.declared_by,
        carrier="home",
        observed_at=source.observed_at,
    )
    return [statement] if prefs else []


def _jsonld(prefs: Preferences, source: Source) -> Reading:
    terms = jsonld_terms.render(_as_statement(prefs, source))
    values = jsonld_terms.TermValues(
        content_usage=terms.get("contentUsage"),
        ai_usage=terms.get("aiUsage"),
        x_robots_tag=terms.get("xRobotsTag"),
        indexable=terms.get("indexable"),
    )
    return jsonld_terms.parse(values, source)


def _meta_page(prefs: Preferences, policy: str) -> str:
    return "".join(f'<meta name="{name}" content="{text}">' for name, text in html_meta.render(prefs, policy))


def _headers(prefs: Preferences, policy: str) -> str:
    return "\n".join(f"{name}: {value}" for name, value in http_headers.render(prefs, policy))


FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            name=content_usage.NAME,
            inexpressible=content_usage.INEXPRESSIBLE,
            show=lambda prefs, _: content_usage.render(prefs),
            round_trip=lambda prefs, source: content_usage.parse(content_usage.render(prefs), source),
        ),
        Form(
            name=ai_usage.NAME,
            inexpressible=ai_usage.INEXPRESSIBLE,
            show=lambda prefs, _: ai_usage.render(prefs),
            round_trip=lambda prefs, source: ai_usage.parse(ai_usage.render(prefs), source),
        ),
        Form(
            name=tdm.NAME,
            inexpressible=tdm.INEXPRESSIBLE,
            show=lambda prefs, _: tdm.reservation(prefs) or "",
            round_trip=lambda prefs, source: tdm.parse(tdm.reservation(prefs), source),
        ),
        Form(
            name=tdm.FILE_NAME,
            inexpressible=tdm.INEXPRESSIBLE,
            show=lambda prefs, policy: json.dumps(tdm.render_file(prefs, policy)),
            round_trip=lambda prefs, source: tdm.parse_file(tdm.render_file(prefs, _POLICY), source),
        ),
        Form(
            name=x_robots_tag.NAME,
            inexpressible=x_robots_tag.INEXPRESSIBLE,
            show=lambda prefs, _: ", ".join(x_robots_tag.web_words(prefs)),
            round_trip=lambda prefs, source: x_robots_tag.parse([", ".join(x_robots_tag.web_words(prefs))], source),
        ),
        Form(
            name=indexable.NAME,
            inexpressible=indexable.INEXPRESSIBLE,
            show=lambda prefs, _: {True: "true", False: "false", None: ""}[indexable.render(prefs)],
            round_trip=lambda prefs, source: indexable.parse(indexable.render(prefs), source),
        ),
        Form(
            name=content_signal.NAME,
            inexpressible=content_signal.INEXPRESSIBLE,
            show=lambda prefs, _: content_signal.render(prefs),
            round_trip=lambda prefs, source: content_signal.parse(content_signal.render(prefs), source),
        ),
        Form(
            name=robots_txt.NAME,
            inexpressible=robots_txt.INEXPRESSIBLE,
            show=lambda prefs, _: robots_txt.render(prefs),
            round_trip=lambda prefs, source: robots_txt.parse(robots_txt.render(prefs), source),
        ),
        Form(
            name=html_meta.NAME,
            inexpressible=html_meta.INEXPRESSIBLE,
            show=_meta_page,
            round_trip=lambda prefs, source: html_meta.parse(_meta_page(prefs, _POLICY), source),
        ),
        Form(
            name="http-headers",
            inexpressible=frozenset(),
            show=_headers,
            round_trip=lambda prefs, source: http_headers.parse(http_headers.render(prefs, _POLICY), source),
        ),
        Form(
            name="json-ld",
            inexpressible=jsonld_terms.INEXPRESSIBLE,
            show=lambda prefs, _: ", ".join(f"{category}={value}" for category, value in prefs.items()),
            round_trip=_jsonld,
        ),
        Form(
            name=atom_terms.NAME,
            inexpressible=atom_terms.INEXPRESSIBLE,
            show=lambda prefs, _: "\n".join(f"aiu:{name} {text}" for name, text in atom_terms.render(prefs)),
            round_trip=lambda prefs, source: atom_terms.parse(atom_terms.render(prefs), source),
        ),
    )
}

"""Published forms of preferences: whatever they hold, they give a reading, and noise never makes a yes of a no."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from carriers.samples import AT, SOURCE
from fuzz.documents import document_of

from gateway.carriers import (
    ai_usage,
    atom_terms,
    content_signal,
    content_usage,
    html_meta,
    http_headers,
    indexable,
    jsonld_terms,
    path_pattern,
    robots_txt,
    structured,
    tdm,
    x_robots_tag,
)
from gateway.carriers.jsonld_terms import TermValues
from gateway.carriers.reading import Reading
from gateway.preferences import TRAINING, Category, Preference, Preferences, combined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A member that stands alone between commas, outside of strings and inner lists: nobody can miss it.
_MEMBER = re.compile(r"(?:^|,)[ \t]*([a-z-]+)=(n|no)[ \t]*(?=,|;|$)")
_DIGITS = tuple(str(index) for index in range(len(http_headers.NAMES)))
_TOKENS: Mapping[str, tuple[Category, ...]] = {category.value: (category,) for category in Category}


def _is_reading(reading: Reading) -> Preferences:
    """Check the form of a reading and return what it says together."""
    _has_form(reading)
    return combined(reading.statements, at=AT) if reading.statements else Preferences()


def _has_form(reading: Reading) -> None:
    assert isinstance(reading, Reading)
    for statement in reading.statements:
        assert statement.prefs
        assert isinstance(statement.raw, str)
    assert all(len(problem.detail) <= 200 for problem in reading.problems)


def _refuses(reading: Reading, category: Category) -> bool:
    """Tell whether any statement that counts says no, which decides (``combined`` is left out: it is slow)."""
    counting = (statement for statement in reading.statements if statement.projection_of is None)
    return any(statement.prefs.disallows(category) for statement in counting)


def refused(text: str, words: Mapping[str, tuple[Category, ...]], no: str = "n") -> set[Category]:
    """Return the categories that ``text`` plainly refuses: ``word=n`` as a member, and the word stands once."""
    if not {'"', "("}.isdisjoint(text):
        return set()
    said = [match[1] for match in _MEMBER.finditer(text) if match[2] == no and match[1] in words]
    once = [word for word in said if len(re.findall(rf"(?<![a-z0-9_.*-]){re.escape(word)}(?![a-z0-9_.*-])", text)) == 1]
    return {category for word in once for category in words[word]}


def _never_allows(reading: Reading, categories: Iterable[Category]) -> None:
    said = _is_reading(reading)
    for category in categories:
        assert not said.allows(category), (category, reading.statements)


def line(data: bytes) -> None:
    """One line of Content-Usage or AI-Usage: the grammar of structured fields."""
    text = data.decode("latin-1")
    members = structured.parse_tokens(text)
    if members is not None:
        for key, (value, parameters) in members.items():
            assert isinstance(key, str)
            assert isinstance(structured.preference(value), Preference | None)
            parameters.items()
    one, other = content_usage.parse(text, SOURCE), ai_usage.parse(text, SOURCE)
    _never_allows(one, refused(text, content_usage.TOKENS) if one.statements else ())
    _never_allows(other, refused(text, _TOKENS) if other.statements else ())
    assert bool(other.problems) is bool(one.problems) is (members is None)
    if not ai_usage.unknown_words(text) and members:
        # Nothing was passed over: then what was read says all of it.
        (read,) = other.prefs
        assert len(read) == len(members)
        assert ai_usage.parse_prefs(ai_usage.render(read)) == read
    if members:
        whole = _is_reading(atom_terms.parse([("aiUsage", text), ("contentUsage", text)], SOURCE))
        said, fuller = _is_reading(one), _is_reading(other)
        # Where a fuller line says the same in more words, its words count.
        assert not any(whole.allows(c) and said.disallows(c) and not fuller.allows(c) for c in Category)


def words(data: bytes) -> None:
    """Texts without a grammar: Content-Signal, X-Robots-Tag, TDM reservation, and patterns of paths."""
    text = data.decode("utf-8", "replace")
    signal = content_signal.parse(text, SOURCE)
    lowered = text.lower()
    _never_allows(signal, refused(lowered, content_signal.SIGNALS, "no"))
    robots = _is_reading(x_robots_tag.parse(text.split("\n"), SOURCE))
    assert all(word is Preference.DISALLOW for word in robots.values())
    if re.match(r"\s*noai\s*(,|$)", lowered):
        assert all(robots.disallows(category) for category in TRAINING)
    reserved = _is_reading(tdm.parse(text, SOURCE))
    assert bool(reserved) is (text.strip() in ("0", "1"))
    pattern, _, path = text.partition("\n")
    assert isinstance(path_pattern.matches(pattern, path), bool)
    if not set("*$") & set(path) and "%" not in path[-2:]:  # or both together would make another escape
        assert path_pattern.matches(path, path + pattern)


def headers(data: bytes) -> None:
    """The headers of a response, a line each: what is appended takes no refusal away."""
    pairs = [("Content-Usage", "train-ai=n"), ("X-Robots-Tag", "noindex")]
    for row in data.decode("latin-1").split("\n")[:8]:
        name, _, value = row.partition(":")
        pairs.append((http_headers.NAMES[int(name)] if name in _DIGITS else name, value.strip()))
    reading = http_headers.parse(pairs, SOURCE)
    _has_form(reading)
    assert _refuses(reading, Category.TRAIN_GEN)
    assert _refuses(reading, Category.SEARCH)


def page(data: bytes) -> None:
    """A page: a refusal in its own meta element holds, whatever stands after it."""
    text = data.decode("utf-8", "replace")
    reading = html_meta.parse('<meta name="content-usage" content="train-ai=n">' + text, SOURCE)
    _has_form(reading)
    assert _refuses(reading, Category.TRAIN_GEN)


def robots(data: bytes) -> None:
    """Agent, path; then the file: a refusal in the group of everybody holds for whoever has no group."""
    agent, path, text = (data.decode("utf-8", "replace") + "\n\n").split("\n", 2)
    before = "User-agent: nobody-else\nContent-Usage: train-ai=n\n"
    reading = robots_txt.parse(before + text, SOURCE, path=path, agent=agent or "nobody-else")
    _has_form(reading)
    # Only a rule for a longer path may take its place.
    assert agent or _refuses(reading, Category.TRAIN_GEN) or "content-usage" in text.lower()


_NAMES = (
    "contentUsage", "aiUsage", "xRobotsTag", "indexable", "v", "prefs", "statements", "conditions", "audience", "kind",
    "value", "declaredBy", "id", "category", "updated", "expires", "location", "tdm-reservation",
    *(category.value for category in Category),
)  # fmt: skip
_VALUES = (
    "n", "y", 1, "n", "y", "train-ai=n", "train-ai=y, search=n", "noai", "author", "instance", "any", "did",
    "https://a.example/users/alice", "2026-11-22T09:00:00Z", "2026-11-22T11:00:00Z", "/", "1", 0, True,
    *(category.value for category in Category),
)  # fmt: skip


def terms(data: bytes) -> None:
    """The four JSON-LD terms and tdmrep.json: nobody is told yes where the combined answer does not say so."""
    document = document_of(data, _NAMES, _VALUES)
    if document is None:
        return
    usage = document.get("aiUsage")
    values = TermValues(
        content_usage=document.get("contentUsage"),
        ai_usage=usage,
        x_robots_tag=document.get("xRobotsTag"),
        indexable=document.get("indexable"),
    )
    reading = jsonld_terms.parse(values, SOURCE)
    said = _is_reading(reading)
    if isinstance(usage, dict) and usage:
        alone = _is_reading(jsonld_terms.parse(TermValues(ai_usage=usage), SOURCE))
        whole = Preferences.from_json(usage.get("prefs"))
        for category in Category:
            assert whole.allows(category) or not alone.allows(category)
            assert not whole.disallows(category) or said.disallows(category)
    if document.get("indexable") is False:
        assert said.disallows(Category.SEARCH)
    if document.get("contentUsage") == "train-ai=n":
        assert said.disallows(Category.TRAIN_GEN)
    if document.get("xRobotsTag") == "noai":
        assert all(said.disallows(category) for category in TRAINING)
    again = jsonld_terms.render(reading.statements)
    json.dumps(again)
    _is_reading(tdm.parse(document.get("tdm-reservation"), SOURCE))
    _is_reading(tdm.parse_file(document.get("statements"), SOURCE, path="/x"))
    _is_reading(indexable.parse(document.get("value"), SOURCE))

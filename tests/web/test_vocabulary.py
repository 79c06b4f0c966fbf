"""The words we add, for software and for people: context, documentation, schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from web.asking import problem_of

from gateway.carriers.jsonld_terms import CONTEXT, NAMESPACE
from gateway.runtime import schemas_directory
from gateway.web.vocabulary import SCHEMAS

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HTML = "text/html; charset=utf-8"


@pytest.mark.parametrize("accept", ["application/ld+json", "application/json", "*/*", None])
async def test_software_gets_the_context(site: Site, accept: str | None) -> None:
    """/ns/ai-usage is the JSON-LD context that defines our terms as we write them inline; anybody may load it."""
    answer = await (site.get("/ns/ai-usage") if accept is None else site.get("/ns/ai-usage", accept=accept))
    assert (answer.status, answer.media_type) == (200, "application/ld+json")
    context = answer.json["@context"]
    for term in ("contentUsage", "aiUsage"):
        assert context[term] == CONTEXT[term]
    assert NAMESPACE in json.dumps(context)
    assert answer.header("access-control-allow-origin") == "*"
    assert {"Accept", "Accept-Language"} <= set(answer.header("vary").split(", "))
    assert answer.header("cache-control") == "max-age=3600"


@pytest.mark.parametrize(
    ("language", "says"), [("en", "This page documents the JSON-LD vocabulary"), ("ja", "このページは、JSON-LDの語彙")]
)
async def test_people_get_documentation_in_their_language(site: Site, language: str, says: str) -> None:
    """A browser gets a page with the whole draft, in English or Japanese, escaped."""
    answer = await site.get("/ns/ai-usage", accept=BROWSER, accept_language=language)
    assert (answer.status, answer.media_type) == (200, HTML)
    assert f'<html lang="{language}"' in answer.text
    assert says in answer.text
    assert NAMESPACE in answer.text
    draft = (schemas_directory() / "fep-1e38.md").read_text("utf-8")
    assert draft.splitlines()[0] in answer.text
    assert "<script" not in answer.text
    assert {"Accept", "Accept-Language"} <= {name.strip() for name in answer.header("vary").split(",")}


async def test_the_draft_is_there_as_it_is_kept(site: Site) -> None:
    """/ns/ai-usage.md is the file, byte for byte, as Markdown."""
    answer = await site.get("/ns/ai-usage.md")
    assert (answer.status, answer.media_type) == (200, "text/markdown; charset=utf-8")
    assert answer.body == (schemas_directory() / "fep-1e38.md").read_bytes()
    assert answer.header("access-control-allow-origin") == "*"


@pytest.mark.parametrize("name", SCHEMAS)
async def test_schemas_are_served(site: Site, name: str) -> None:
    """Each schema is the file, byte for byte, and a sound JSON Schema."""
    answer = await site.get(f"/schemas/{name}")
    assert (answer.status, answer.media_type) == (200, "application/schema+json")
    assert answer.body == (schemas_directory() / name).read_bytes()
    Draft202012Validator.check_schema(answer.json)
    assert answer.header("access-control-allow-origin") == "*"


@pytest.mark.parametrize(
    "name",
    ["nothing.json", "fep-1e38.md", "ai-usage.jsonld", "contexts", "manifest.json", "..%2Fpyproject.toml", "x" * 300],
)
async def test_what_is_no_schema_is_not_there(site: Site, name: str) -> None:
    """An unknown name is a 404 that says so, and no other file is led out."""
    answer = await site.get(f"/schemas/{name}")
    problem_of(answer, [400, 404])


@pytest.mark.parametrize("path", ["/ns/ai-usage", "/ns/ai-usage.md", "/schemas/problem.json", "/openapi.json"])
async def test_they_are_for_reading_only(site: Site, path: str) -> None:
    """HEAD answers like GET; nothing can be posted."""
    head, whole = await site.get(path, method="HEAD"), await site.get(path)
    assert (head.status, head.media_type) == (200, whole.media_type)
    problem_of(await site.get(path, method="POST"), [405])

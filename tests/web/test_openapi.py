"""The API's own description: valid OpenAPI 3.1, made from the route table and nothing besides."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.responses import Response
from starlette.routing import Mount, Route

from gateway.runtime import schemas_directory
from gateway.web import app, openapi
from gateway.web.problems import PROBLEM_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.conftest import Site

BASE = "https://gw.example"


def _document() -> dict[str, Any]:
    return openapi.document(app.ROUTES, BASE)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    """A route that is added is described, and a description without its route is taken away."""
    routes = {(method, path) for method, path, _ in openapi.operations(app.ROUTES)}
    assert routes == openapi.ABOUT.keys()
    described = {(method, path) for method, path, _ in _operations(_document())}
    assert described == routes
    mounted = {route.path for route in app.ROUTES if isinstance(route, Mount)}
    assert mounted == {"/static"}


def test_a_route_without_a_row_is_an_error() -> None:
    """Nothing is left undescribed by accident."""

    async def added(_: object) -> Response:
        """Add."""
        return Response()

    with pytest.raises(KeyError):
        openapi.document([Route("/added", added)], BASE)


def _inlined(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the schema that it names by address put in its place."""
    problem = json.loads((schemas_directory() / "problem.json").read_text("utf-8"))
    assert document["components"]["schemas"]["Problem"] == {"$ref": "/schemas/problem.json"}
    inside = {name: value for name, value in problem.items() if name not in ("$schema", "$id")}
    document = json.loads(
        re.sub(r'\{"\$ref": "/schemas/output.json[^}]*\}', '{"type": "object"}', json.dumps(document))
    )
    return {**document, "components": {**document["components"], "schemas": {"Problem": inside}}}


@pytest.mark.anyio
async def test_the_served_document_is_valid(site: Site) -> None:
    """/openapi.json is OpenAPI 3.1 by the validator of the specification, for software of any origin."""
    answer = await site.get("/openapi.json")
    assert (answer.status, answer.media_type) == (200, "application/json")
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.json == _document()
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["servers"] == [{"url": BASE}]
    assert list(OpenAPIV31SpecValidator(_inlined(answer.json)).iter_errors()) == []


@pytest.mark.anyio
async def test_the_schemas_that_it_names_are_there(site: Site) -> None:
    """Every reference to an address of ours leads to a schema."""
    document = (await site.get("/openapi.json")).json
    found = set(re.findall(r'"\$ref": "(/[^"]+)"', json.dumps(document)))
    assert len(found) > 1
    for reference in found:
        path, _, pointer = reference.partition("#/$defs/")
        answer = await site.get(path)
        assert answer.media_type == "application/schema+json"
        assert not pointer or pointer in answer.json["$defs"]


def test_the_kept_document_is_todays() -> None:
    """schemas/openapi.json, which people read without a gateway, is what the route table makes (``make schemas``)."""
    assert json.loads((schemas_directory() / "openapi.json").read_text("utf-8")) == _document()


def test_every_operation_is_told() -> None:
    """Each has an id of its own, a sentence, one success and the problem document for everything else."""
    document = _document()
    ids = []
    for method, path, operation in _operations(document):
        about = openapi.ABOUT[method, path]
        ids.append(operation["operationId"])
        assert operation["summary"], path
        assert not operation["summary"].endswith(".")
        more = operation["responses"].keys() - {str(about.status), "default"}
        assert more == (
            {"303"} if path in openapi.PAGED and method == "GET" else {"503"} if path == "/readyz" else set()
        )
        told = operation["responses"]["default"]["content"]
        assert told[PROBLEM_JSON] == {"schema": {"$ref": "#/components/schemas/Problem"}}
        page, oauth = {"text/html"} & told.keys(), {"application/json"} & told.keys()
        assert (bool(page), bool(oauth)) == (method == "GET", path in openapi.OAUTH_ERRORS)
        assert operation["responses"][str(about.status)].get("content", {}).keys() == set(about.gives)
        assert operation.get("requestBody", {"content": {}})["content"].keys() == set(about.takes)
        assert ("requestBody" in operation) is (bool(about.takes))
        assert not (method == "GET" and about.takes)
    assert len(set(ids)) == len(ids)


def test_parameters_are_those_of_the_path_and_of_the_row() -> None:
    """Path parameters are required, query parameters are not and say what they are for."""
    for method, path, operation in _operations(_document()):
        rows = operation.get("parameters", [])
        inside = [row["name"] for row in rows if row["in"] == "path"]
        assert inside == re.findall(r"\{(\w+)\}", path)
        assert all(row["required"] is (row["in"] == "path") for row in rows)
        asked = [(row["name"], row["description"]) for row in rows if row["in"] == "query"]
        assert asked == list(openapi.ABOUT[method, path].query)


@pytest.mark.parametrize(
    ("method", "path", "security"),
    [
        ("POST", "/inbox", [{"signature": []}, {"token": ["read"]}]),
        ("GET", "/posts/{tid}", [{"signature": []}, {"token": ["read"]}]),
        ("POST", "/users/{name}/outbox", [{"token": ["write"]}]),
        ("GET", "/users/{name}/inbox", [{"token": ["read"]}]),
        ("GET", "/inspect.json", [{"token": ["read"]}]),
        ("GET", "/@{name}", None),
        ("GET", "/.well-known/webfinger", None),
    ],
)
def test_who_may_ask_is_told(method: str, path: str, security: object) -> None:
    """Tokens with their scope, signatures, or anybody."""
    operation = _document()["paths"][path][method.lower()]
    assert operation.get("security") == security


def test_the_security_schemes_are_ours() -> None:
    """The flow has the addresses that the server metadata names, and every scope that is asked for exists."""
    document = _document()
    flow = document["components"]["securitySchemes"]["token"]["flows"]["authorizationCode"]
    assert (flow["authorizationUrl"], flow["tokenUrl"]) == (f"{BASE}/oauth/authorize", f"{BASE}/oauth/token")
    assert flow["authorizationUrl"].removeprefix(BASE) in document["paths"]
    assert flow["tokenUrl"].removeprefix(BASE) in document["paths"]
    for _, _, operation in _operations(document):
        for row in operation.get("security", []):
            assert row.keys() <= document["components"]["securitySchemes"].keys()
            assert set(row.get("token", [])) <= flow["scopes"].keys()


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_needs_somebody_is_refused_to_nobody(site: Site, method: str) -> None:
    """Each operation that names a security scheme answers nobody with 401, or with 404 where nothing is."""
    for asked, path, operation in _operations(_document()):
        if asked != method or "security" not in operation:
            continue
        words = {"name": "alice", "tid": site.tid("public")}
        if path == "/users/{name}":
            continue
        filled = path.format_map({**dict.fromkeys(("media_id", "file_name"), "x"), **words})
        answer = await site.get(filled, method=method, content_type="application/activity+json")
        assert answer.status in (400, 401, 404, 415), (path, answer.status)

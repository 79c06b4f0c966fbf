"""Requests drawn from our own description of the API: whatever fits it is answered as it says, and never with a 5xx."""

from __future__ import annotations

import asyncio
import http
import json
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web.asking import Answer, ask
from world import BASE

from gateway.flows import grant
from gateway.net.pace import Pace
from gateway.runtime import schemas_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from web.conftest import Site

FEW, MANY = 6, 170
CHECKS = [
    status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance,
]  # fmt: skip
ACTIVITY, FORM = "application/activity+json", "application/x-www-form-urlencoded"
NOTE = {"type": "Note", "content": "<p>hello</p>", "to": ["https://www.w3.org/ns/activitystreams#Public"]}
ACCEPTED = (None, ACTIVITY, "text/html", "application/json", "*/*", "application/atom+xml;q=0.1", ",;q=x", "\xe9")


def _description() -> dict[str, Any]:
    """Return the kept description with the schemas that it names by address put inside."""
    folder = schemas_directory()
    document, problem, output = (
        json.loads((folder / name).read_text("utf-8")) for name in ("openapi.json", "problem.json", "output.json")
    )
    inside = {name: value for name, value in problem.items() if not name.startswith("$")}
    text = json.dumps({**output["$defs"], "Problem": inside}).replace('"#/$defs/', '"#/components/schemas/')
    document["components"]["schemas"] = json.loads(text)
    whole = json.dumps(document).replace('"/schemas/output.json#/$defs/', '"#/components/schemas/')
    assert '"$ref": "/' not in whole
    found: dict[str, Any] = json.loads(whole)
    return found


SCHEMA = schemathesis.openapi.from_dict(_description())
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
# Everybody asks everything: the owner, nobody, somebody else, a browser, and whose token counts no more.
WHO = ("alice", "nobody", "carol", "browser", "revoked")


class Asked:
    """The site, everything on it that has an address, and one event loop for all requests."""

    def __init__(self, site: Site, runner: asyncio.Runner) -> None:
        self.site = site
        self.runner = runner
        kit = site.kit
        for one in fields(kit.paces):
            if isinstance(pace := getattr(kit.paces, one.name), Pace):
                pace.quota = 0  # what is refused here is not refused for coming too often
        self.session = grant.create_token(kit, site.alice, "browser", (grant.SESSION,))[1]
        tids = [site.tid(name) for name in site.posts]
        media = str(site.posts["media"].document["attachment"]).partition("/media/")[2].partition("'")[0].split("/")
        sent = kit.store.database.rows("SELECT id FROM activity WHERE id LIKE :ours", ours=f"{BASE}/%")
        self.words: Mapping[str, Sequence[str]] = {
            "name": ("alice", "carol", "gone", "Alice", "actor"),
            "tid": (*tids, *(str(row["id"]).rpartition("/")[2] for row in sent[:4])),
            "media_id": (media[0],),
            "file_name": (media[1],),
            "file": ("problem.json", "settings.json", "output.json", "openapi.json"),
            "code": ("unauthorized", "bad-url", "foreign-id"),
            "tag": ("greeting", "GREETING"),
        }
        them, post, app = site.follower.me.id, site.posts["open"].id, "https://app.example/cb"
        self.documents: Sequence[dict[str, Any]] = (
            NOTE,
            {"type": "Create", "object": NOTE},
            *({"type": kind, "object": post} for kind in ("Like", "Announce", "Delete")),
            {"type": "Follow", "object": them},
            {"redirect_uris": [app], "client_name": "x"},
        )
        self.forms: Sequence[dict[str, str]] = (
            {"grant_type": "authorization_code", "code": "x", "client_id": "x"},
            *({name: "x"} for name in ("token", "code", "decision")),
            *({"id": address} for address in (them, post)),
        )
        self.queries: Sequence[dict[str, str]] = (
            *({"page": number} for number in "12"),
            *({"resource": address} for address in (f"acct:alice@{BASE[8:]}", site.alice.id)),
            {"url": them},
            {"url": post, "use": "train-gen"},
            {"as": "capture", "lang": "ja"},
            {"response_type": "code", "client_id": "x", "redirect_uri": app},
        )

    def headers(self, who: str) -> dict[str, str]:
        if who == "nobody":
            return {}
        if who == "browser":
            return {"cookie": f"gateway_session={self.session}", "sec-fetch-site": "same-origin"}
        return {"authorization": f"Bearer {self.site.tokens[who]}"}

    def ask(self, prepared: requests.PreparedRequest) -> Answer:
        body: Any = prepared.body or b""
        return self.runner.run(
            ask(
                self.site.app, str(prepared.method), str(prepared.path_url),
                [(name, value) for name, value in prepared.headers.items() if name.lower() != "host"],
                body.encode() if isinstance(body, str) else body,
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def asked(site: Site) -> Iterator[Asked]:
    """Open the site to all requests of this module."""
    with asyncio.Runner() as runner:
        yield Asked(site, runner)


def _prepared(data: st.DataObject, case: Any, asked: Asked, who: str) -> requests.PreparedRequest:
    """Return what goes over the wire: the drawn case, with words of the site in half of its places."""
    known = st.booleans()
    for name in case.path_parameters or {}:
        if data.draw(known):
            case.path_parameters[name] = quote(data.draw(st.sampled_from(asked.words[name])), safe="")
    if data.draw(known):
        case.query = {**(case.query or {}), **data.draw(st.sampled_from(asked.queries))}
    text: str | None = None
    if case.media_type is not None and data.draw(known):
        case.body = data.draw(st.sampled_from(asked.forms if case.media_type == FORM else asked.documents))
    if case.media_type == "message/http":
        case.media_type, text = "application/json", f"POST /inbox HTTP/1.1\r\nHost: gw.example\r\n\r\n{case.body}"
    given = case.as_transport_kwargs(base_url=BASE)
    headers = {**given.pop("headers"), **asked.headers(who)}
    accept = data.draw(st.sampled_from(ACCEPTED))
    headers = {**headers, "Accept": accept} if accept is not None else headers
    if text is not None:
        given.pop("json", None)
        given["data"], headers["Content-Type"] = text.encode("utf-8", "replace"), "message/http"
    if "Content-Type" not in headers and "files" in given:
        headers.pop("Content-Type", None)
    return requests.Request(headers=headers, **given).prepare()


def _response(prepared: requests.PreparedRequest, answer: Answer) -> schemathesis.Response:
    lines: dict[str, list[str]] = {}
    for name, value in answer.lines:
        lines.setdefault(name, []).append(value)
    return schemathesis.Response(
        answer.status, lines, answer.body, prepared, timedelta(seconds=0.01).total_seconds(), verify=True,
        message=http.HTTPStatus(answer.status).phrase,
    )  # fmt: skip


def _ran(operation: Any, asked: Asked, count: int) -> list[int]:
    """Ask ``count`` drawn requests of one operation, each by somebody; return the statuses."""
    statuses: list[int] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def one(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        who = data.draw(st.sampled_from(WHO))
        prepared = _prepared(data, case, asked, who)
        answer = asked.ask(prepared)
        statuses.append(answer.status)
        is_readiness = (operation.label, answer.status) == ("GET /readyz", 503)  # nothing works here: as it says
        assert answer.status < 500 or is_readiness, (who, prepared.method, prepared.url, prepared.body, answer.body)
        case.validate_response(_response(prepared, answer), checks=CHECKS)

    one()
    return statuses


@pytest.mark.parametrize("label", OPERATIONS)
def test_drawn_requests_are_answered_as_described(asked: Asked, label: str) -> None:
    """A few drawn requests of each operation, with and without a token, are answered as the description says."""
    assert len(_ran(OPERATIONS[label], asked, FEW)) >= FEW


@pytest.mark.long
@pytest.mark.parametrize("label", OPERATIONS)
def test_ten_thousand_drawn_requests_are_answered_as_described(asked: Asked, label: str) -> None:
    """Ten thousand drawn requests in all are answered as the description says."""
    assert len(_ran(OPERATIONS[label], asked, MANY)) >= MANY


def test_the_numbers_are_those_promised() -> None:
    """The short run asks a few hundred requests, the long one ten thousand."""
    assert 300 <= FEW * len(OPERATIONS) <= 1_000
    assert MANY * len(OPERATIONS) >= 10_000

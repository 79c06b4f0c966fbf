"""The whole report on a document, from whichever side it came."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from cli.test_output_schemas import faults
from flows.scenes import ALICE, home_of, published
from peers.plain import AS2
from world import BASE, snapshot

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.flows import discover, specimen
from gateway.flows.inspect import Wish, inspect
from gateway.flows.specimen import Specimen
from gateway.preferences import Category

if TYPE_CHECKING:
    from world import World

    from gateway.flows.kit import Kit

pytestmark = pytest.mark.anyio
URL = "https://peer.example/notes/1"
NOTE: dict[str, Any] = {
    "@context": [AS2, dict(CONTEXT)],
    "id": URL,
    "type": "Note",
    "attributedTo": "https://peer.example/users/bob",
    "content": "x",
}


async def _report(kit: Kit, document: object, *, wish: Wish | None = None, **how: Any) -> dict[str, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    report = await inspect(kit, Specimen(body=body, **how), wish or Wish())
    assert faults("inspect", report) == []
    return report


def _answers(report: dict[str, Any]) -> dict[str, str]:
    return {row["category"]: row["answer"] for row in report["effective"] if row["answer"]}


async def test_the_report_is_what_its_schema_says(world: World) -> None:
    """Good, odd and broken documents all give a report of the one form, and keep nothing."""
    home, alice = home_of(world)
    post = await published(home, alice)
    peer = world.peer()
    documents: list[object] = [
        NOTE, post.document, peer.activity("Follow", ALICE), peer.activity("Create", {**NOTE, "contentUsage": "x"}),
        {}, {"a": None}, [], 7, b"", b"\xff", b"<html>", {"@context": 7}, {"@context": {"a": 7}}, {"type": 7, "id": []},
        {**NOTE, "proof": [7, {}], "signature": "x", "aiUsage": [1], "contentUsage": {}, "indexable": "maybe"},
        {**NOTE, "object": {"object": NOTE, "proof": {}}, "actor": [1, 2]}, {**NOTE, "n": 2**60}, {"~/": {"~/": "no"}},
        {"@graph": [NOTE]}, {**NOTE, "attributedTo": [{"id": "x"}, 7]}, {"@context": [AS2], "robots/x~y": {"": ["no"]}},
    ]  # fmt: skip
    before = snapshot(home.kit)
    for document in documents:
        await _report(home.kit, document)
        await _report(home.kit, document, url=URL, status=200, headers=(("content-usage", "train-ai=n"),))
    assert snapshot(home.kit) == before
    assert world.board.requests == []


async def test_preferences_of_the_answer_s_headers_count(world: World) -> None:
    """What the server says around the document is the server's statement; its yes does not loosen the author's no."""
    home, _ = home_of(world)
    headers = (("content-usage", "search=n, train-ai=y"),)
    report = await _report(home.kit, {**NOTE, "contentUsage": "train-ai=n"}, url=URL, headers=headers)
    assert _answers(report) == {"train-gen": "n", "search": "n"}
    spoken = {(s["declaredBy"]["kind"], s["carrier"]) for s in report["statements"]}
    assert spoken == {("author", "contentUsage"), ("instance", "http-content-usage")}


async def test_a_strangers_server_allows_nothing(world: World) -> None:
    """A yes in the headers of another server than the author's is nobody's permission."""
    home, _ = home_of(world)
    headers = (("content-usage", "train-ai=y"),)
    foreign = await _report(home.kit, NOTE, url="https://mirror.example/1", headers=headers)
    assert _answers(foreign) == {}
    own = await _report(home.kit, NOTE, url=URL, headers=headers)
    assert _answers(own) == {"train-gen": "y"}


async def test_what_the_author_said_before_counts(world: World) -> None:
    """Statements of a known author and server decide about a new document as well."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve_document(peer.me.id, peer.me.document(**{**NOTE, "id": peer.me.id, "type": "Person",
                        "contentUsage": "search=n", "attributedTo": None, "content": None}))  # fmt: skip
    await discover.known_actor(home.kit, peer.me.id)
    assert _answers(await _report(home.kit, NOTE)) == {"search": "n"}


async def test_a_page_is_read_as_one(world: World) -> None:
    """What is no JSON may still state preferences, in its meta elements and headers."""
    home, _ = home_of(world)
    page = b'<html><meta name="robots" content="noai"><meta name="content-usage" content="search=n"></html>'
    report = await _report(home.kit, page, url=URL, content_type="text/html", headers=(("tdm-reservation", "1"),))
    assert report["document"] is None
    found = _answers(report)
    assert (found["search"], found["train-gen"], found["tdm"]) == ("n", "n", "n")
    assert {s["declaredBy"]["id"] for s in report["statements"]} == {"https://peer.example"}


async def test_an_embedded_object_speaks_too(world: World) -> None:
    """The object of an activity is read with its own author."""
    home, _ = home_of(world)
    peer = world.peer()
    activity = {**peer.activity("Create", {**NOTE, "contentUsage": "train-ai=n"}), "@context": NOTE["@context"]}
    report = await _report(home.kit, activity)
    assert _answers(report) == {"train-gen": "n"}
    assert report["statements"][0]["subject"]["ref"] == URL


async def test_one_use_and_consumer(world: World) -> None:
    """A wish for one category gives one answer, for one consumer."""
    home, _ = home_of(world)
    wish = Wish(use=Category.SEARCH, consumer="x.example")
    (row,) = (await _report(home.kit, {**NOTE, "contentUsage": "search=n"}, wish=wish))["effective"]
    assert (row["category"], row["answer"], row["consumer"]) == ("search", "n", "x.example")
    assert len((await _report(home.kit, NOTE))["effective"]) == len(Category)


async def test_what_a_jcs_proof_covers(world: World) -> None:
    """Everything but proof and signature, byte for byte; a number beyond JCS has no such form."""
    home, _ = home_of(world)
    bare = await _report(home.kit, NOTE)
    beside = await _report(home.kit, {**NOTE, "proof": {}, "signature": {}})
    assert beside["coverage"]["jcs"]["notCovered"] == ["/proof", "/signature"]
    assert beside["coverage"]["jcs"]["sha256"] == bare["coverage"]["jcs"]["sha256"]
    text = bare["forms"]["jcs"]["value"].encode()
    assert bare["coverage"]["jcs"] == {
        "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(), "notCovered": [],
    }  # fmt: skip
    assert "problem" in (await _report(home.kit, {**NOTE, "n": 2**60}))["forms"]["jcs"]


async def test_a_bomb_leaves_everything_else(world: World) -> None:
    """Where canonicalisation is stopped, the rest of the report is there, and signatures are not tried again."""
    home, _ = home_of(world)
    ring = [{"id": f"_:{i}", "urn:p": [{"@id": f"_:{j}"} for j in range(9) if j != i]} for i in range(9)]
    report = await _report(home.kit, {**NOTE, "urn:x": ring, "signature": {"type": "RsaSignature2017"}})
    assert "takes too long" in report["forms"]["nquads"]["problem"]
    assert report["coverage"]["terms"]
    (signature,) = report["signatures"]
    assert [step["found"] for step in signature["steps"] if step["name"] == "canonical"] == ["stopped or impossible"]


async def test_our_own_post_is_in_order(world: World) -> None:
    """What we publish has no problem, no opt-out that RDF would lose, and reads the same for everybody."""
    home, alice = home_of(world)
    post = await published(home, alice)
    report = await inspect(home.kit, await specimen.fetched(home.kit, post.id, asker=alice.id))
    assert report["problems"] == []
    assert [entry["pointer"] for entry in report["coverage"]["optOuts"] if not entry["inRdf"]] == []
    assert not report["readers"]["differ"]
    assert report["contexts"]["unknown"] == []
    assert (report["decision"]["peer"], report["decision"]["about"]) == (BASE, None)

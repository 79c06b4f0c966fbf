"""``gateway inspect``: everything about one document, wherever it comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli.inspecting import DEFINED, NOTE, UNDEFINED, report_on, told_about
from peers.plain import ACTIVITY_JSON, AS2

from gateway.preferences import Category

if TYPE_CHECKING:
    from cli.conftest import Shell
    from peers.plain import PlainPeer

MEMBERS = {
    "source", "problems", "document", "forms", "contexts", "coverage", "readers", "signatures", "statements",
    "carrierProblems", "effective", "decision",
}  # fmt: skip
STRANGE = "https://words.example/v1"
SAME = "Readers of plain JSON and JSON-LD readers find the same preferences."
DIFFERENT = (
    "Readers of plain JSON and JSON-LD readers find different preferences at the document itself. This gateway counts"
    " every no of both, and a yes only where both find it."
)


def _row(report: Any, pointer: str) -> dict[str, Any]:
    (found,) = (row for row in report["coverage"]["terms"] if row["pointer"] == pointer)
    return dict(found)


def _rewritten(report: Any) -> Any:
    """Return a report without the moments at which it was made and without where the document came from.

    What nobody fetched is authenticated by nothing, which is no other finding.
    """
    text = json.dumps({name: value for name, value in report.items() if name != "source"}, sort_keys=True)
    moments = {s["observed"] for s in report["statements"]}
    for moment in moments:
        text = text.replace(moment, "then")
    return json.loads(text.replace('"auth": "tls"', '"auth": "none"'))


def test_a_url_a_file_and_stdin_give_the_same_report(shell: Shell) -> None:
    """Wherever a document comes from, the report has the same members and findings; the source tells them apart."""
    peer = shell.peer()
    body = json.dumps(DEFINED)
    peer.serve(NOTE, body, content_type=ACTIVITY_JSON)
    file = shell.data.parent / "note.json"
    file.write_text(body)
    reports = [shell.json("inspect", NOTE), shell.json("inspect", str(file)), report_on(shell, DEFINED)]
    assert all(report.keys() == MEMBERS for report in reports)
    sources = [report["source"] for report in reports]
    assert sources[0] == {
        "url": NOTE, "status": 200, "contentType": ACTIVITY_JSON, "signed": None, "bytes": len(body),
    }  # fmt: skip
    nowhere = {"url": None, "status": None, "contentType": None, "signed": None, "bytes": len(body)}
    assert sources[1:] == [nowhere, nowhere]
    assert _rewritten(reports[0]) == _rewritten(reports[1]) == _rewritten(reports[2])


def test_a_handle_is_looked_up(shell: Shell) -> None:
    """@user@host leads to the actor."""
    peer = shell.peer()
    report = shell.json("inspect", "@bob@peer.example")
    assert (report["source"]["url"], report["document"]["id"]) == (peer.me.id, peer.me.id)


@pytest.mark.parametrize(("scheme", "field"), [("cavage", "signature"), ("rfc9421", "signature-input")])
def test_a_request_is_signed_when_asked(shell: Shell, scheme: str, field: str) -> None:
    """--signed signs as the instance actor, with the scheme that is asked for."""
    shell.peer().serve_document(NOTE, DEFINED)
    shell.json("inspect", NOTE)
    assert "signature" not in shell.board.requests[-1].headers
    report = shell.json("inspect", NOTE, "--signed", "--scheme", scheme)
    assert report["source"]["signed"] == scheme
    assert "https://gw.example/actor#" in shell.board.requests[-1].headers[field]


def test_an_undefined_term_is_covered_by_no_rdf_signature(shell: Shell) -> None:
    """The report says that only JCS would cover it, that readers differ, and what counts here."""
    report = report_on(shell, UNDEFINED)
    (optout,) = report["coverage"]["optOuts"]
    assert (optout["pointer"], optout["inRdf"], optout["inJcs"]) == ("/contentUsage", False, True)
    assert "is undefined in its context: no RDF-canonical signature" in optout["sentence"]
    assert "Only a JCS proof (eddsa-jcs-2022) would cover it." in optout["sentence"]
    assert "/contentUsage" in report["coverage"]["notInRdf"]
    assert "train-ai" not in report["forms"]["nquads"]["value"]
    assert report["readers"]["sentence"] == DIFFERENT
    (node,) = report["readers"]["nodes"]
    assert (node["plain"], node["jsonLd"], node["counts"]) == ({"train-gen": "n"}, {}, {"train-gen": "n"})
    told = told_about(shell, UNDEFINED)
    assert optout["sentence"] in told
    assert DIFFERENT in told
    assert "not covered  /contentUsage  (_:contentUsage)" in told


def test_everything_else_of_it_is_covered(shell: Shell) -> None:
    """One undefined term takes nothing from the values beside it: the id, the type and the text stay covered."""
    report = report_on(shell, UNDEFINED)
    assert report["coverage"]["notInRdf"] == ["/contentUsage"]
    assert f"<{NOTE}>" in report["forms"]["nquads"]["value"]
    assert "4 of 5 values keep a meaning" in told_about(shell, UNDEFINED)


def test_a_term_defined_inline_is_covered(shell: Shell) -> None:
    """Defined in the document's own context a term means something, is signed, and reads the same for everybody."""
    report = report_on(shell, DEFINED)
    (optout,) = report["coverage"]["optOuts"]
    assert (optout["inRdf"], optout["meaning"]) == (True, "https://w3id.org/fep/1e38#contentUsage")
    assert report["coverage"]["notInRdf"] == []
    assert report["readers"] == {
        "differ": False, "sentence": SAME,
        "nodes": [{
            "pointer": "", "plain": {"train-gen": "n"}, "jsonLd": {"train-gen": "n"}, "differ": False,
            "counts": {"train-gen": "n"},
        }],
    }  # fmt: skip
    told = told_about(shell, DEFINED)
    assert SAME in told
    assert "contentUsage means https://w3id.org/fep/1e38#contentUsage: RDF-canonical signatures and JCS proofs" in told
    assert "5 of 5 values keep a meaning" in told


def test_nothing_stated_is_said(shell: Shell) -> None:
    """A document without preferences says so, in every section."""
    told = told_about(shell, {name: value for name, value in UNDEFINED.items() if name != "contentUsage"})
    for line in (
        "Opt-outs: none", "No preference stands in this document.", "Statements: none",
        "Effective preferences: nothing is stated", "Problems as ActivityStreams: none",
    ):  # fmt: skip
        assert line in told


def _flavoured(**more: Any) -> dict[str, Any]:
    return {**UNDEFINED, "@context": [AS2, STRANGE], "flavour": "sweet", **more}


def _words(shell: Shell) -> PlainPeer:
    return shell.peer("words.example", "wendy")


def test_an_unknown_context_is_not_fetched(shell: Shell) -> None:
    """It is reported, taken as empty, and nobody is asked."""
    _words(shell)
    report = report_on(shell, _flavoured())
    assert report["contexts"] == {"bundled": [AS2], "unknown": [STRANGE], "fetched": [], "failed": {}, "changed": []}
    assert _row(report, "/flavour")["state"] == "blank"
    assert f"unknown  {STRANGE}: taken as empty" in told_about(shell, _flavoured())
    assert shell.board.requests == []


def test_an_unknown_context_is_fetched_when_asked(shell: Shell) -> None:
    """--fetch-contexts asks for it once, as JSON-LD, and lists each value whose meaning it changes."""
    words = _words(shell)
    terms = {"flavour": "https://words.example/v1#flavour", "contentUsage": "https://words.example/v1#other"}
    words.serve(STRANGE, json.dumps({"@context": terms}), content_type="application/ld+json")
    report = report_on(shell, _flavoured(), "--fetch-contexts")
    assert words.gets == ["/v1"]
    (asked,) = shell.board.requests
    assert asked.headers["accept"] == "application/ld+json, application/json;q=0.9"
    assert "signature" not in asked.headers
    contexts = report["contexts"]
    assert (contexts["unknown"], contexts["fetched"], contexts["failed"]) == ([STRANGE], [STRANGE], {})
    assert contexts["changed"] == [
        {
            "pointer": "/contentUsage",
            "term": "contentUsage",
            "before": "_:contentUsage",
            "after": terms["contentUsage"],
        },
        {"pointer": "/flavour", "term": "flavour", "before": "_:flavour", "after": terms["flavour"]},
    ]
    assert _row(report, "/flavour") == {
        "pointer": "/flavour", "term": "flavour", "meaning": terms["flavour"], "state": "kept", "inRdf": True,
    }  # fmt: skip
    assert f'<{terms["flavour"]}> "sweet"' in report["forms"]["nquads"]["value"]
    told = told_about(shell, _flavoured(), "--fetch-contexts")
    assert f"unknown  {STRANGE}: fetched" in told
    assert f"changes  /flavour: _:flavour -> {terms['flavour']}" in told


def test_what_is_fetched_decides_nothing(shell: Shell) -> None:
    """A fetched context shows what other readers see; what counts here is read with bundled contexts alone."""
    terms = {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}
    _words(shell).serve(STRANGE, json.dumps({"@context": terms}), content_type="application/ld+json")
    allowed = _flavoured(contentUsage="train-ai=y")
    report = report_on(shell, allowed, "--fetch-contexts", "--use", "train-gen")
    assert report["coverage"]["optOuts"][0]["inRdf"] is True
    assert [row["answer"] for row in report["effective"]] == [None]


def test_a_context_behind_a_context_is_fetched_too(shell: Shell) -> None:
    """Contexts that a fetched one names are fetched, a loop once; a bundled one is not asked for."""
    words = _words(shell)
    inner = "https://words.example/v2"
    words.serve(STRANGE, json.dumps({"@context": [inner, AS2]}), content_type="application/ld+json")
    words.serve(inner, json.dumps({"@context": {"flavour": "urn:x:flavour"}}), content_type="application/json")
    report = report_on(shell, _flavoured(), "--fetch-contexts")
    assert words.gets == ["/v1", "/v2"]
    assert report["contexts"]["fetched"] == [STRANGE, inner]
    assert _row(report, "/flavour")["meaning"] == "urn:x:flavour"


@pytest.mark.parametrize(
    ("body", "status", "media", "says"),
    [
        ("{}", 404, "application/ld+json", "status 404 at https://words.example/v1"),
        ("{}", 500, "application/ld+json", "status 500"),
        ("<html>", 200, "text/html", "content type text/html at https://words.example/v1"),
        ("{}", 200, "", "content type none"),
        ("{}", 200, "application/ld+json", "holds no @context"),
        ("[", 200, "application/ld+json", "JSON"),
        (f'{{"@context": "{"x" * 600_000}"}}', 200, "application/ld+json", "524288"),
    ],
    ids=["404", "500", "a page", "untyped", "no context", "no JSON", "too large"],
)
def test_a_context_that_cannot_be_fetched_says_why(shell: Shell, body: str, status: int, media: str, says: str) -> None:
    """Status, content type, size or content: the reason stands beside the context, which is taken as empty."""
    _words(shell).serve(STRANGE, body, status, media)
    report = report_on(shell, _flavoured(), "--fetch-contexts")
    assert report["contexts"]["failed"].keys() == {STRANGE}
    assert says in report["contexts"]["failed"][STRANGE]
    assert (report["contexts"]["fetched"], report["contexts"]["changed"]) == ([], [])
    assert "value" in report["forms"]["nquads"]
    told = told_about(shell, _flavoured(), "--fetch-contexts")
    assert f"unknown  {STRANGE}: taken as empty (" in told
    assert says in told


def test_a_host_that_does_not_answer_is_a_reason_too(shell: Shell) -> None:
    """A context on a silent host fails like any other."""
    report = report_on(shell, _flavoured(), "--fetch-contexts")
    assert "does not resolve" in report["contexts"]["failed"][STRANGE]


def test_one_use_and_one_consumer(shell: Shell) -> None:
    """--use asks about one category, --consumer for whom; all categories otherwise."""
    audience = {"kind": "domain", "value": "good.example"}
    author = {"kind": "author", "id": UNDEFINED["attributedTo"]}
    statements = [
        {"prefs": {"search": "n"}, "declaredBy": author},
        {"prefs": {"train-gen": "n"}, "audience": audience, "declaredBy": author},
    ]
    usage = {"v": 1, "prefs": {"search": "n"}, "statements": statements}
    document = {**DEFINED, "contentUsage": "search=n", "aiUsage": usage}
    everything = report_on(shell, document)["effective"]
    assert [row["category"] for row in everything] == list(Category)
    assert {row["category"]: row["answer"] for row in everything if row["answer"]} == {"search": "n"}
    (one,) = report_on(shell, document, "--use", "train-gen", "--consumer", "good.example")["effective"]
    assert (one["category"], one["answer"], one["consumer"]) == ("train-gen", "n", "good.example")
    (other,) = report_on(shell, document, "--use", "train-gen", "--consumer", "other.example")["effective"]
    assert (other["answer"], other["because"][0]["effect"]) == (None, "other-audience")
    assert "Unknown category" in shell.fails(2, "inspect", "-", "--use", "training")


@pytest.mark.parametrize("visibility", ["public", "followers", "direct"])
def test_our_own_come_from_the_database(shell: Shell, visibility: str) -> None:
    """Posts of any visibility, their activities and accounts are shown as they would be served; nothing is fetched."""
    shell.json("account", "create", "alice")
    post = shell.json("post", "create", "alice", "hello", "--visibility", visibility)
    for url in (post["id"], post["activity"], "https://gw.example/users/alice"):
        report = shell.json("inspect", url)
        assert (report["source"]["url"], report["source"]["status"]) == (url, None)
        assert report["document"]["id"] == url
        assert report["problems"] == []
        assert not report["readers"]["differ"]
        assert all(row["inRdf"] for row in report["coverage"]["optOuts"])
        assert {row["category"]: row["answer"] for row in report["effective"]}["train-gen"] == "n"
    assert shell.board.requests == []
    assert "nothing" in shell.fails(3, "inspect", "https://gw.example/posts/2222222222222")


@pytest.mark.parametrize("target", ["did:plc:abc", "at://did:plc:abc/app.bsky.feed.post/1"])
def test_the_other_network_is_for_later(shell: Shell, target: str) -> None:
    """A DID or at-uri is said not to be looked up yet."""
    assert "cannot be looked up yet" in shell.fails(2, "inspect", target)


def test_what_cannot_be_had_has_its_exit_code(shell: Shell) -> None:
    """A missing document, a refusing or a silent server and a missing file end in one sentence."""
    shell.peer().serve("/shut", "go away", 403)
    shell.fails(3, "inspect", "https://peer.example/nothing")
    assert "go away" in shell.fails(4, "inspect", "https://peer.example/shut")
    shell.fails(6, "inspect", "https://silent.example/x")
    assert "/nothing.json" in shell.fails(2, "inspect", "/nothing.json")


@pytest.mark.parametrize(
    ("body", "code"),
    [("{", "not-json"), ("[]", "not-an-object"), ('"x"', "not-an-object"), ('{"a":1,"a":2}', "not-json")],
)
def test_what_is_no_document_is_still_reported(shell: Shell, body: str, code: str) -> None:
    """The report says what is wrong and that the gateway would refuse it."""
    report = shell.json("inspect", "-", stdin=body)
    assert report.keys() == MEMBERS
    assert [problem["code"] for problem in report["problems"]] == [code]
    assert (report["document"], report["forms"]) == (None, {"raw": {"value": body}})
    assert report["decision"]["would"][0]["effect"] == "refuse"
    told = shell.run("inspect", "-", stdin=body).stdout
    assert report["problems"][0]["sentence"] in told


def test_problems_are_told_with_their_place(shell: Shell) -> None:
    """Every rule of ActivityStreams that is broken is one line with a pointer."""
    document = {**DEFINED, "content": 1, "published": "yesterday", "url": "/relative"}
    report = report_on(shell, document)
    assert {p["pointer"]: p["code"] for p in report["problems"]} == {
        "/content": "text-type", "/published": "date-type", "/url": "relative-url",
    }  # fmt: skip
    told = told_about(shell, document)
    assert all(f"  {p['pointer']}  {p['sentence']}\n" in told for p in report["problems"])


def test_the_decision_about_the_peer_is_told(shell: Shell) -> None:
    """What the gateway would do with an activity now, and what it thinks of its server."""
    peer = shell.peer()
    like = peer.activity("Like", "https://gw.example/posts/2222222222222")
    before = report_on(shell, like)["decision"]
    assert (before["peer"], before["about"]["action"]) == ("https://peer.example", "allow")
    shell.json("peers", "refuse", "peer.example")
    after = report_on(shell, like)["decision"]
    assert (after["about"]["action"], after["about"]["reason"]) == ("refuse", "refused-by-rule")
    assert "https://peer.example: refuse (refused-by-rule: " in told_about(shell, like)

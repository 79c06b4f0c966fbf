"""``gateway inspect``: everything about one document, and bombs that must not keep it busy."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from jsonld.loading import pinned
from peers.plain import ACTIVITY_JSON, AS2, CONTEXT
from processes import CHECKOUT

from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.jsonld import views
from gateway.preferences import Category
from gateway.signatures import proof

if TYPE_CHECKING:
    from cli.conftest import Shell
    from peers.plain import PlainPeer

MEMBERS = {
    "source", "problems", "document", "forms", "contexts", "coverage", "readers", "signatures", "statements",
    "carrierProblems", "effective", "decision",
}  # fmt: skip
NOTE = "https://peer.example/notes/1"
UNDEFINED = {
    "@context": [AS2],
    "id": NOTE,
    "type": "Note",
    "attributedTo": "https://peer.example/users/bob",
    "content": "<p>hello</p>",
    "contentUsage": "train-ai=n",
}
DEFINED = {**UNDEFINED, "@context": [AS2, dict(TERMS)]}
STRANGE = "https://words.example/v1"
SAME = "Readers of plain JSON and JSON-LD readers find the same preferences."
DIFFERENT = (
    "Readers of plain JSON and JSON-LD readers find different preferences at the document itself. This gateway counts"
    " every no of both, and a yes only where both find it."
)


def _report(shell: Shell, document: object, *options: str) -> Any:
    """Inspect a document given on standard input."""
    return shell.json("inspect", "-", *options, stdin=json.dumps(document))


def _told(shell: Shell, document: object, *options: str) -> str:
    """Return what people read about a document."""
    result = shell.run("inspect", "-", *options, stdin=json.dumps(document))
    assert result.exit_code == 0, result.output
    return result.stdout


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
    reports = [shell.json("inspect", NOTE), shell.json("inspect", str(file)), _report(shell, DEFINED)]
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
    report = _report(shell, UNDEFINED)
    (optout,) = report["coverage"]["optOuts"]
    assert (optout["pointer"], optout["inRdf"], optout["inJcs"]) == ("/contentUsage", False, True)
    assert "is undefined in its context: no RDF-canonical signature" in optout["sentence"]
    assert "Only a JCS proof (eddsa-jcs-2022) would cover it." in optout["sentence"]
    assert "/contentUsage" in report["coverage"]["notInRdf"]
    assert "train-ai" not in report["forms"]["nquads"]["value"]
    assert report["readers"]["sentence"] == DIFFERENT
    (node,) = report["readers"]["nodes"]
    assert (node["plain"], node["jsonLd"], node["counts"]) == ({"train-gen": "n"}, {}, {"train-gen": "n"})
    told = _told(shell, UNDEFINED)
    assert optout["sentence"] in told
    assert DIFFERENT in told
    assert "not covered  /contentUsage  (_:contentUsage)" in told


def test_everything_else_of_it_is_covered(shell: Shell) -> None:
    """One undefined term takes nothing from the values beside it: the id, the type and the text stay covered."""
    report = _report(shell, UNDEFINED)
    assert report["coverage"]["notInRdf"] == ["/contentUsage"]
    assert f"<{NOTE}>" in report["forms"]["nquads"]["value"]
    assert "4 of 5 values keep a meaning" in _told(shell, UNDEFINED)


def test_a_term_defined_inline_is_covered(shell: Shell) -> None:
    """Defined in the document's own context a term means something, is signed, and reads the same for everybody."""
    report = _report(shell, DEFINED)
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
    told = _told(shell, DEFINED)
    assert SAME in told
    assert "contentUsage means https://w3id.org/fep/1e38#contentUsage: RDF-canonical signatures and JCS proofs" in told
    assert "5 of 5 values keep a meaning" in told


def test_nothing_stated_is_said(shell: Shell) -> None:
    """A document without preferences says so, in every section."""
    told = _told(shell, {name: value for name, value in UNDEFINED.items() if name != "contentUsage"})
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
    report = _report(shell, _flavoured())
    assert report["contexts"] == {"bundled": [AS2], "unknown": [STRANGE], "fetched": [], "failed": {}, "changed": []}
    assert _row(report, "/flavour")["state"] == "blank"
    assert f"unknown  {STRANGE}: taken as empty" in _told(shell, _flavoured())
    assert shell.board.requests == []


def test_an_unknown_context_is_fetched_when_asked(shell: Shell) -> None:
    """--fetch-contexts asks for it once, as JSON-LD, and lists each value whose meaning it changes."""
    words = _words(shell)
    terms = {"flavour": "https://words.example/v1#flavour", "contentUsage": "https://words.example/v1#other"}
    words.serve(STRANGE, json.dumps({"@context": terms}), content_type="application/ld+json")
    report = _report(shell, _flavoured(), "--fetch-contexts")
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
    told = _told(shell, _flavoured(), "--fetch-contexts")
    assert f"unknown  {STRANGE}: fetched" in told
    assert f"changes  /flavour: _:flavour -> {terms['flavour']}" in told


def test_what_is_fetched_decides_nothing(shell: Shell) -> None:
    """A fetched context shows what other readers see; what counts here is read with bundled contexts alone."""
    terms = {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}
    _words(shell).serve(STRANGE, json.dumps({"@context": terms}), content_type="application/ld+json")
    allowed = _flavoured(contentUsage="train-ai=y")
    report = _report(shell, allowed, "--fetch-contexts", "--use", "train-gen")
    assert report["coverage"]["optOuts"][0]["inRdf"] is True
    assert [row["answer"] for row in report["effective"]] == [None]


def test_a_context_behind_a_context_is_fetched_too(shell: Shell) -> None:
    """Contexts that a fetched one names are fetched, a loop once; a bundled one is not asked for."""
    words = _words(shell)
    inner = "https://words.example/v2"
    words.serve(STRANGE, json.dumps({"@context": [inner, AS2]}), content_type="application/ld+json")
    words.serve(inner, json.dumps({"@context": {"flavour": "urn:x:flavour"}}), content_type="application/json")
    report = _report(shell, _flavoured(), "--fetch-contexts")
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
    report = _report(shell, _flavoured(), "--fetch-contexts")
    assert report["contexts"]["failed"].keys() == {STRANGE}
    assert says in report["contexts"]["failed"][STRANGE]
    assert (report["contexts"]["fetched"], report["contexts"]["changed"]) == ([], [])
    assert "value" in report["forms"]["nquads"]
    told = _told(shell, _flavoured(), "--fetch-contexts")
    assert f"unknown  {STRANGE}: taken as empty (" in told
    assert says in told


def test_a_host_that_does_not_answer_is_a_reason_too(shell: Shell) -> None:
    """A context on a silent host fails like any other."""
    report = _report(shell, _flavoured(), "--fetch-contexts")
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
    everything = _report(shell, document)["effective"]
    assert [row["category"] for row in everything] == list(Category)
    assert {row["category"]: row["answer"] for row in everything if row["answer"]} == {"search": "n"}
    (one,) = _report(shell, document, "--use", "train-gen", "--consumer", "good.example")["effective"]
    assert (one["category"], one["answer"], one["consumer"]) == ("train-gen", "n", "good.example")
    (other,) = _report(shell, document, "--use", "train-gen", "--consumer", "other.example")["effective"]
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
    report = _report(shell, document)
    assert {p["pointer"]: p["code"] for p in report["problems"]} == {
        "/content": "text-type", "/published": "date-type", "/url": "relative-url",
    }  # fmt: skip
    told = _told(shell, document)
    assert all(f"  {p['pointer']}  {p['sentence']}\n" in told for p in report["problems"])


# Proofs and signatures.


def _signed(peer: PlainPeer, **changes: Any) -> dict[str, Any]:
    note = {**DEFINED, "@context": [*CONTEXT, dict(TERMS)], "attributedTo": peer.me.id, **changes}
    return proof.attach(note, peer.me.ed25519, f"{peer.me.id}#ed25519-key", datetime.now(UTC))


def test_a_proof_holds(shell: Shell) -> None:
    """eddsa-jcs-2022 is checked with the key that the actor lists; only --fetch-keys looks for an unknown one."""
    peer = shell.peer()
    document = _signed(peer)
    (unknown,) = _report(shell, document)["signatures"]
    assert (unknown["ok"], next(s["name"] for s in unknown["steps"] if not s["ok"])) == (False, "owner")
    assert {"name": "key", "expected": "listed by its owner at the owner's own id", "found": "not found",
            "ok": False} in unknown["steps"]  # fmt: skip
    assert shell.board.requests == []
    report = _report(shell, document, "--fetch-keys")
    (found,) = report["signatures"]
    assert (found["pointer"], found["scheme"], found["ok"]) == ("/proof", "proof", True)
    assert found["keyId"] == f"{peer.me.id}#ed25519-key"
    assert all(step["ok"] for step in found["steps"])
    assert [step["name"] for step in found["steps"]][-2:] == ["key", "signature"]
    assert set(peer.gets) == {"/users/bob"}
    assert "Its JCS proof covers it" not in report["coverage"]["optOuts"][0]["sentence"]
    assert report["coverage"]["jcs"]["notCovered"] == ["/proof"]
    jcs = hashlib.sha256(proof.canonical_json({k: v for k, v in document.items() if k != "proof"})).hexdigest()
    assert report["coverage"]["jcs"]["sha256"] == jcs
    assert found["signingString"].endswith(jcs)
    assert "Signature at /proof: proof, holds" in _told(shell, document, "--fetch-keys")


def test_a_proof_covers_an_undefined_term(shell: Shell) -> None:
    """Where a JCS proof stands, it is said to cover the term that RDF would lose."""
    document = _signed(shell.peer(), **{"@context": CONTEXT})
    (optout,) = _report(shell, document, "--fetch-keys")["coverage"]["optOuts"]
    assert optout["sentence"].endswith("Its JCS proof covers it.")


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"content": "<p>other</p>"}, ["signature"]),
        ({"contentUsage": "train-ai=y"}, ["signature"]),
        ({"attributedTo": "https://peer.example/users/eve"}, ["owner", "signature"]),
        ({"proof": {"proofPurpose": "authentication"}}, ["purpose", "signature"]),
        ({"proof": {"cryptosuite": "eddsa-rdfc-2022"}}, ["suite", "signature"]),
        ({"proof": {"expires": "2020-01-01T00:00:00Z"}}, ["expires", "signature"]),
        ({"proof": {"created": "2020-01-01T00:00:00Z"}}, ["signature"]),
        ({"proof": {"verificationMethod": "https://peer.example/users/bob#lost"}}, ["owner", "key", "signature"]),
    ],
)  # fmt: skip
def test_a_tampered_proof_names_the_step(shell: Shell, changes: dict[str, Any], failed: list[str]) -> None:
    """Whatever was changed after signing, the steps that do not hold are marked."""
    document = _signed(shell.peer())
    changed = {**document, **changes, "proof": {**document["proof"], **changes.get("proof", {})}}
    (found,) = _report(shell, changed, "--fetch-keys")["signatures"]
    assert not found["ok"]
    assert [step["name"] for step in found["steps"] if not step["ok"]] == failed
    told = _told(shell, changed, "--fetch-keys")
    assert "Signature at /proof: proof, does not hold" in told
    assert all(f"  NO  {name}: " in told for name in failed)


def test_a_proof_of_another_actor_does_not_hold(shell: Shell) -> None:
    """A good proof by somebody else on the same server says nothing about the author."""
    peer = shell.peer()
    eve = peer.actor("eve")
    note = {**DEFINED, "attributedTo": peer.me.id}
    document = proof.attach(note, eve.ed25519, f"{eve.id}#ed25519-key", datetime.now(UTC))
    (found,) = _report(shell, document, "--fetch-keys")["signatures"]
    assert "owner" in [step["name"] for step in found["steps"] if not step["ok"]]


def test_proofs_on_the_object_inside_are_judged(shell: Shell) -> None:
    """Several proofs and those of an embedded object are each judged where they stand."""
    peer = shell.peer()
    note = _signed(peer)
    activity = {**peer.activity("Create", note), "@context": [*CONTEXT, dict(TERMS)]}
    whole = proof.attach(activity, peer.me.ed25519, f"{peer.me.id}#ed25519-key", datetime.now(UTC))
    made: Any = whole["proof"]
    twice = {**whole, "proof": [made, {**made, "proofPurpose": "authentication"}]}
    found = _report(shell, twice, "--fetch-keys")["signatures"]
    assert [(one["pointer"], one["ok"]) for one in found] == [
        ("/proof/0", True), ("/proof/1", False), ("/object/proof", True),
    ]  # fmt: skip


def _linked(peer: PlainPeer, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with an RsaSignature2017, made step by step as the specification of old says."""
    options = {"creator": peer.me.key_id, "created": "2026-11-25T09:00:00Z"}
    quads = [
        views.canonical({"@context": "https://w3id.org/identity/v1", **options}, pinned()),
        views.canonical(document, pinned()),
    ]
    text = "".join(hashlib.sha256(part.encode()).hexdigest() for part in quads)
    value = base64.b64encode(peer.me.rsa.sign(text.encode())).decode()
    return {**document, "signature": {"type": "RsaSignature2017", **options, "signatureValue": value}}


def _announced(peer: PlainPeer) -> dict[str, Any]:
    note = {name: value for name, value in UNDEFINED.items() if name != "@context"}
    return {**peer.activity("Create", note), "@context": [AS2, "https://w3id.org/security/v1"]}


def test_an_rsa_signature_of_2017_holds(shell: Shell) -> None:
    """A Linked Data Signature is checked over canonical quads; it holds whatever happens to terms without meaning."""
    peer = shell.peer()
    document = _linked(peer, _announced(peer))
    (found,) = _report(shell, document, "--fetch-keys")["signatures"]
    assert (found["pointer"], found["scheme"], found["ok"]) == ("/signature", "rsa-signature-2017", True), found
    assert found["keyId"] == peer.me.key_id
    assert len(found["signingString"]) == 128
    loosened = {**document, "object": {**document["object"], "contentUsage": "train-ai=y"}}
    report = _report(shell, loosened, "--fetch-keys")
    assert report["signatures"][0]["ok"]
    assert "This document carries such a signature." in report["coverage"]["optOuts"][0]["sentence"]
    assert "Signature at /signature: rsa-signature-2017, holds" in _told(shell, document, "--fetch-keys")


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda d: {**d, "type": "Update"}, ["signature"]),
        (lambda d: {**d, "object": {**d["object"], "content": "x"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "created": "2026-11-25T09:00:01Z"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "signatureValue": "?"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "type": "RsaSignature2018"}}, ["type", "signature"]),
        (lambda d: {**d, "actor": "https://peer.example/users/eve"}, ["owner", "signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "creator": "https://peer.example/users/bob#lost"}},
         ["key", "owner", "signature"]),
        (lambda d: {**d, "signature": "none"}, ["type", "key", "owner", "signature"]),
    ],
)  # fmt: skip
def test_a_tampered_rsa_signature_of_2017_does_not_hold(shell: Shell, change: Any, failed: list[str]) -> None:
    """What the quads hold is protected, and so are the options."""
    peer = shell.peer()
    (found,) = _report(shell, change(_linked(peer, _announced(peer))), "--fetch-keys")["signatures"]
    assert [step["name"] for step in found["steps"] if not step["ok"]] == failed


def test_the_decision_about_the_peer_is_told(shell: Shell) -> None:
    """What the gateway would do with an activity now, and what it thinks of its server."""
    peer = shell.peer()
    like = peer.activity("Like", "https://gw.example/posts/2222222222222")
    before = _report(shell, like)["decision"]
    assert (before["peer"], before["about"]["action"]) == ("https://peer.example", "allow")
    shell.json("peers", "refuse", "peer.example")
    after = _report(shell, like)["decision"]
    assert (after["about"]["action"], after["about"]["reason"]) == ("refuse", "refused-by-rule")
    assert "https://peer.example: refuse (refused-by-rule: " in _told(shell, like)


# Documents made to keep a server busy, looked at by a real process.


def _graph(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@context": {"p": "urn:p"}, "@graph": nodes}


def _complete(size: int) -> dict[str, Any]:
    """Return a complete graph of blank nodes: nobody can tell them apart."""
    return _graph([{"@id": f"_:{i}", "p": [{"@id": f"_:{j}"} for j in range(size) if j != i]} for i in range(size)])


def _bipartite(size: int) -> dict[str, Any]:
    return _graph([{"@id": f"_:a{i}", "p": [{"@id": f"_:b{j}"} for j in range(size)]} for i in range(size)])


def _symmetric(width: int) -> dict[str, Any]:
    """Return many nodes without a name, all alike."""
    return {"@context": {"p": "urn:p"}, "p": [{"p": [{} for _ in range(width)]} for _ in range(width)]}


def _nested(width: int) -> dict[str, Any]:
    """Return lists in lists of nodes without a name."""
    terms = {"p": {"@id": "urn:p"}, "l": {"@id": "urn:l", "@container": "@list"}}
    return {"@context": terms, "p": [{"l": [[{}] * width, [{}] * width]} for _ in range(width)]}


EXTRA_SECONDS = 1.0  # beyond what the command takes anyway, measured beside it
BOMBS = {
    "complete graph": _complete(9),
    "bipartite graph": _bipartite(8),
    "symmetric nodes": _symmetric(18),
    "nested lists": _nested(12),
}


def _children_left(mark: str) -> list[str]:
    """Return the processes that look at documents with ``mark`` in their environment, whoever their parent is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
            marked = mark.encode() in (path.parent / "environ").read_bytes()
        except OSError:
            continue
        if marked and b"gateway.flows.bounded" in text:
            found.append(path.parent.name)
    return found


def _timed(data: Path, body: bytes) -> tuple[float, subprocess.CompletedProcess[bytes]]:
    """Inspect with a process of its own; return how long it took and how it ended, when nobody lives on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    mark = f"{data}-{time.monotonic_ns()}"
    environment = {**kept, "PYTHONPATH": str(CHECKOUT), "GATEWAY_BASE_URL": "https://gw.example", "TEST_MARK": mark}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "inspect", "-", "--json", "--data", str(data)], input=body,
        capture_output=True, env=environment, cwd=data.parent, timeout=60, check=False,
    )  # fmt: skip
    took = time.monotonic() - started
    assert _children_left(mark) == []
    return took, done


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_at_once(tmp_path: Path, name: str) -> None:
    """A kilobyte made to be canonicalised for ever costs a second more than nothing, and ends in a clear error."""
    body = json.dumps(BOMBS[name], separators=(",", ":")).encode()
    assert 900 < len(body) < 1300
    harmless, _ = _timed(tmp_path / "data", b"{}")
    took, done = _timed(tmp_path / "data", body)
    assert done.returncode == 1, done.stderr
    assert b"takes too long: stopped" in done.stderr
    report = json.loads(done.stdout)
    assert "takes too long: stopped" in report["forms"]["nquads"]["problem"]
    assert "value" in report["forms"]["expanded"]
    assert report["coverage"]["problem"] is None
    assert took - harmless < EXTRA_SECONDS * yardstick.slowness()


def test_a_bomb_in_the_options_of_a_signature_is_stopped_too(tmp_path: Path) -> None:
    """What counts only where the signature is checked, is stopped there; the signature does not hold."""
    ring = _complete(9)["@graph"]
    hidden = {"@context": {"urn:p": None, "urn:q": None}, "urn:q": [
        {"@id": node["@id"], "urn:p": node["p"]} for node in ring
    ]}  # fmt: skip
    document = {**UNDEFINED, "signature": {**hidden, "type": "RsaSignature2017", "creator": "https://peer.example/k"}}
    harmless, _ = _timed(tmp_path / "data", b"{}")
    took, done = _timed(tmp_path / "data", json.dumps(document).encode())
    (found,) = json.loads(done.stdout)["signatures"]
    assert "canonical" in [step["name"] for step in found["steps"] if not step["ok"]]
    assert took - harmless < 2 * EXTRA_SECONDS * yardstick.slowness()


def test_nesting_without_end_is_no_document(tmp_path: Path) -> None:
    """Five hundred lists in each other are not even read as JSON."""
    body = b'{"@context":{"p":{"@id":"urn:p","@container":"@list"}},"p":' + b"[" * 500 + b"]" * 500 + b"}"
    _, done = _timed(tmp_path / "data", body)
    assert [problem["code"] for problem in json.loads(done.stdout)["problems"]] == ["not-json"]

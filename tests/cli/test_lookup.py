"""``gateway lookup``: one document in the form that is asked for, byte for byte where bytes matter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from peers.plain import ACTIVITY_JSON, AS2

from gateway.carriers.jsonld_terms import CONTEXT as TERMS

if TYPE_CHECKING:
    from cli.conftest import Shell

NOTE = "https://peer.example/notes/1"
DOCUMENT = {
    "type": "Note",
    "@context": [AS2, dict(TERMS)],
    "id": NOTE,
    "attributedTo": "https://peer.example/users/bob",
    "content": "<p>日本語</p>",
    "contentUsage": "train-ai=n",
}
# Spelled as no serialiser would: the bytes must come through as they are.
BODY = json.dumps(DOCUMENT, ensure_ascii=False, indent=3).replace("日", "\\u65e5").encode() + b"\r\n "
STRANGE = "https://words.example/v1"
BARE_STRANGE = {**DOCUMENT, "@context": [AS2, STRANGE], "flavour": "sweet"}
USAGE = "https://w3id.org/fep/1e38#contentUsage"
FORMS = ("--raw", "--compact", "--expanded", "--nquads", "--jcs")


@pytest.fixture(autouse=True)
def _served(shell: Shell) -> None:
    shell.peer().serve(NOTE, BODY, content_type=f"{ACTIVITY_JSON}; charset=utf-8")


def _printed(shell: Shell, *words: str) -> bytes:
    """Return the bytes on stdout of a run that must succeed."""
    result = shell.run("lookup", *words)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_the_document_is_printed_as_json(shell: Shell) -> None:
    """Without a form it is the JSON as it was read, in its order; where it came from goes to stderr."""
    result = shell.run("lookup", NOTE)
    assert json.loads(result.stdout) == DOCUMENT
    assert list(json.loads(result.stdout)) == list(DOCUMENT)
    assert result.stderr == f"{NOTE}: 200, {ACTIVITY_JSON}; charset=utf-8\n"
    assert shell.run("lookup", NOTE, "-q").stderr == ""


def test_raw_is_exactly_what_came(shell: Shell) -> None:
    """Not a byte is added, lost or spelled otherwise, whatever the media type."""
    assert _printed(shell, NOTE, "--raw") == BODY
    strange = bytes(range(256))
    peer = shell.peer()
    peer.serve("/file", strange, content_type="application/octet-stream")
    assert _printed(shell, f"{peer.base}/file", "--raw") == strange


def test_expanded(shell: Shell) -> None:
    """The expanded form has every term as an IRI."""
    (node,) = json.loads(_printed(shell, NOTE, "--expanded"))
    assert node["@id"] == NOTE
    assert node[USAGE] == [{"@value": "train-ai=n"}]
    assert node[f"{AS2}#content"] == [{"@value": "<p>日本語</p>"}]


def test_compact(shell: Shell) -> None:
    """The compacted form has our own context, whatever prefix its author used, and ids that stand alone."""
    other = {**DOCUMENT, "@context": [AS2, {"x": "https://w3id.org/fep/1e38#"}], "x:contentUsage": "train-ai=n"}
    del other["contentUsage"]
    shell.peer().serve_document(NOTE, other)
    found = json.loads(_printed(shell, NOTE, "--compact"))
    assert found["@context"][0] == AS2
    assert found["contentUsage"] == "train-ai=n"
    assert (found["id"], found["attributedTo"]) == (NOTE, DOCUMENT["attributedTo"])


def test_nquads(shell: Shell) -> None:
    """N-Quads are printed sorted, one a line, in UTF-8."""
    lines = _printed(shell, NOTE, "--nquads").decode().splitlines()
    assert lines == sorted(lines)
    assert f'<{NOTE}> <{USAGE}> "train-ai=n" .' in lines
    assert f'<{NOTE}> <{AS2}#content> "<p>日本語</p>" .' in lines
    assert len(lines) == 4


def test_jcs(shell: Shell) -> None:
    """Canonical JSON is printed byte for byte, without even a line end."""
    assert _printed(shell, NOTE, "--jcs") == rfc8785.dumps(DOCUMENT)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["", *FORMS])
def test_with_json_each_form_is_wrapped(shell: Shell, form: str) -> None:
    """--json prints one document that says where it came from and holds what would have been printed alone."""
    words = [NOTE, form] if form else [NOTE]
    found = shell.json("lookup", *words)
    assert found.keys() == {"url", "status", "content_type", "signed", "form", "value"}
    assert (found["url"], found["status"], found["signed"]) == (NOTE, 200, None)
    assert (found["content_type"], found["form"]) == (f"{ACTIVITY_JSON}; charset=utf-8", form[2:] or "json")
    alone = _printed(shell, *words).decode()
    assert found["value"] == (alone if form in ("--raw", "--jcs", "--nquads") else json.loads(alone))
    assert json.loads(shell.run("lookup", *words, "--jsonl").stdout) == found


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_two_forms_at_once_are_a_wrong_use(shell: Shell, first: str, second: str) -> None:
    """The error names both, and nobody is asked."""
    if first == second:
        return
    said = shell.fails(2, "lookup", NOTE, first, second)
    assert "Choose one form" in said
    assert first in said
    assert second in said
    assert shell.board.requests == []


@pytest.mark.parametrize(
    "target", ["did:plc:abc", "did:web:peer.example", "at://did:plc:abc", "at://bob.example/app.bsky.feed.post/1"]
)
def test_the_other_network_is_for_later(shell: Shell, target: str) -> None:
    """DIDs and at-uris exit with 2 and say so."""
    assert "AT Protocol addresses cannot be looked up yet" in shell.fails(2, "lookup", target)
    assert shell.board.requests == []


@pytest.mark.parametrize("target", ["", "nonsense", "ftp://peer.example/x", "https://", "https://a b/", "@bob"])
def test_what_is_no_address_is_a_wrong_use(shell: Shell, target: str) -> None:
    """Neither URL nor handle: one sentence, exit 2."""
    assert shell.fails(2, "lookup", target).startswith("gateway: ")


def test_a_fragment_is_left_at_home(shell: Shell) -> None:
    """The document that a key or part is in is fetched."""
    shell.json("lookup", f"{NOTE}#main-key")
    assert str(shell.board.requests[-1].url) == NOTE


def test_an_address_with_other_letters_is_asked_for_as_it_must_be(shell: Shell) -> None:
    """What a person pastes becomes a URI on the wire."""
    peer = shell.peer("bücher.example", "bea")
    peer.serve("/users/日本", BODY, content_type=ACTIVITY_JSON)
    assert shell.json("lookup", "https://bücher.example/users/日本")["value"] == DOCUMENT
    assert shell.board.requests[-1].headers["host"] == "xn--bcher-kva.example"
    assert shell.board.requests[-1].url.raw_path == b"/users/%E6%97%A5%E6%9C%AC"


def test_unknown_contexts_are_told_and_fetched_only_when_asked(shell: Shell) -> None:
    """Without --fetch-contexts they count as empty; with it the peer is asked once, and a failure says why."""
    peer, words = shell.peer(), shell.peer("words.example", "wendy")
    peer.serve_document(NOTE, BARE_STRANGE)
    result = shell.run("lookup", NOTE, "--expanded")
    assert json.loads(result.stdout)[0]["_:flavour"] == [{"@value": "sweet"}]
    assert f"unknown context {STRANGE}: taken as empty; see --fetch-contexts" in result.stderr
    assert words.gets == []
    failed = shell.run("lookup", NOTE, "--expanded", "--fetch-contexts")
    assert failed.exit_code == 0
    assert f"unknown context {STRANGE}: taken as empty (status 404 at {STRANGE})" in failed.stderr
    context = {"@context": {"flavour": "urn:x:flavour"}}
    words.serve(STRANGE, json.dumps(context), content_type="application/ld+json")
    known = shell.run("lookup", NOTE, "--nquads", "--fetch-contexts")
    assert f'<{NOTE}> <urn:x:flavour> "sweet" .' in known.stdout
    assert f"unknown context {STRANGE}: fetched" in known.stderr
    assert words.gets == ["/v1", "/v1"]


@pytest.mark.parametrize("form", ["", "--raw", "--jcs"])
def test_forms_that_need_no_context_ask_for_none(shell: Shell, form: str) -> None:
    """As JSON, as bytes and as JCS a document needs no context, not even with --fetch-contexts."""
    shell.peer().serve_document(NOTE, BARE_STRANGE)
    _printed(shell, *([NOTE, form] if form else [NOTE]), "--fetch-contexts")
    assert [str(request.url) for request in shell.board.requests] == [NOTE]


@pytest.mark.parametrize(("scheme", "field"), [("cavage", "signature"), ("rfc9421", "signature-input")])
def test_a_request_is_signed_when_asked(shell: Shell, scheme: str, field: str) -> None:
    """--signed signs as the instance actor with either scheme, and says so."""
    assert shell.json("lookup", NOTE, "--signed", "--scheme", scheme)["signed"] == scheme
    assert "https://gw.example/actor#" in shell.board.requests[-1].headers[field]
    assert "Unknown scheme" in shell.fails(2, "lookup", NOTE, "--signed", "--scheme", "basic")


@pytest.mark.parametrize("visibility", ["public", "unlisted", "followers", "direct"])
def test_our_own_come_from_the_database(shell: Shell, visibility: str) -> None:
    """Posts, activities and accounts of ours are printed in every form without asking anybody."""
    shell.json("account", "create", "alice")
    post = shell.json("post", "create", "alice", "hello", "--visibility", visibility)
    for url in (post["id"], post["activity"], "https://gw.example/users/alice"):
        result = shell.run("lookup", url)
        assert json.loads(result.stdout)["id"] == url
        assert result.stderr == f"{url}: from the database, {ACTIVITY_JSON}\n"
        for form in FORMS:
            found = shell.json("lookup", url, form)
            assert (found["status"], found["signed"], found["url"]) == (None, None, url)
    shell.fails(3, "lookup", "https://gw.example/posts/2222222222222")
    shell.json("post", "delete", post["id"])
    assert shell.run("lookup", post["id"]).exit_code in (0, 3)
    assert shell.board.requests == []


@pytest.mark.parametrize(
    ("body", "media", "says"),
    [
        ("<html>", "text/html", "no ActivityStreams document; see --raw"),
        ("{}", "", "no ActivityStreams document; see --raw"),
        ("{}", "application/json", "no ActivityStreams document; see --raw"),
        ("{", ACTIVITY_JSON, "JSON"),
        ("[]", ACTIVITY_JSON, "object"),
        ('{"a":1,"a":2}', ACTIVITY_JSON, "twice"),
    ],
)
@pytest.mark.parametrize("form", ["", "--compact", "--jcs"])
def test_what_is_no_document_exits_with_6(shell: Shell, body: str, media: str, says: str, form: str) -> None:
    """Another server's page or broken JSON is said to be that; --raw shows it all the same."""
    peer = shell.peer()
    peer.serve("/x", body, content_type=media)
    assert says in shell.fails(6, "lookup", f"{peer.base}/x", *([form] if form else []))
    assert _printed(shell, f"{peer.base}/x", "--raw") == body.encode()


def test_a_document_that_is_no_json_ld_has_no_such_form(shell: Shell) -> None:
    """The reason is told; the other forms are there."""
    shell.peer().serve_document(NOTE, {**DOCUMENT, "@context": [AS2, {"content": 7}]})
    for form in ("--compact", "--expanded", "--nquads"):
        assert "JSON-LD" in shell.fails(2, "lookup", NOTE, form)
    assert b'"content":7' in _printed(shell, NOTE, "--jcs")


def test_a_bomb_is_stopped(shell: Shell) -> None:
    """A document made to be canonicalised for ever ends in a sentence, and nothing is printed."""
    ring: list[dict[str, Any]] = [
        {"@id": f"_:{i}", "urn:p": [{"@id": f"_:{j}"} for j in range(9) if j != i]} for i in range(9)
    ]
    shell.peer().serve_document(NOTE, {"@context": AS2, "@graph": ring})
    result = shell.run("lookup", NOTE, "--nquads")
    assert (result.exit_code in (1, 2), result.stdout) == (True, "")
    assert "takes too long: stopped" in result.stderr
    assert _printed(shell, NOTE, "--expanded")

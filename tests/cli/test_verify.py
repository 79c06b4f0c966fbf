"""``gateway verify``: captured requests are judged again, offline, step by step."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cli import captures
from cli.captures import ACTORS, BOB, BROKEN, CAROL, FORMS, KEY_ID, NOW, VALID, Broken, row, written
from signatures import crafting
from vectors.reading import HERE as VECTORS
from web.asking import ask
from world import World, account
from world import world as make_world

from gateway.flows import discover
from gateway.signatures import cavage, message
from gateway.signatures.capture import MAX_REQUESTS
from gateway.signatures.keys import RSA_PREFIX, base58_encode
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Shell
    from typer.testing import Result

INDEXED = tuple((case, FORMS[index % len(FORMS)]) for index, case in enumerate(BROKEN))
CORPUS = VECTORS / "corpus"
MEMBERS = {
    "request", "at", "ok", "status", "code", "detail", "scheme", "keyId", "keyFrom", "actor", "failed", "steps",
    "signingString",
}  # fmt: skip


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _save(shell: Shell, name: str, content: bytes | str) -> str:
    path = shell.data.parent / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def _keys(shell: Shell, keys: Any = None) -> str:
    return _save(shell, "keys.json", json.dumps([actor.document() for actor in ACTORS] if keys is None else keys))


def _verify(shell: Shell, form: str, request: SignedRequest, at: datetime = NOW, keys: Any = None) -> Result:
    """Verify a request at a time, with the keys of everybody unless others are given."""
    file = _save(shell, f"capture.{form}", written(form, request, at))
    more = ("--at", _time(at)) if form == "http" else ()
    return shell.run("verify", file, "--keys", _keys(shell, keys), "--json", *more)


def _one(result: Result, code: int) -> dict[str, Any]:
    """Return the document that a run printed; stdout is that document and nothing else, stderr nothing."""
    assert result.exit_code == code, (result.output, result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.stderr == ""
    return found


def test_the_table_is_large_and_fair() -> None:
    """At least thirty requests are broken, each in its own way, and every step is the failing one somewhere."""
    assert len({case.name for case in BROKEN}) == len(BROKEN) >= 30
    assert {case.failed for case in BROKEN} == {
        "signed", "algorithm", "coverage", "time-covered", "pairing", "present", "time", "digest", "key-url", "key",
        "signature", "headers", "body", "digest-covered", "tag", "parameters", "key-id", "components",
    }  # fmt: skip
    assert {form for _, form in INDEXED} == set(FORMS)


@pytest.mark.parametrize(("case", "form"), INDEXED, ids=[f"{case.name} ({form})" for case, form in INDEXED])
def test_a_broken_request_names_the_step_that_fails(shell: Shell, case: Broken, form: str) -> None:
    """The first step that does not hold is named, with what was expected and found, and the exit code is 5."""
    found = _one(_verify(shell, form, case.make(), case.at), 5)
    assert found.keys() == MEMBERS
    assert (found["failed"], found["ok"]) == (case.failed, False)
    assert found["status"] == (400 if case.failed in ("headers", "body") else 401)
    (first, *_) = (step for step in found["steps"] if not step["ok"])
    assert first["name"] == case.failed
    assert first["expected"]
    assert first["found"]
    assert first["found"] != first["expected"]
    assert found["at"] == _time(case.at)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALID)
def test_a_valid_request_verifies_in_every_form(shell: Shell, form: str, name: str) -> None:
    """Either scheme, either kind of key, POST and GET: every step holds, and the exit code is 0."""
    request = VALID[name]()
    found = _one(_verify(shell, form, request), 0)
    assert (found["ok"], found["failed"], found["code"]) == (True, None, "ok")
    assert found["status"] == (202 if request.method == "POST" else 200)
    assert found["scheme"] == name.partition("-")[0]
    assert (found["actor"], found["keyFrom"]) == (BOB.id, "given")
    assert found["keyId"] in (BOB.key_id, f"{BOB.id}#ed25519-key")
    assert all(step["ok"] for step in found["steps"])
    assert found["request"] == {"method": request.method, "target": request.target, "bytes": len(request.body)}


def test_the_signed_text_is_shown(shell: Shell) -> None:
    """What the signature is over is there line by line, in JSON and for people."""
    old, new = (_one(_verify(shell, "json", VALID[name]()), 0)["signingString"] for name in ("cavage", "rfc9421"))
    assert old.split("\n")[:2] == ["(request-target): post /users/alice/inbox", "host: gw.example"]
    assert new.split("\n")[:2] == ['"@method": POST', f'"@target-uri": {captures.INBOX}']
    assert new.split("\n")[-1].startswith('"@signature-params": ("@method" "@target-uri" "content-digest");created=')
    told = shell.run("verify", str(shell.data.parent / "capture.json"), "--keys", _keys(shell)).stdout
    assert "signed text:\n" in told
    assert all(f"  | {line}\n" in told for line in new.split("\n"))


def test_people_read_sentences(shell: Shell) -> None:
    """Without --json the request, the answer, the key and each step are one line each."""
    file = _save(shell, "one.json", written("json", captures.cavage(key=crafting.OTHER_RSA), NOW))
    result = shell.run("verify", file, "--keys", _keys(shell))
    assert (result.exit_code, result.stderr) == (5, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"POST {captures.INBOX}, {len(captures.BODY)} bytes of body, judged at {_time(NOW)}")
    assert lines[1] == "401 not-authenticated: a check does not hold"
    assert lines[2] == f"scheme cavage, key {KEY_ID} (given), actor {BOB.id}"
    assert "  NO  signature: expected made by that key over this request, found does not hold" in lines
    assert "  ok  digest: expected the digest of the body, found matches" in lines


def _multikey_rsa() -> str:
    """Return bob's RSA key as a Multikey, whatever library writes it."""
    pem = BOB.rsa.public.pem()
    der = base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))
    return "z" + base58_encode(RSA_PREFIX + der)


@pytest.mark.parametrize(
    "keys",
    [
        BOB.document(),
        [CAROL.document(), BOB.document()],
        {KEY_ID: BOB.rsa.public.pem()},
        {"https://peer.example/other": "nonsense", KEY_ID: BOB.rsa.public.pem()},
        {KEY_ID: _multikey_rsa()},
        [{KEY_ID: BOB.rsa.public.pem()}, CAROL.document()],
    ],
    ids=["an actor", "a list of actors", "a map to PEM", "a larger map", "a map to Multikey", "a mixed list"],
)
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_keys_are_given_in_many_forms(shell: Shell, keys: Any, scheme: str) -> None:
    """An actor, a list of actors and a map from key id to PEM or Multikey all hold the key."""
    found = _one(_verify(shell, "json", VALID[scheme](), keys=keys), 0)
    assert (found["keyFrom"], found["actor"]) == ("given", BOB.id)


def test_an_ed25519_key_is_given_as_multikey(shell: Shell) -> None:
    """A map from key id to an Ed25519 Multikey verifies a request that was signed with it."""
    keys = {f"{BOB.id}#ed25519-key": BOB.ed25519.public.multikey()}
    assert _one(_verify(shell, "json", VALID["rfc9421-ed25519"](), keys=keys), 0)["keyFrom"] == "given"


@pytest.mark.parametrize("keys", [BOB.document(), [BOB.document()], {KEY_ID: BOB.rsa.public.pem()}])
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_keys_come_with_the_capture(shell: Shell, keys: Any, form: str) -> None:
    """Keys that were captured beside a request are used when none are given."""
    indent = 1 if form == "json" else None
    file = _save(shell, f"one.{form}", json.dumps(row(captures.cavage(), NOW, keys=keys), indent=indent))
    found = shell.json("verify", file)
    assert (found["ok"], found["keyFrom"]) == (True, "capture")


def test_given_keys_go_before_captured_ones(shell: Shell) -> None:
    """What the developer gives outweighs what a capture brings along."""
    wrong = {KEY_ID: CAROL.rsa.public.pem()}
    file = _save(shell, "one.json", json.dumps(row(captures.cavage(), NOW, keys=wrong)))
    assert shell.json("verify", file, "--keys", _keys(shell))["keyFrom"] == "given"
    assert _one(shell.run("verify", file, "--json"), 5)["failed"] == "signature"


def _known(shell: Shell) -> None:
    """Let the gateway know bob."""
    gateway = shell.gateway()
    discover.keep_actor(gateway.kit, BOB.document())
    gateway.kit.store.close()


@pytest.mark.parametrize("name", ["cavage", "rfc9421-ed25519", "cavage-get", "rfc9421-get"])
def test_a_known_actor_needs_no_keys(shell: Shell, name: str) -> None:
    """Keys of actors that this gateway knows are found in its store, and nobody is asked."""
    file = _save(shell, "one.json", written("json", VALID[name](), NOW))
    assert _one(shell.run("verify", file, "--json"), 5)["failed"] == "key"
    _known(shell)
    assert shell.json("verify", file)["keyFrom"] == "known"
    assert shell.board.requests == []


@pytest.mark.parametrize("scheme", [cavage, message])
def test_our_own_account_needs_no_keys(shell: Shell, scheme: Any) -> None:
    """A GET that one of our own accounts signed is judged with its own key."""
    shell.json("account", "create", "alice")
    gateway = shell.gateway()
    alice = "https://gw.example/users/alice"
    bare = SignedRequest(method="GET", target=f"{alice}/outbox", headers=())
    signed = bare.with_headers(*scheme.sign(bare, gateway.kit.keyring.get(alice), f"{alice}#main-key", NOW))
    gateway.kit.store.close()
    found = shell.json("verify", _save(shell, "one.json", written("json", signed, NOW)))
    assert (found["ok"], found["keyFrom"], found["actor"]) == (True, "own", alice)


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_at_moves_the_clock(shell: Shell, scheme: str) -> None:
    """--at beats the capture's own time, in either direction; without any time it is judged now."""
    file = _save(shell, "one.json", written("json", VALID[scheme](), NOW))
    keys = ("--keys", _keys(shell), "--json")
    assert _one(shell.run("verify", file, *keys), 0)["at"] == _time(NOW)
    for late, code in ((0, 0), (4, 0), (64, 0), (66, 5), (24 * 60, 5), (-59, 0), (-61, 5)):
        moment = _time(NOW + timedelta(minutes=late))
        found = _one(shell.run("verify", file, "--at", moment, *keys), code)
        assert (found["at"], found["failed"]) == (moment, None if code == 0 else "time")
    timeless = _save(shell, "two.json", written("json", VALID[scheme]()))
    assert _one(shell.run("verify", timeless, "--at", "2020-01-01T00:00:00Z", *keys), 5)["failed"] == "time"
    assert _one(shell.run("verify", timeless, *keys), 5 if datetime.now(NOW.tzinfo) > NOW + timedelta(hours=2) else 0)


@pytest.mark.parametrize("moment", [NOW.timestamp(), int(NOW.timestamp()), _time(NOW), NOW.isoformat()])
@pytest.mark.parametrize("name", ["at", "t"])
def test_a_capture_says_when_it_came(shell: Shell, moment: object, name: str) -> None:
    """Seconds since 1970 and RFC 3339 are read under either name."""
    file = _save(shell, "one.json", json.dumps({**row(captures.cavage()), name: moment}))
    assert shell.json("verify", file, "--keys", _keys(shell))["at"] == _time(NOW)


def test_base_says_which_host_was_asked(shell: Shell) -> None:
    """Where the capture names a path only, --base is its origin; else it is https and the Host field."""
    request = captures.message()
    without_host = crafting.with_header(request, "host", "")
    file = _save(shell, "one.http", written("http", without_host))
    options = ("--keys", _keys(shell), "--at", _time(NOW), "--json")
    assert "see --base" in shell.fails(2, "verify", file, *options)
    assert _one(shell.run("verify", file, "--base", "https://gw.example", *options), 0)["ok"]
    assert _one(shell.run("verify", file, "--base", "https://gw.example/whatever", *options), 0)["ok"]
    assert _one(shell.run("verify", file, "--base", "http://gw.example", *options), 5)["failed"] == "signature"
    assert _one(shell.run("verify", file, "--base", "https://other.example", *options), 5)["failed"] == "signature"
    assert "usable URL" in shell.fails(2, "verify", file, "--base", "gw.example", *options)


def test_a_request_comes_from_stdin(shell: Shell) -> None:
    """A dash reads the capture from standard input, in any form."""
    for form in FORMS:
        text = written(form, captures.cavage(), NOW).decode()
        found = shell.json("verify", "-", "--keys", _keys(shell), "--at", _time(NOW), stdin=text)
        assert found["ok"]


def test_several_requests_are_judged_one_by_one(shell: Shell) -> None:
    """Several requests make one document with --json, a line each with --jsonl; one failure is a failure."""
    good, bad = captures.cavage(), captures.message(key=crafting.OTHER_RSA)
    listed = json.dumps([row(good, NOW), row(bad, NOW)])
    lines = "\n".join(["", json.dumps(row(good, NOW)), "", json.dumps(row(bad, NOW)), ""])
    for name, content in (("two.json", listed), ("two.jsonl", lines)):
        file, keys = _save(shell, name, content), _keys(shell)
        found = _one(shell.run("verify", file, "--keys", keys, "--json"), 5)
        assert found.keys() == {"requests", "ok"}
        assert ([one["ok"] for one in found["requests"]], found["ok"]) == ([True, False], False)
        printed = shell.run("verify", file, "--keys", keys, "--jsonl")
        assert printed.exit_code == 5
        assert [json.loads(line) for line in printed.stdout.splitlines()] == found["requests"]
        assert shell.run("verify", file, "--keys", keys).stdout.count("judged at") == 2
    both = json.dumps([row(good, NOW), row(good, NOW)])
    assert shell.json("verify", _save(shell, "same.json", both), "--keys", _keys(shell))["ok"] is True


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not a request line"),
        ("hello", "not a request line"),
        ("GET /x SPDY/3\r\n\r\n", "not a request line"),
        ("POST inbox HTTP/1.1\r\nHost: gw.example\r\n\r\n", "not a target"),
        ("POST /inbox HTTP/1.1\r\nno colon\r\n\r\n", "not a header field"),
        ("POST /inbox HTTP/1.1\r\nName : x\r\n\r\n", "not a header field"),
        ("POST /inbox HTTP/1.1\r\n\r\n", "see --base"),
        ("POST /inbox HTTP/1.1\r\nHost: a b\r\n\r\n", "see --base"),
        ("{", "neither JSON nor a JSON object a line"),
        ('{"method": "POST"}\n{"method"', "neither JSON nor a JSON object a line"),
        ("[]", "holds no request"),
        ('{"log": {"entries": []}}', "holds no request"),
        ('{"log": {}}', "holds no request"),
        ('{"log": {"entries": [{}]}}', "has no request"),
        ('{"log": {"entries": [1]}}', "has no request"),
        ("[1]", "is an object"),
        ('{"request": 1}', "is an object"),
        ("{}", "headers are pairs or an object"),
        ('{"headers": [1], "target": "https://gw.example/"}', "pair of name and value"),
        ('{"headers": [["a"]], "target": "https://gw.example/"}', "pair of name and value"),
        ('{"headers": {}}', "not a target"),
        ('{"headers": {}, "target": "ftp://gw.example/"}', "not a target"),
        ('{"headers": {}, "target": "https://gw.example/", "body_b64": "?"}', "body_b64 is not base64"),
        ('{"headers": {}, "target": "https://gw.example/", "at": 1e300}', "time"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_no_capture_exits_with_2(shell: Shell, content: str, says: str, options: tuple[str, ...]) -> None:
    """A file that holds no request is told in a sentence, and stdout stays empty."""
    said = shell.fails(2, "verify", _save(shell, "bad", content), *options)
    assert said.startswith("gateway: ")
    assert says in said


def test_wrong_options_exit_with_2(shell: Shell) -> None:
    """A file, time or key document that cannot be read is named."""
    file = _save(shell, "one.json", written("json", captures.cavage(), NOW))
    assert "/nothing" in shell.fails(2, "verify", "/nothing")
    assert "not a time" in shell.fails(2, "verify", file, "--at", "yesterday")
    assert "/nothing" in shell.fails(2, "verify", file, "--keys", "/nothing")
    assert "The keys cannot be read" in shell.fails(2, "verify", file, "--keys", _save(shell, "keys", "{"))
    weak = _save(shell, "keys", json.dumps({KEY_ID: "-----BEGIN PUBLIC KEY-----"}))
    assert KEY_ID in shell.fails(2, "verify", file, "--keys", weak)


def test_no_more_than_a_thousand_requests_are_judged(shell: Shell) -> None:
    """A capture of more requests is cut."""
    unsigned = row(SignedRequest(method="GET", target="https://gw.example/", headers=()))
    file = _save(shell, "many.json", json.dumps([unsigned] * (MAX_REQUESTS + 1)))
    assert len(_one(shell.run("verify", file, "--json"), 5)["requests"]) == MAX_REQUESTS


# The same requests, sent to the running application.


async def _answer(world: World, case: Broken) -> tuple[int, dict[str, Any]]:
    world.clock.moment = case.at
    request = case.make()
    lines = [(name, value) for name, value in request.headers if name != "host"]
    answer = await ask(
        world.board.apps["gw.example"], request.method, request.target.removeprefix(captures.ORIGIN), lines,
        request.body,
    )  # fmt: skip
    return answer.status, answer.json if answer.body else {}


async def _answers(root: Path) -> dict[str, tuple[int, dict[str, Any]]]:
    async with make_world(root) as world:
        gateway = world.gateway()
        for name in ("alice", "carol"):
            account(gateway, name)
        peers = {host: world.peer(host) for host in ("peer.example", "evil.example")}
        for actor in ACTORS:
            peers[actor.id.split("/")[2]].serve_document(actor.id, actor.document())
        return {case.name: await _answer(world, case) for case in BROKEN}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return status and problem document that the running application answers to each broken request."""
    return asyncio.run(_answers(tmp_path_factory.mktemp("live")))


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_the_steps_are_those_of_the_live_answer(
    shell: Shell, live: dict[str, tuple[int, dict[str, Any]]], case: Broken
) -> None:
    """Offline, a broken request gets the status, the code and the very steps of the live answer."""
    found = _one(_verify(shell, "json", case.make(), case.at), 5)
    status, problem = live[case.name]
    assert (found["status"], found["code"]) == (status, problem["code"])
    if status == 401:
        assert found["steps"] == problem["steps"]


def test_a_refused_peer_and_a_foreign_id_are_told(shell: Shell) -> None:
    """After a signature that holds come the decision about the peer and the activity's id, as live."""
    foreign = {**captures.CREATE, "id": "https://other.example/activities/1"}
    file = _save(shell, "one.json", json.dumps(row(captures.cavage(captures.plain(json.dumps(foreign).encode())), NOW)))
    found = _one(shell.run("verify", file, "--keys", _keys(shell), "--json"), 5)
    assert (found["status"], found["code"], found["failed"]) == (403, "foreign-id", None)
    shell.json("peers", "refuse", "peer.example")
    found = _one(_verify(shell, "json", captures.cavage()), 5)
    assert (found["status"], found["code"], found["ok"]) == (403, "refused-by-rule", False)


def _corpus(shell: Shell) -> tuple[list[dict[str, Any]], Result]:
    rows = [json.loads(line) for line in (CORPUS / "requests.jsonl").read_text("utf-8").splitlines()]
    result = shell.run(
        "verify", str(CORPUS / "requests.jsonl"), "--base", "https://gw.test", "--keys",
        str(CORPUS / "public-keys.json"), "--json",
    )  # fmt: skip
    return rows, result


def test_the_corpus_verifies(shell: Shell) -> None:
    """Of the 40 requests of live servers the 37 signed ones hold, each at its own time; three are unsigned."""
    rows, result = _corpus(shell)
    found = _one(result, 5)["requests"]
    assert len(found) == len(rows) == 40
    signed = [any(name.lower() == "signature" for name, _ in row["headers"]) for row in rows]
    assert sum(signed) == 37
    assert [not any(step["name"] == "signed" and not step["ok"] for step in one["steps"]) for one in found] == signed
    for one, is_signed in zip(found, signed, strict=True):
        if is_signed:
            assert (one["failed"], one["keyFrom"]) == (None, "given"), one
            assert all(step["ok"] for step in one["steps"])
        else:
            assert (one["failed"], one["scheme"]) == ("signed", "none")


def test_the_store_is_not_changed(shell: Shell) -> None:
    """Verifying keeps nothing: neither the actor, nor the activity, nor the peer."""
    _verify(shell, "json", captures.cavage())
    gateway = shell.gateway()
    assert gateway.kit.store.relations.actor(BOB.id) is None
    assert gateway.kit.store.peers.all(NOW) == []
    assert gateway.kit.store.arrivals.get(str(captures.CREATE["id"]), BOB.id) is None
    gateway.kit.store.close()

"""What each command prints with --json is what schemas/output.json says it is."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import typer
from cli import captures
from jsonschema import Draft202012Validator
from peers.faithless import FaithlessPeer
from peers.plain import AS2
from typer.main import get_command

from gateway.activitypub.addressing import Visibility
from gateway.carriers.forms import FORMS
from gateway.cli.deliveries import STATES
from gateway.cli.main import app
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action
from gateway.policy.standing import Rung, Violation
from gateway.preferences import Auth, Category, DeclarantKind, Preset, Scope
from gateway.preferences.combine import EFFECTS
from gateway.runtime import schemas_directory
from gateway.signatures import proof
from gateway.urls import origin_of
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cli.conftest import Shell
    from peers.plain import PlainPeer

# Commands that print no JSON: serve answers requests.
WITHOUT_JSON = {"serve"}
# Commands that are tried in tests of their own.
ELSEWHERE = {"token create", "token list", "inbox"}

DEFINITIONS: dict[str, Any] = json.loads((schemas_directory() / "output.json").read_text("utf-8"))["$defs"]
CAROL = "https://gw.example/users/carol"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x04\x08\x06"


def commands() -> set[str]:
    """Return every command as it is typed."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found: set[str] = set()
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {verb}" for verb in inner} if inner else {name}
    return found


def described() -> set[str]:
    """Return the definitions that are commands: pieces that they share begin with a capital."""
    return {name for name in DEFINITIONS if name[0].islower()}


def command_of(words: tuple[str, ...]) -> str:
    """Return which command a call is of."""
    return words[0] if words[0] in commands() else " ".join(words[:2])


def validator(name: str, *inner: str) -> Draft202012Validator:
    """Return what checks the output of a command, or a part of it."""
    pointer = "/".join(quote(part) for part in (name, *inner))
    return Draft202012Validator({"$ref": f"#/$defs/{pointer}", "$defs": DEFINITIONS})


def faults(name: str, document: Any, *inner: str) -> list[str]:
    """Return where a document is not what its definition says, with the deepest reason first."""
    errors = validator(name, *inner).iter_errors(document)
    return [f"{name}{reason.json_path[1:]}: {reason.message[:300]}" for error in errors for reason in _leaves(error)]


def _leaves(error: Any) -> Iterator[Any]:
    for inner in error.context:
        yield from _leaves(inner)
    yield error


def only_document(text: str) -> Any:
    """Return the one JSON document that is all of ``text``."""
    document, end = json.JSONDecoder().raw_decode(text)
    assert text[end:] == "\n"
    return document


async def _federate(shell: Shell, peer: PlainPeer, liar: FaithlessPeer, post: str) -> None:
    """Let others follow, report and contradict carol over the wire, and work off what waits."""
    gateway = shell.gateway()
    shell.board.apps["gw.example"] = build(gateway)
    inbox = f"{CAROL}/inbox"
    for name in ("dora", "eve", "fay"):
        follower = peer.actor(name)
        await peer.post(inbox, peer.activity("Follow", CAROL, follower, to=[CAROL]), follower)
    for text in ("spam", "more spam"):
        await peer.post(inbox, peer.activity("Flag", [CAROL, post], content=text, to=[CAROL]))
    stored = gateway.kit.store.objects.get(post)
    assert stored is not None
    await liar.assert_opposite(inbox, stored.document)
    await gateway.worker.drain()
    gateway.kit.store.peers.seen(origin_of(f"{liar.base}:8443"), gateway.kit.clock.now())
    await gateway.close()


def inspections(shell: Shell, peer: PlainPeer, post: str) -> list[tuple[str, ...]]:
    """Return calls of the commands that look at documents and requests, at sound and at odd ones."""
    proven, odd, broken = (f"{peer.base}/{name}" for name in ("proven", "odd", "broken"))
    method = f"{peer.me.id}#ed25519-key"
    peer.serve_document(
        proven, proof.attach({**peer.note(), "@context": AS2}, peer.me.ed25519, method, shell.clock.now())
    )
    accusing = {"id": post, "type": "Note", "contentUsage": "train-ai=y", "aiUsage": {"v": 2, "prefs": []}}
    peer.serve_document(odd, {**peer.activity("Create", accusing, summary=7, signature={}, proof=[{}]),
                              "@context": [AS2, f"{peer.base}/words", f"{peer.base}/none"]})  # fmt: skip
    peer.serve(f"{peer.base}/words", '{"@context": {"contentUsage": "urn:x"}}', content_type="application/ld+json")
    peer.serve(broken, "{", content_type="application/activity+json")
    body = json.dumps(peer.activity("Like", post)).encode()
    rows = [captures.row(peer.signed(f"{CAROL}/inbox", body, scheme=scheme)) for scheme in ("cavage", "rfc9421")]
    files = [shell.data.parent / name for name in ("one.json", "two.json")]
    files[0].write_text(json.dumps(rows[0]))
    files[1].write_text(json.dumps(rows))
    forms = ("--raw", "--compact", "--expanded", "--nquads", "--jcs")
    return [
        ("lookup", post), ("lookup", "@bob@peer.example", "--signed"), *(("lookup", proven, form) for form in forms),
        ("lookup", broken, "--raw"), ("inspect", post), ("inspect", CAROL), ("inspect", "@bob@peer.example"),
        ("inspect", proven, "--fetch-keys", "--signed", "--scheme", "rfc9421"), ("inspect", broken),
        ("inspect", odd, "--fetch-contexts", "--use", "train-gen", "--consumer", "x.example"),
        ("verify", str(files[0])), ("verify", str(files[1])),
    ]  # fmt: skip


def scenario(shell: Shell) -> list[tuple[str, ...]]:
    """Prepare peers that behave well and badly; return calls of every command, in an order that works."""
    shell.clock.moment = datetime.now(UTC)  # peers sign at the time at which commands run
    peer, gone, slow = shell.peer(), shell.peer("gone.example", "gil"), shell.peer("slow.example", "sam")
    liar = FaithlessPeer("https://liar.example", "lia", shell.clock, shell.board)
    shell.board.apps["liar.example"] = liar.app
    picture = shell.data.parent / "cat.png"
    picture.write_bytes(PNG)
    shell.json("account", "create", "carol", "--approve-followers")
    post = shell.json("post", "create", "carol", "the first of them", "--media", str(picture))["id"]
    copied = shell.json("post", "create", "carol", "the second of them")["id"]
    token = shell.json("token", "create", "carol", "--label", "ci")["id"]
    gone.inbox_status, slow.inbox_status = 410, 503
    for followed in (peer, gone, slow):
        shell.json("follow", "add", "carol", followed.me.id)
    asyncio.run(_federate(shell, peer, liar, post))
    reports = [report["id"] for report in shell.json("reports", "list")]
    dead = str(shell.json("deliveries", "list", "--state", "dead")[0]["id"])
    note = f"{peer.base}/notes/1"
    usage = {"v": 1, "prefs": {"train-gen": "n"}, "statements": []}
    peer.serve_document(note, peer.note(id=note, contentUsage="train-ai=n", aiUsage=usage))
    peer.serve("/copy", f'<a href="{copied}">x</a>', content_usage="train-ai=y")
    dora, eve = peer.actor("dora").id, peer.actor("eve").id
    return [
        ("check",), ("config", "show"), ("config", "show", "--sources"), ("config", "schema"), ("db", "migrate"),
        ("db", "check"), ("account", "sign-in", "carol"),
        ("account", "create", "alice", "--display-name", "Alice", "--preset", "open", "--summary", "paints"),
        ("account", "show", "@alice"), ("account", "prefs", "alice"),
        ("account", "prefs", "alice", "--set", "train-gen=n, search=n, bulk-dataset=y"),
        ("account", "list"), ("account", "keys", "alice"), ("keys", "list"),
        ("post", "create", "alice", "a quiet *word*", "--prefs", "search=y", "--visibility", "followers", "--cw", "x"),
        ("post", "edit", post, "changed"), ("post", "edit", post, "--prefs", "train-gen=y"),
        ("post", "list", "carol"), ("post", "list", "alice"),
        ("follow", "add", "alice", "@bob@peer.example"), ("follow", "requests", "carol"),
        ("follow", "accept", "carol", dora), ("follow", "reject", "carol", eve),
        ("follow", "list", "carol"), ("follow", "list", "alice"), ("follow", "remove", "alice", peer.me.id),
        ("block", "add", "alice", peer.me.id), ("block", "list", "alice"), ("block", "remove", "alice", peer.me.id),
        ("reports", "list"), ("reports", "show", reports[0]), ("reports", "close", reports[0]),
        ("reports", "show", reports[0]), ("reports", "list", "--all"),
        ("deliveries", "list"), ("deliveries", "list", *(word for state in STATES for word in ("--state", state))),
        ("deliveries", "retry", dead), ("deliveries", "drop", dead), ("deliveries", "list"),
        ("explain", post), ("explain", post, "--use", "train-gen", "--consumer", "x.example"), ("explain", CAROL),
        ("explain", "https://gw.example/users/alice"),
        ("explain", note), ("explain", peer.me.id, "--use", "bulk-dataset"),
        *inspections(shell, peer, post),
        ("peers", "list"), ("peers", "show", "liar.example"), ("peers", "show", "peer.example"),
        ("peers", "probe", "gone.example"), ("peers", "probe", "peer.example", "--url", f"{peer.base}/copy"),
        ("peers", "show", "peer.example"), ("peers", "show", "gone.example"),
        ("peers", "preview", "peer.example"), ("peers", "preview", "liar.example", "--action", "allow"),
        ("peers", "allow", "liar.example"), ("peers", "limit", "gone.example"),
        ("peers", "refuse", "https://peer.example/x", "--note", "why"), ("peers", "show", "peer.example"),
        ("peers", "refuse", "other.example"), ("peers", "show", "other.example"), ("peers", "list"),
        ("peers", "clear", "peer.example"), ("peers", "show", "peer.example"),
        ("token", "revoke", token), ("post", "delete", post), ("account", "delete", "carol", "--yes"),
        ("db", "backup", str(shell.data / "copy")), ("db", "restore", str(shell.data / "copy"), "--yes"),
    ]  # fmt: skip


def test_every_command_is_described_and_nothing_else() -> None:
    """A command that is added, renamed or taken away is so in the schema, too."""
    assert described() == commands() - WITHOUT_JSON


def test_the_scenario_leaves_no_command_out(shell: Shell) -> None:
    """A command that is added is tried below."""
    tried = {command_of(words) for words in scenario(shell)}
    assert tried == commands() - WITHOUT_JSON - ELSEWHERE


def test_json_is_what_the_schema_says(shell: Shell) -> None:
    """With --json stdout is one document, and it fits the definition of its command."""
    wrong: list[str] = []
    shown = ""
    for words in scenario(shell):
        result = shell.run(*words, "--json")
        assert result.exit_code == 0, (words, result.output)
        wrong += faults(command_of(words), only_document(result.stdout))
        shown += result.stdout
    assert wrong == []
    for seen in (
        '"violation": "V2"',
        '"violation": "V3"',
        '"state": "dead"',
        '"preset": null',
        '"effect": "projection"',
    ):
        assert seen in shown, "the scenario has lost a case"


def test_jsonl_is_the_items_of_a_list(shell: Shell) -> None:
    """With --jsonl each item of a list is a line that fits its definition; anything else is one line."""
    wrong: list[str] = []
    for words in scenario(shell):
        result = shell.run(*words, "--jsonl")
        assert result.exit_code == 0, (words, result.output)
        lines, name = [json.loads(line) for line in result.stdout.splitlines()], command_of(words)
        if name == "account prefs":  # its lines are its forms
            inner: tuple[str, ...] = ("properties", "forms", "items")
        elif name == "verify":  # a line a request
            inner = ("anyOf", "0")
        elif DEFINITIONS[name].get("type") == "array":
            inner = ("items",)
        else:
            inner = ()
            assert len(lines) == 1, words
        wrong += [fault for line in lines for fault in faults(name, line, *inner)]
    assert wrong == []


def test_tokens_are_what_the_schema_says(shell: Shell) -> None:
    """A token is described when it is made, while it works and when it is revoked."""
    shell.json("account", "create", "alice")
    made = shell.json("token", "create", "alice", "--label", "ci")
    wrong = faults("token create", made) + faults("token list", shell.json("token", "list"))
    shell.json("token", "revoke", made["id"])
    listed = shell.json("token", "list")
    assert listed[0]["revoked"] is not None
    assert wrong + faults("token list", listed) == []


def test_a_list_of_nothing_is_an_empty_array(shell: Shell) -> None:
    """Where there is nothing to list, --json prints an empty array and --jsonl no line."""
    shell.json("account", "create", "alice")
    for words in (
        ("post", "list", "alice"), ("follow", "list", "alice"), ("follow", "requests", "alice"),
        ("block", "list", "alice"), ("reports", "list"), ("peers", "list"), ("deliveries", "list"), ("token", "list"),
        ("peers", "preview", "peer.example"),
    ):  # fmt: skip
        assert only_document(shell.run(*words, "--json").stdout) == []
        assert shell.run(*words, "--jsonl").stdout == ""


def test_a_failed_check_is_what_the_schema_says(shell: Shell) -> None:
    """A check that fails says so in the same form, with an exit code."""
    shell.run("check")
    (shell.data / "secret.key").chmod(0o644)
    result = shell.run("check", "--json")
    rows = only_document(result.stdout)
    assert (result.exit_code, faults("check", rows)) == (1, [])
    assert {row["ok"] for row in rows} >= {"ok", "failed"}


def test_stdout_is_data_only(shell: Shell) -> None:
    """What a command has to say besides its data goes to stderr, and an error leaves stdout empty."""
    for words in (
        ("account", "create", "alice"), ("account", "prefs", "alice", "--preset", "open"),
        ("token", "create", "alice"),
    ):  # fmt: skip
        result = shell.run(*words, "--json")
        assert result.stderr.strip(), words
        assert isinstance(only_document(result.stdout), dict)
    for wrong in (("account", "show", "nobody"), ("post", "create", "alice", ""), ("peers", "show", "x.example")):
        result = shell.run(*wrong, "--json")
        assert result.exit_code > 0
        assert (result.stdout, result.stderr[:9]) == ("", "gateway: ")


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("Category", ("enum",), Category),
        ("Preferences", ("properties",), Category),
        ("Preset", ("enum",), Preset),
        ("Form", ("enum",), set(FORMS) - {"robots.txt"}),
        ("Visibility", ("enum",), Visibility),
        ("Action", ("enum",), [action.word for action in Action]),
        ("Reason", ("enum",), Reason),
        ("Rung", ("enum",), Rung),
        ("Violation", ("enum",), Violation),
        ("DeliveryState", ("enum",), STATES),
        ("Because", ("properties", "effect", "enum"), EFFECTS),
        ("Declarant", ("properties", "kind", "enum"), DeclarantKind),
        ("Declarant", ("properties", "auth", "enum"), Auth),
        ("Subject", ("properties", "scope", "enum"), Scope),
    ],
)
def test_closed_lists_are_those_of_the_code(name: str, path: tuple[str, ...], words: Iterable[str]) -> None:
    """A word that is added to a closed list is added to the schema, too."""
    found = DEFINITIONS[name]
    for part in path:
        found = found[part]
    assert sorted(found) == sorted(str(word) for word in words)


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _parts(inner)


def test_the_schema_is_one_and_is_closed() -> None:
    """It is a JSON Schema, every object in it names all of its members, and every shared piece is used."""
    Draft202012Validator.check_schema({"$defs": DEFINITIONS})
    parts = list(_parts(DEFINITIONS))
    objects = [part for part in parts if part.get("type") == "object"]
    assert len(objects) > 40
    for part in objects:
        assert part["additionalProperties"] is False
        assert set(part.get("required", ())) <= set(part["properties"])
    used = {str(part["$ref"]).removeprefix("#/$defs/") for part in parts if "$ref" in part}
    assert set(DEFINITIONS) - described() == used - {"https://json-schema.org/draft/2020-12/schema"}


def test_a_member_more_or_less_or_of_another_type_is_refused(shell: Shell) -> None:
    """The definitions tell right from wrong: each member of an account is needed, and no other is taken."""
    found = shell.json("account", "create", "alice")
    name = "account show"
    assert faults(name, found) == []
    assert faults(name, {**found, "colour": "blue"})
    for member in found:
        assert faults(name, {key: value for key, value in found.items() if key != member}), member
        assert faults(name, {**found, member: [1]}), member

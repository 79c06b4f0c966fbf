"""One output contract for every command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.main import get_command

from gateway import __version__
from gateway.cli.main import app
from gateway.store.relations import Report

if TYPE_CHECKING:
    from cli.conftest import Shell
    from peers.plain import PlainPeer

COMMON = ("--json", "--jsonl", "--quiet", "--config", "--data")


def every() -> list[tuple[str, ...]]:
    """Return the words of every command."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found: list[tuple[str, ...]] = []
    for name, command in root.commands.items():
        inner = getattr(command, "commands", {})
        found += [(name, verb) for verb in inner] or [(name,)]
    return found


def captured(shell: Shell, peer: PlainPeer) -> str:
    """Write down a request that holds, with the key it was signed with; return the file's name."""
    document = json.dumps(peer.activity("Like", "https://gw.example/posts/1")).encode()
    request = peer.signed("https://gw.example/inbox", document)
    row = {
        "at": peer.clock.now().isoformat(), "method": "POST", "target": request.target, "body": document.decode(),
        "headers": [list(pair) for pair in request.headers], "keys": peer.me.document(),
    }  # fmt: skip
    path = shell.data.with_name("captured.json")
    path.write_text(json.dumps(row), "utf-8")
    return str(path)


def script(shell: Shell) -> list[tuple[str, ...]]:
    """Prepare a peer and a report; return one working call of every command, in an order that works."""
    peer = shell.peer()
    shell.run("account", "create", "carol", "--approve-followers")
    post = shell.json("post", "create", "carol", "first")["id"]
    follower = peer.actor("dora").id
    with_open = shell.gateway()
    relations, now = with_open.kit.store.relations, with_open.kit.clock.now()
    for number in ("r1", "r2"):
        relations.save_report(
            Report(id=number, reporter=peer.me.id, objects=(post,), content="x", created=now, closed=None)
        )
    for actor in (follower, peer.actor("eve").id):
        relations.save_follow(actor, "https://gw.example/users/carol", f"{actor}/follow", "pending", now)
    jobs = with_open.kit.store.jobs
    for _ in range(2):
        jobs.add("deliver", {"inbox": f"{peer.base}/inbox", "activity": "x"}, lane="a", peer=peer.base, due=now)
    with_open.kit.store.close()
    peer.serve_document(f"{peer.base}/notes/1", peer.note(id=f"{peer.base}/notes/1"))
    return [
        ("check",), ("config", "show", "--sources"), ("config", "schema"), ("db", "migrate"), ("db", "check"),
        ("account", "create", "alice", "--display-name", "Alice"), ("account", "list"), ("account", "show", "alice"),
        ("account", "prefs", "alice"), ("account", "prefs", "alice", "--set", "train-gen=n, search=n"),
        ("account", "keys", "alice"), ("account", "sign-in", "alice"), ("keys", "list"),
        ("post", "create", "alice", "hello", "--prefs", "search=y"), ("post", "list", "carol"),
        ("post", "edit", post, "changed"),
        ("follow", "add", "alice", "@bob@peer.example"), ("follow", "list", "alice"), ("follow", "requests", "carol"),
        ("follow", "accept", "carol", follower), ("follow", "reject", "carol", peer.actor("eve").id),
        ("follow", "remove", "alice", peer.me.id),
        ("block", "add", "alice", peer.me.id), ("block", "list", "alice"), ("block", "remove", "alice", peer.me.id),
        ("reports", "list"), ("reports", "show", "r1"), ("reports", "close", "r1"),
        ("peers", "list"), ("peers", "preview", "peer.example"), ("peers", "allow", "peer.example"),
        ("peers", "limit", "peer.example"),
        ("peers", "refuse", "other.example", "--note", "why"), ("peers", "show", "peer.example"),
        ("peers", "clear", "peer.example"),
        ("peers", "probe", "peer.example"),
        ("deliveries", "list"), ("deliveries", "drop", "1"), ("deliveries", "retry", "1"),
        ("token", "create", "alice", "--label", "ci"), ("token", "list"),
        ("explain", post, "--use", "train-gen"), ("lookup", f"{peer.base}/notes/1"), ("inspect", post),
        ("verify", captured(shell, peer)),
        ("post", "delete", post), ("account", "delete", "carol", "--yes"),
        ("db", "backup", str(shell.data / "copy")), ("db", "restore", str(shell.data / "copy"), "--yes"),
    ]  # fmt: skip


SPECIAL = {("serve",), ("inbox",), ("token", "revoke")}  # two do not end; a token's id is known only when it is made


def test_the_script_leaves_no_command_out(shell: Shell) -> None:
    """A command that is added is added to the script below."""
    verbs = {"check", "explain", "lookup", "inspect", "verify"}
    tried = {words[: 1 if words[0] in verbs else 2] for words in script(shell)}
    assert {*tried, *SPECIAL} == set(every())


def test_json_is_one_document_and_nothing_else(shell: Shell) -> None:
    """With --json stdout is exactly one JSON document."""
    for words in script(shell):
        result = shell.run(*words, "--json")
        assert result.exit_code == 0, (words, result.output)
        json.loads(result.stdout)


def test_jsonl_is_one_document_a_line(shell: Shell) -> None:
    """With --jsonl every line of stdout is a JSON document."""
    for words in script(shell):
        if words[0] == "config" and words[1] == "schema":
            continue  # always one document
        if words[0] == "lookup":
            continue  # prints the document as it is
        result = shell.run(*words, "--jsonl")
        assert result.exit_code == 0, (words, result.output)
        for line in result.stdout.splitlines():
            json.loads(line)


def test_quiet_says_nothing_but_the_data(shell: Shell) -> None:
    """With -q nothing is written to stderr by a command that works."""
    for words in script(shell):
        result = shell.run(*words, "-q")
        assert result.exit_code == 0, (words, result.output)
        assert result.stderr == "", words


def test_people_get_sentences_and_tables(shell: Shell) -> None:
    """Without --json a command prints for people, on stdout, and chatter goes to stderr."""
    for words in script(shell):
        result = shell.run(*words)
        assert result.exit_code == 0, (words, result.output)
        if words != ("follow", "requests", "carol"):
            assert result.stdout.strip() or result.stderr.strip(), words


@pytest.mark.parametrize("words", every(), ids=" ".join)
def test_every_command_has_help_and_the_common_options(words: tuple[str, ...], shell: Shell) -> None:
    """--help explains each command, and each takes the common options."""
    result = shell.run(*words, "--help")
    assert result.exit_code == 0
    assert all(option in result.stdout for option in COMMON)
    assert len(result.stdout) > 200


def test_help_and_version(shell: Shell) -> None:
    """The command explains itself with -h or without words, and says its version."""
    assert "federation gateway" in shell.run("-h").output
    assert "account" in shell.run().output
    assert shell.run("--version").stdout.strip() == __version__


def test_a_directory_and_a_file_can_be_named(shell: Shell) -> None:
    """--data beats the environment, --config names the file, and sources say so."""
    elsewhere = shell.data.parent / "elsewhere"
    config = shell.data.parent / "my.toml"
    config.write_text("port = 4711\n")
    rows = shell.json("config", "show", "--sources", "--data", str(elsewhere), "--config", str(config))
    found = {row["setting"]: (row["value"], row["source"]) for row in rows}
    assert found["GATEWAY_DATA"] == (str(elsewhere), "--data")
    assert found["GATEWAY_PORT"] == (4711, str(config))
    assert found["GATEWAY_BASE_URL"] == ("https://gw.example", "GATEWAY_BASE_URL")
    shell.json("account", "create", "x", "--data", str(elsewhere))
    assert shell.json("account", "list") == []

"""Exit codes and clear sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.cli import output
from gateway.cli.output import message_of
from gateway.errors import NotFound, Text
from gateway.policy.rules import Action
from gateway.store.store import FILE

if TYPE_CHECKING:
    from cli.conftest import Shell

NOBODY = "https://gw.example/posts/2222222222222"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("account", "show", "nobody"), "there is no account 'nobody'; see: gateway account list"),
        (("account", "delete", "nobody", "--yes"), "there is no account"),
        (("post", "create", "nobody", "x"), "there is no account"),
        (("post", "edit", NOBODY, "x"), "there is no post"),
        (("post", "delete", NOBODY), "there is no post"),
        (("post", "list", "gw.example"), "there is no account"),
        (("follow", "list", "nobody"), "there is no account"),
        (("block", "list", "nobody"), "there is no account"),
        (("reports", "show", "r9"), "there is no report r9"),
        (("reports", "close", "r9"), "there is no open report r9"),
        (("peers", "show", "unknown.example"), "nothing is known about unknown.example"),
        (("deliveries", "retry", "9"), "there is no delivery 9"),
        (("deliveries", "drop", "9"), "there is no waiting delivery 9"),
        (("token", "revoke", "t9"), "there is no living token t9"),
        (("token", "create", "nobody"), "there is no account"),
        (("explain", NOBODY), NOBODY),
        (("lookup", "https://peer.example/nothing"), "status 404"),
        (("lookup", "@nobody@peer.example"), "does not exist"),
    ],
)
def test_what_is_not_there_exits_with_3(shell: Shell, words: tuple[str, ...], says: str) -> None:
    """A name that nobody has gives one clear sentence on stderr, nothing on stdout."""
    shell.peer()
    assert says in shell.fails(3, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("account", "create", "Not A Name"), "Names are 1 to 30"),
        (("account", "create", "x" * 31), "Names are 1 to 30"),
        (("account", "prefs", "alice", "--set", "train-gen=maybe, nonsense=n"), "train-gen, nonsense; categories are"),
        (("account", "prefs", "alice", "--set", "((("), "These preferences are not understood"),
        (("post", "create", "alice", ""), "A post needs text or a file"),
        (("post", "create", "alice", "x", "--media", "/nothing.png"), "A file cannot be read: /nothing.png"),
        (("post", "create", "alice", "x", "--prefs", "train=n"), "train; categories are"),
        (("explain", NOBODY, "--use", "train"), "Unknown category: 'train'; one of train-gen"),
        (("peers", "refuse", "not a host"), "not a usable URL"),
        (
            ("peers", "preview", "peer.example", "--action", "burn"),
            "Unknown action: 'burn'; one of allow, limit, refuse",
        ),
        (("deliveries", "list", "--state", "lost"), "Unknown state: 'lost'; one of waiting"),
        (("follow", "add", "alice", "@@@"), "not an account"),
        (("follow", "add", "alice", "@alice@gw.example"), "An account cannot follow itself"),
        (("config", "show", "--config", "/nothing.toml"), "/nothing.toml does not exist"),
        (("account", "create"), "Missing argument"),
        (("account", "create", "bob", "--preset", "all"), "Invalid value"),
        (("nonsense",), "No such command"),
        (("account", "nonsense"), "No such command"),
        (("account", "list", "--nonsense"), "No such option"),
    ],
)
def test_wrong_use_exits_with_2(shell: Shell, words: tuple[str, ...], says: str) -> None:
    """What cannot be understood names the word that was not."""
    shell.json("account", "create", "alice")
    assert says in " ".join(shell.fails(2, *words).split())


def test_a_taken_name_exits_with_1(shell: Shell) -> None:
    """A name is given out once, also when its account is deleted."""
    shell.json("account", "create", "alice")
    assert "ids are for ever" in shell.fails(1, "account", "create", "ALICE")
    shell.json("account", "delete", "alice", "--yes")
    assert "ids are for ever" in shell.fails(1, "account", "create", "alice")


def test_a_refused_peer_exits_with_4(shell: Shell) -> None:
    """What policy refuses says so, with the reason."""
    peer = shell.peer()
    shell.json("account", "create", "alice")
    shell.json("peers", "refuse", "peer.example")
    assert "An admin of this server refuses this host" in shell.fails(4, "follow", "add", "alice", peer.me.id)


def test_a_silent_host_exits_with_6(shell: Shell) -> None:
    """A host that does not answer, or not usefully, is somebody else's fault."""
    peer = shell.peer()
    shell.json("account", "create", "alice")
    assert "does not resolve" in shell.fails(6, "lookup", "https://silent.example/x")
    peer.serve("/page", "<html>")
    assert "no ActivityStreams document" in shell.fails(6, "lookup", f"{peer.base}/page")
    assert "plain http" in shell.fails(6, "lookup", "http://peer.example/")
    peer.serve("/broken", "{}", status=500, content_type="application/activity+json")
    result = shell.run("lookup", f"{peer.base}/broken")
    assert (result.exit_code, result.stdout) == (6, "")
    peer.serve("/shut", '{"code": "refused-by-rule"}', status=403, content_type="application/problem+json")
    assert "refused-by-rule" in shell.fails(4, "lookup", f"{peer.base}/shut")


def test_a_database_that_is_none_exits_with_1(shell: Shell) -> None:
    """A broken file is told in a sentence, not in a traceback."""
    shell.data.mkdir()
    (shell.data / FILE).write_bytes(b"no database" * 1000)
    (shell.data / "secret.key").write_bytes(b"x" * 32)
    assert "The database cannot be used" in shell.fails(1, "account", "list")
    result = shell.run("check", "--json")
    assert result.exit_code == 1
    assert '"ok": "failed"' in result.stdout


def test_a_changed_base_url_exits_with_2(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are for ever: another base URL is refused with what to do."""
    shell.json("account", "list")
    monkeypatch.setenv("GATEWAY_BASE_URL", "https://other.example")
    assert "set it back, or use another GATEWAY_DATA" in shell.fails(2, "account", "list")


def test_ctrl_c_ends_a_command_quietly(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted command exits like any interrupted program."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(output, "open_gateway", interrupted)
    result = shell.run("account", "list")
    assert (result.exit_code, result.output) == (130, "")


def test_an_account_is_not_deleted_without_a_yes(shell: Shell) -> None:
    """Deleting asks, and no answer is a no."""
    shell.json("account", "create", "alice")
    assert shell.run("account", "delete", "alice", stdin="n\n").exit_code == 1
    assert shell.json("account", "show", "alice")["name"] == "alice"
    assert shell.run("account", "delete", "alice", stdin="y\n").exit_code == 0
    shell.fails(3, "account", "show", "alice")


def test_messages_say_the_safe_text_and_the_inner_one() -> None:
    """People at the command line read both, and not the same thing twice."""
    assert message_of(NotFound("x", detail=Text("Gone fishing", "釣り"))) == "Gone fishing: x"
    assert message_of(NotFound()) == "There is nothing here"
    assert [action.word for action in Action]

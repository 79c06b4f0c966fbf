"""What each command does, as its user sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.output import Run
from gateway.preferences import PRESETS, Preset
from gateway.store.jobs import ARRIVALS
from gateway.store.relations import Report
from gateway.store.sqlite import Sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Shell

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x04\x08\x06"


@pytest.fixture
def alice(shell: Shell) -> dict[str, Any]:
    """Make an account and return how it is shown."""
    found: dict[str, Any] = shell.json(
        "account", "create", "Alice", "--display-name", "Alice L.", "--summary", "paints"
    )
    return found


@pytest.mark.parametrize("preset", Preset)
def test_an_account_begins_with_its_preset(shell: Shell, preset: Preset) -> None:
    """The author's words are those of the preset; what it leaves out the instance asks for."""
    found = shell.json("account", "create", "a", "--preset", preset.value)
    assert found["prefs"] == PRESETS[preset].as_json()
    assert (found["id"], found["handle"]) == ("https://gw.example/users/a", "@a@gw.example")
    assert found["effective"].items() >= found["prefs"].items()
    assert found["effective"]["train-gen"] == "n"


def test_an_account_is_shown_and_listed(shell: Shell, alice: dict[str, Any]) -> None:
    """Names are lower case, the page and the feed are named."""
    assert (alice["name"], alice["display_name"], alice["page"]) == ("alice", "Alice L.", "https://gw.example/@alice")
    assert shell.json("account", "show", "@ALICE") == alice
    assert shell.json("account", "list") == [alice]
    assert shell.json("account", "create", "b", "--approve-followers")["approves_followers"] is True
    assert {key["kind"] for key in shell.json("account", "keys", "alice")} == {"rsa", "ed25519"}
    assert len(shell.json("keys", "list")) == 6


def test_preferences_are_shown_form_by_form(shell: Shell, alice: dict[str, Any]) -> None:
    """What the world will read is shown per form, and who said which part."""
    found = shell.json("account", "prefs", alice["name"])
    forms = {row["form"]: row["text"] for row in found["forms"]}
    assert forms["content-usage"] == "train-ai=n, ai-use=n, search=y"
    assert "robots.txt" not in forms
    lines = shell.run("account", "prefs", "alice").stdout
    assert "goes out" in lines
    assert "author" in lines


def test_preferences_change_and_followers_are_told(shell: Shell, alice: dict[str, Any]) -> None:
    """--set says exactly what the author says, --preset goes back to a preset; both are kept."""
    found = shell.json("account", "prefs", "alice", "--set", "train-gen=y, search=n")
    assert (found["preset"], found["author"]) == (None, {"train-gen": "y", "search": "n"})
    assert found["instance"] == {"train-other": "n", "ai-input": "n", "ai-generate": "n", "ai-index": "n"}
    assert "instance" in shell.run("account", "prefs", "alice").stdout
    assert shell.json("account", "prefs", "alice", "--preset", "open")["author"] == {}
    lines = shell.run("account", "prefs", "alice", "--jsonl").stdout.splitlines()
    assert json.loads(lines[0]).keys() == {"form", "text"}
    assert alice["name"] == "alice"


def test_a_post_is_created_edited_and_deleted(shell: Shell, alice: dict[str, Any]) -> None:
    """Text from the argument or stdin, files with their texts, preferences of its own, a warning and a language."""
    picture = shell.data.parent / "a b.png"
    picture.write_bytes(PNG)
    made = shell.json(
        "post", "create", "alice", "-", "--media", str(picture), "--media", str(picture), "--alt", "a cat",
        "--prefs", "train-gen=y", "--cw", "loud", "--language", "ja", "--visibility", "unlisted", stdin="from *stdin*",
    )  # fmt: skip
    assert (made["text"], made["visibility"], made["prefs"]["train-gen"]) == ("from *stdin*", "unlisted", "y")
    assert made["labels"] == []
    assert made["page"].startswith("https://gw.example/@alice/")
    changed = shell.json("post", "edit", made["page"], "-", "--prefs", "train-gen=n", stdin="new")
    assert (changed["id"], changed["text"], changed["prefs"]["train-gen"]) == (made["id"], "new", "n")
    assert shell.json("post", "edit", made["id"], "--cw", "quiet")["text"] == "new"
    assert [post["id"] for post in shell.json("post", "list", "alice")] == [made["id"]]
    assert shell.json("post", "delete", made["id"])["deleted"] == made["id"]
    assert shell.json("post", "list", "alice") == []
    assert "deleted" in shell.fails(3, "post", "edit", made["id"], "again")
    assert alice["followers"] == 0


def test_media_that_is_none_is_refused(shell: Shell, alice: dict[str, Any]) -> None:
    """An SVG is no picture here, whatever it is called."""
    picture = shell.data.parent / "a.png"
    picture.write_bytes(b"<svg onload=alert(1)>")
    assert "media type is not accepted" in shell.fails(2, "post", "create", alice["name"], "x", "--media", str(picture))
    assert shell.json("post", "list", "alice") == []


def test_following_and_taking_it_back(shell: Shell, alice: dict[str, Any]) -> None:
    """A handle or URL is followed; what was not followed cannot be left."""
    peer = shell.peer()
    found = shell.json("follow", "add", "alice", "@bob@peer.example")
    assert (found["followed"], found["state"]) == (peer.me.id, "pending")
    assert shell.json("follow", "list", "alice") == [{"direction": "follows", "actor": peer.me.id, "state": "pending"}]
    assert shell.json("follow", "remove", "alice", peer.me.id)["state"] == "removed"
    assert "does not follow" in shell.fails(3, "follow", "remove", "alice", peer.me.id)
    assert "did not ask to follow" in shell.fails(3, "follow", "accept", "alice", peer.me.id)
    assert alice["following"] == 0


def test_blocking_and_taking_it_back(shell: Shell, alice: dict[str, Any]) -> None:
    """A block is listed until it is taken back."""
    peer = shell.peer()
    assert shell.json("block", "add", "alice", peer.me.id)["blocked"] == peer.me.id
    assert shell.json("block", "list", "alice") == [{"blocked": peer.me.id}]
    assert shell.json("block", "remove", "alice", peer.me.id)["unblocked"] == peer.me.id
    assert "does not block" in shell.fails(3, "block", "remove", alice["name"], peer.me.id)


def test_a_deleted_account_takes_its_posts_along(shell: Shell, alice: dict[str, Any]) -> None:
    """Every post becomes a tombstone."""
    post = shell.json("post", "create", alice["name"], "hello")["id"]
    assert shell.json("account", "delete", "alice", "--yes") == {"deleted": alice["id"]}
    assert "deleted" in shell.fails(3, "post", "edit", post, "again")


def test_tokens_are_shown_once(shell: Shell, alice: dict[str, Any]) -> None:
    """The secret is printed when it is made and never again; a revoked token says so."""
    made = shell.json("token", "create", "alice", "--label", "ci")
    assert made["token"].startswith("gw_")
    (listed,) = shell.json("token", "list")
    assert made["token"] not in json.dumps(listed)
    assert (listed["label"], listed["revoked"]) == ("ci", None)
    shell.json("token", "revoke", made["id"])
    assert shell.json("token", "list")[0]["revoked"] is not None
    assert made["account"] == alice["id"]


def test_no_password_is_shown(shell: Shell, tmp_path: Path) -> None:
    """The settings are shown without the password of the database and the secret key of the media store."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        'database_url = "postgresql://gateway:hunter2@db.example/gateway"\nmedia_bucket = "media"\n'
        'media_access_key = "AKIA1"\nmedia_secret_key = "hunter3"\n'
    )
    told = shell.run("config", "show", "--config", str(config)).stdout
    assert "postgresql://gateway:***@db.example/gateway" in told
    assert "AKIA1" in told
    assert "hunter" not in told


def test_reports_are_listed_shown_and_closed(shell: Shell, alice: dict[str, Any]) -> None:
    """An open report is listed; a closed one only when asked for."""
    gateway = shell.gateway()
    report = Report(id="r1", reporter="https://peer.example/u", objects=(alice["id"],), content="spam",
                    created=gateway.kit.clock.now(), closed=None)  # fmt: skip
    gateway.kit.store.relations.save_report(report)
    gateway.kit.store.close()
    assert shell.json("reports", "show", "r1")["content"] == "spam"
    shell.json("reports", "close", "r1")
    assert shell.json("reports", "list") == []
    assert [r["id"] for r in shell.json("reports", "list", "--all")] == ["r1"]


def test_rules_are_made_previewed_and_cleared(shell: Shell, alice: dict[str, Any]) -> None:
    """A rule says whom it would move before it is made, stops what waits, and can be taken away."""
    peer = shell.peer()
    shell.json("follow", "add", alice["name"], peer.me.id)
    (moved,) = shell.json("peers", "preview", "peer.example")
    assert (moved["before"], moved["after"], moved["queued"]) == ("allow", "refuse", 1)
    assert shell.json("peers", "preview", "peer.example", "--action", "allow") == []
    made = shell.json("peers", "refuse", "https://peer.example/x", "--note", "why")
    assert (made["host"], made["deliveries_stopped"]) == ("peer.example", 1)
    shown = shell.json("peers", "show", "peer.example")
    assert (shown["decision"]["reason"], shown["rule"]["note"]) == ("refused-by-rule", "why")
    assert shell.json("peers", "list")[0]["decision"] == "refuse"
    assert shell.json("deliveries", "list")[0]["state"] == "dropped"
    assert shell.json("peers", "clear", "peer.example") == {
        "host": "peer.example", "rule_removed": True, "observations_cleared": 0,
    }  # fmt: skip
    assert shell.json("peers", "limit", "peer.example")["action"] == "limit"


def test_a_probe_finds_the_opposite_and_shows_it(shell: Shell, alice: dict[str, Any]) -> None:
    """A page that shows our post with the opposite is evidence, and people read what it is."""
    peer = shell.peer()
    post = shell.json("post", "create", alice["name"], "hello")["id"]
    peer.serve("/copy", f'<a href="{post}">x</a>', content_usage="train-ai=y")
    found = shell.json("peers", "probe", "peer.example", "--url", f"{peer.base}/copy")
    assert found["decision"]["action"] == "limit"
    assert found["contradictions"][0]["object"] == post
    text = shell.run("peers", "show", "peer.example").stdout
    assert "train-gen: asked n, shown y" in text
    assert found["evidence"] in text
    shell.json("peers", "clear", "peer.example")
    assert "cleared" in shell.run("peers", "show", "peer.example").stdout


def test_deliveries_are_listed_by_state(shell: Shell, alice: dict[str, Any]) -> None:
    """What waits is listed, dropped by hand, and tried again."""
    peer = shell.peer()
    shell.json("follow", "add", alice["name"], peer.me.id)
    (waiting,) = shell.json("deliveries", "list", "--state", "queued")
    assert (waiting["state"], waiting["inbox"]) == ("queued", f"{peer.me.id}/inbox")
    assert shell.run("deliveries", "list", "--state", "nonsense").exit_code == 2
    shell.json("deliveries", "drop", str(waiting["id"]))
    assert shell.json("deliveries", "list", "--state", "dropped")[0]["problem"] == "dropped-by-admin"
    shell.json("deliveries", "retry", str(waiting["id"]))
    assert shell.json("deliveries", "list", "--state", "dropped") == []
    assert "Nothing waits" in shell.run("deliveries", "list", "--state", "dead").stderr


def test_what_is_still_to_be_queued_is_a_delivery_too(shell: Shell, alice: dict[str, Any]) -> None:
    """A slice of a post to many is listed by how many inboxes it is for, dropped and tried again like a delivery."""
    del alice
    opened = shell.gateway()
    payload = {"activity": "https://gw.example/a", "inboxes": ["https://a.example/i", "https://b.example/i"], "of": 2}
    opened.kit.store.jobs.add("spread", payload, lane="spread x", peer="", due=opened.kit.clock.now())
    opened.kit.store.close()
    [slice_] = shell.json("deliveries", "list")
    assert (slice_["inbox"], slice_["activity"]) == ("2 inboxes", "https://gw.example/a")
    assert shell.json("deliveries", "drop", str(slice_["id"]))["state"] == "dropped"
    assert shell.json("deliveries", "retry", str(slice_["id"]))["state"] == "queued"
    shell.json("db", "backup", str(shell.data / "copy"))
    assert shell.json("db", "restore", str(shell.data / "copy"), "--yes")["deliveriesDropped"] == 1


def test_an_arrival_that_was_set_aside_is_settled_again(shell: Shell, alice: dict[str, Any]) -> None:
    """What could not be settled is listed with its reason, by itself, and can be tried again by hand."""
    del alice
    opened = shell.gateway()
    jobs, now = opened.kit.store.jobs, opened.kit.clock.now()
    jobs.add("settle", {"arrival": "https://peer.example/1", "actor": "https://peer.example/u"}, lane="in", peer="x",
             due=now, pool=ARRIVALS)  # fmt: skip
    [job] = jobs.claim("me", now, 1)
    jobs.finish(job.id, now, state="dead", problem="poison: a defect")
    opened.kit.store.close()
    assert shell.json("deliveries", "list") == []
    [dead] = shell.json("deliveries", "list", "--arrivals", "--state", "dead")
    assert (dead["activity"], dead["inbox"], dead["problem"]) == ("https://peer.example/1", None, "poison: a defect")
    shell.json("deliveries", "retry", str(job.id))
    assert shell.json("deliveries", "list", "--arrivals")[0]["state"] == "queued"


def test_explaining_our_own_and_somebody_elses(shell: Shell, alice: dict[str, Any]) -> None:
    """The answer and every statement behind it are shown, ours and fetched ones."""
    post = shell.json("post", "create", alice["name"], "hello")["id"]
    found = shell.json("explain", post, "--use", "train-gen")
    assert found["answers"][0]["answer"] == "n"
    assert found["answers"][0]["because"][0]["declaredBy"]["id"] == alice["id"]
    text = shell.run("explain", post).stdout
    assert "train-gen: no" in text
    assert "search: yes" in text
    assert "bulk-dataset" not in text
    assert "not stated" in shell.run("explain", post, "--use", "bulk-dataset").stdout
    peer = shell.peer()
    peer.serve_document(f"{peer.base}/notes/1", peer.note(id=f"{peer.base}/notes/1", contentUsage="train-ai=n",
                        aiUsage={"v": 1, "prefs": {"train-gen": "n"}, "statements": []}))  # fmt: skip
    fetched = shell.json("explain", f"{peer.base}/notes/1", "--use", "train-gen", "--consumer", "x.example")
    assert (fetched["fetched"], fetched["answers"][0]["answer"], fetched["consumer"]) == (True, "n", "x.example")
    assert "repeat a fuller statement" in shell.run("explain", f"{peer.base}/notes/1", "--use", "train-gen").stdout


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_lookup_fetches_as_the_gateway_would(shell: Shell, scheme: str) -> None:
    """A URL or handle is fetched, signed when asked, and printed as JSON or as it came."""
    peer = shell.peer()
    result = shell.run("lookup", "@bob@peer.example", "--signed", "--scheme", scheme)
    assert json.loads(result.stdout)["id"] == peer.me.id
    assert f"{peer.me.id}: 200, application/activity+json" in result.stderr
    signed = shell.board.requests[-1].headers
    assert ("signature-input" in signed) is (scheme == "rfc9421")
    raw = shell.run("lookup", peer.me.id, "--raw", "-q")
    assert (raw.stdout, raw.stderr) == (peer.pages["/users/bob"].body.decode(), "")


def test_check_finds_a_sound_installation(shell: Shell, alice: dict[str, Any]) -> None:
    """Every check is shown with what was found."""
    rows = {row["check"]: row["ok"] for row in shell.json("check")}
    assert rows == dict.fromkeys(
        ["settings", "base URL", "database engine", "data directory", "database", "instance key", "contexts", "media",
         "queue", "secret file"], "ok",
    )  # fmt: skip
    assert alice["name"] == "alice"


def test_check_says_how_to_mend(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open secret file, plain http, an old engine and damage each name their remedy."""
    monkeypatch.setenv("GATEWAY_BASE_URL", "http://gw.example")
    shell.run("check")
    (shell.data / "secret.key").chmod(0o644)
    monkeypatch.setattr(Sqlite, "engine", lambda _self: ("SQLite 3.1", False))
    monkeypatch.setattr(Sqlite, "damage", lambda _self, **_: ["page 7 is torn"])
    result = shell.run("check", "--json")
    assert result.exit_code == 1
    rows = {row["check"]: row for row in json.loads(result.stdout)}
    assert (rows["secret file"]["ok"], rows["secret file"]["fix"]) == ("failed", "chmod 600")
    assert (rows["base URL"]["ok"], rows["database engine"]["ok"]) == ("warning", "warning")
    assert (rows["database"]["found"], rows["database"]["fix"]) == ("page 7 is torn", "restore a backup")
    assert "page 7 is torn" in shell.fails(1, "db", "check")


def test_the_schema_of_the_settings(shell: Shell) -> None:
    """The schema names every setting and is JSON without being asked."""
    assert "base_url" in json.loads(shell.run("config", "schema").stdout)["properties"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        ([], "-"),
        (["a", 1], "a, 1"),
        ({}, "-"),
        ({"a": "n"}, "a=n"),
        (7, "7"),
    ],
)
def test_cells(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value is shown in words that a person reads."""
    Run().one({"name": value})
    assert capsys.readouterr().out.split(maxsplit=1)[1].strip() == shown

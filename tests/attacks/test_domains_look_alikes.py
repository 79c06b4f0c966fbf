"""Look-alike hosts are other hosts, and are shown as what they are; marks of direction in names reorder nothing."""

from __future__ import annotations

import html
import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from anyio.to_thread import run_sync
from attacks import hosts
from attacks.hosts import CLEAN, Scene, points, prepared, to_alice
from attacks.scene import ALICE
from peers.plain import PUBLIC
from typer.testing import CliRunner
from web.asking import ask
from world import BASE

from gateway.activitypub.note import Draft
from gateway.cli.main import app as command_line
from gateway.errors import GatewayError
from gateway.flows import client, grant, handles, moderate, publish
from gateway.policy.decide import Mode
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action
from gateway.policy.standing import Rung
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peers.plain import PlainPeer

quick_keys = hosts.quick_keys
pytestmark = pytest.mark.anyio

CATALOGUE = json.loads((Path(__file__).parent / "data" / "domains.json").read_text("utf-8"))
CASES = {case["id"]: case for case in CATALOGUE["cases"] if case["class"] == "idn"}
RUN = {
    "DOM-IDN-001": "test_a_look_alike_is_somebody_else",
    "DOM-IDN-002": "test_a_look_alike_is_somebody_else",
    "DOM-IDN-003": "test_a_look_alike_inherits_no_pledge",
    "DOM-IDN-007": "test_direction_marks_in_names_reorder_nothing",
}
VICTIM = "apple.example"
# As people see it, and as it is.
LOOK_ALIKES = {
    "DOM-IDN-001": ("\u0430\u0440\u0440\u04cf\u0435.example", "xn--80ak6aa92e.example"),
    "DOM-IDN-002": ("\u0430pple.example", "xn--pple-43d.example"),
    "DOM-IDN-001-another-script": ("\u03b1pple.example", "xn--pple-zld.example"),
    "DOM-IDN-001-a-dotless-i": ("appl\u0131.example", "xn--appl-oza.example"),
    "DOM-IDN-002-a-mark": ("appl\u0117.example", "xn--appl-yva.example"),
}
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a gateway at which nobody is refused."""
    made = await prepared(tmp_path)
    yield made
    await made.world.close()


async def shell(scene: Scene, *words: str) -> str:
    """Run a command over the same data and return everything that it prints."""
    env = {"GATEWAY_BASE_URL": BASE, "GATEWAY_DATA": str(scene.kit.settings.data), "NO_COLOR": "1", "COLUMNS": "300"}
    result = await run_sync(partial(CliRunner().invoke, command_line, list(words), env=env))
    assert result.exception is None, repr(result.exception)
    return str(result.output)


async def pages(scene: Scene, *paths: str) -> str:
    """Return what a browser is shown: character references resolved, without where links lead."""
    app = scene.board.apps["gw.example"]
    answers = [await ask(app, "GET", path, [("accept", "text/html")]) for path in paths]
    assert {answer.status for answer in answers} == {200}
    return html.unescape(re.sub(r' (?:href|src)="[^"]*"', "", "\n".join(answer.text for answer in answers)))


async def replied(scene: Scene, peer: PlainPeer, **changes: Any) -> str:
    """Let somebody elsewhere answer a post of alice's; return the path of her page, which shows it."""
    stored, _ = await publish.create(scene.kit, scene.alice, Draft(text="what do you think?"))
    public: dict[str, Any] = {"to": [PUBLIC], "cc": [ALICE]}
    note = peer.note("I think", inReplyTo=stored.id, **public, **changes)
    await scene.post(peer, peer.activity("Create", note, **public))
    assert scene.kit.store.objects.get(note["id"]) is not None
    return f"/@alice/{stored.id.rpartition('/')[2]}"


@pytest.mark.parametrize("case_id", LOOK_ALIKES)
async def test_a_look_alike_is_somebody_else(scene: Scene, case_id: str) -> None:
    """DOM-IDN-001, 002: a host that looks like another's is taken as itself, and speaks for nobody else."""
    seen, real = LOOK_ALIKES[case_id]
    victim, other = scene.connect(VICTIM, "v"), scene.connect(real, "v")
    kept = to_alice(victim)
    assert (await scene.post(victim, kept)).status == 202
    scene.mark()
    assert (await scene.post(other, to_alice(other))).status in CASES["DOM-IDN-001"]["expect"]["status"]
    assert (await scene.post(other, other.activity("Follow", ALICE))).status == 202
    changed = scene.changed()
    assert [row["id"] for row in changed["remote_actor"]] == [f"https://{real}/users/v"]
    assert [row["origin"] for row in changed["peer"]] == [f"https://{real}"]
    assert [row["owner"] for row in changed["object"]] == [f"https://{real}/users/v"]
    assert scene.kit.store.relations.followers(ALICE) == [scene.carol.id, other.me.id]
    scene.mark()
    # It cannot act for the one it looks like, in either spelling of itself.
    note = kept["object"]
    for spelled in (real, seen):
        other.me.name_of_key = f"https://{spelled}/users/v#main-key"
        for document in (
            {**to_alice(victim), "actor": victim.me.id},
            {**to_alice(other), "actor": victim.me.id},
            {**to_alice(other), "actor": f"https://{seen}/users/v", "id": f"https://{seen}/activities/1"},
        ):
            assert (await scene.post(other, document)).status in {400, 401, 403}
    other.me.name_of_key = ""
    for document in (
        other.activity("Update", {**note, "content": "forged", "attributedTo": other.me.id}),
        other.activity("Delete", note["id"]),
        other.activity("Undo", kept["id"]),
        to_alice(other, id=note["id"]),
    ):
        await scene.post(other, document)
    assert scene.changed() == {}
    stored = scene.kit.store.objects.get(note["id"])
    assert stored is not None
    assert (stored.owner, stored.deleted) == (victim.me.id, None)


@pytest.mark.parametrize("case_id", LOOK_ALIKES)
async def test_a_look_alike_is_shown_as_what_it_is(scene: Scene, case_id: str) -> None:
    """DOM-IDN-001, 002: commands, pages and JSON name the A-label of a host, never the letters that deceive."""
    seen, real = LOOK_ALIKES[case_id]
    other = scene.connect(real, "v")
    await scene.post(other, other.activity("Follow", ALICE))
    page = await replied(scene, other)
    await moderate_by_shell(scene, seen, real)
    commands = (
        ["peers", "list"], ["peers", "show", seen], ["follow", "list", "alice"],
        ["deliveries", "list", "--state", "done"],
    )  # fmt: skip
    shown = [await shell(scene, *words, *more) for words in commands for more in ([], ["--json"])]
    shown.append(await pages(scene, page))
    request = other.signed(f"{ALICE}/followers?page=1", b"", method="GET")
    followers = await scene.send(request)
    shown.append(followers.text)
    secret = grant.create_token(scene.kit, scene.alice, "test")[1]
    document = json.dumps({**to_alice(other), "actor": f"https://{seen}/users/v"}).encode()
    lines = [("content-type", "application/activity+json"), ("authorization", f"Bearer {secret}")]
    inspected = await ask(scene.board.apps["gw.example"], "POST", "/inspect.json", lines, document)
    assert inspected.json["decision"]["peer"] == f"https://{real}"
    shown.append(json.dumps(inspected.json["decision"]))
    assert [text for text in shown if seen in text] == []
    assert [real in text for text in shown] == [True] * len(shown)


async def moderate_by_shell(scene: Scene, seen: str, real: str) -> None:
    """Let the admin type what they see; the rule is about what it is."""
    made = json.loads(await shell(scene, "peers", "limit", seen, "--json"))
    assert made["host"] == real
    assert [rule.host for rule in scene.kit.store.peers.rules()] == [real]
    assert moderate.decision_about(scene.kit, origin_of(f"https://{VICTIM}")).reason is Reason.NOTHING_AGAINST


@pytest.mark.parametrize("case_id", LOOK_ALIKES)
async def test_addresses_inside_of_posts_are_shown_as_what_they_are(scene: Scene, case_id: str) -> None:
    """DOM-IDN-001, 002: a file without a text, and what a post answers, are named with the A-label of their host."""
    seen, real = LOOK_ALIKES[case_id]
    other = scene.connect(real, "v")
    with_file = await replied(scene, other, attachment=[{"type": "Document", "url": f"https://{seen}/picture.png"}])
    answer = {"type": "Note", "content": "so do I", "inReplyTo": f"https://{seen}/notes/served"}
    await client.submit(scene.kit, scene.alice, answer)
    shown = await pages(scene, with_file, "/@alice")
    assert f"{real}/picture.png" in shown
    assert f"{real}/notes/served" in shown
    assert seen not in shown


@pytest.mark.parametrize("case_id", LOOK_ALIKES)
async def test_the_handle_of_a_look_alike_leads_to_itself(scene: Scene, case_id: str) -> None:
    """DOM-IDN-001, 002: in both spellings of its host, a handle is the actor at that host, never the one it mimics."""
    seen, real = LOOK_ALIKES[case_id]
    victim, other = scene.connect(VICTIM, "v"), scene.connect(real, "v")
    for host in (seen, real, real.upper()):
        assert (await handles.resolve(scene.kit, f"@v@{host}")).id == other.me.id
    assert victim.gets == []
    points(other, f"v@{real}", victim.me.id)
    with pytest.raises(GatewayError):
        await handles.resolve(scene.kit, f"@v@{real}")
    stored, _ = await publish.create(scene.kit, scene.alice, Draft(text=f"hello @v@{VICTIM} and @v@{seen}"))
    tags = stored.document["tag"]
    assert isinstance(tags, list)
    assert [tag["href"] for tag in tags] == [victim.me.id]


@pytest.mark.parametrize("how", ["pledge", "rule"])
@pytest.mark.parametrize("case_id", ["DOM-IDN-003", *LOOK_ALIKES])
async def test_a_look_alike_inherits_no_pledge(tmp_path: Path, case_id: str, how: str) -> None:
    """DOM-IDN-003: what a host pledged or was allowed holds for that host, not for one that looks like it."""
    scene = await prepared(tmp_path)
    seen, real = LOOK_ALIKES.get(case_id, LOOK_ALIKES["DOM-IDN-001"])
    victim, other = scene.connect(VICTIM, "v"), scene.connect(real, "v")
    if how == "pledge":
        scene.kit.store.peers.seen(origin_of(victim.base), scene.world.clock.now())
        scene.kit.store.peers.set_rung(origin_of(victim.base), Rung.PLEDGED)
    else:
        moderate.set_rule(scene.kit, VICTIM, Action.ALLOW)
    moderate.set_rule(scene.kit, CLEAN, Action.ALLOW)
    await scene.world.close()
    scene.world.gateways.clear()
    scene.home = scene.world.gateway(peer_mode=Mode.PLEDGE_REQUIRED)
    assert (await scene.post(victim, to_alice(victim))).status == 202
    scene.mark()
    for spelled in (real, seen, real.upper()):
        document = {**to_alice(other), "actor": f"https://{spelled}/users/v", "id": f"https://{spelled}/activities/1"}
        answer = await scene.post(other, document)
        assert (answer.status, answer.json["code"]) == (403, "pledge-required")
        with pytest.raises(GatewayError):
            await handles.resolve(scene.kit, f"@v@{spelled}")
    assert scene.contacted() == []
    assert scene.changed() == {}
    assert scene.kit.store.peers.rung(origin_of(f"https://{seen}")) is Rung.UNKNOWN
    await scene.world.close()


# Marks that turn the direction of text.

BLOCK = re.compile(r"</?(?:p|div|summary|details|figure|figcaption|article|h[1-6]|li|dd|dt|td|th|title)\b[^>]*>")
TURNED = f"bob\u202e{CLEAN[::-1]}@lorac\u202c\u2066\u200f"


async def test_direction_marks_in_names_reorder_nothing(scene: Scene) -> None:
    """DOM-IDN-007: no name, alternative text or warning brings a mark of direction beside a handle on a page."""
    evil = scene.connect("evil.example")
    evil.serve_document(evil.me.id, evil.me.document(preferredUsername=TURNED, name=TURNED))
    picture = {"type": "Document", "mediaType": "image/png", "url": "https://evil.example/x.png", "name": TURNED}
    page = await replied(scene, evil, summary=TURNED, attachment=[picture], name=TURNED)
    shown = await pages(scene, page)
    assert f'<p class="soft">{evil.me.id}</p>' in shown
    # A block of its own holds what somebody wrote: marks end with it, and nobody's handle or address stands in it.
    blocks = [block for block in BLOCK.split(shown) if any(mark in block for mark in DIRECTIONS)]
    assert blocks
    assert [block for block in blocks if re.search(r"(?:evil|clean|gw)\.example", block)] == []
    replies = scene.kit.store.objects.replies(scene.kit.store.objects.by_owner(ALICE, limit=1)[0].id)
    answer, sent = await publish.create(scene.kit, scene.alice, Draft(text="so do I", reply_to=replies[0].id))
    mentions = [tag for tag in answer.document["tag"] if tag["type"] == "Mention"]  # type: ignore[attr-defined]
    assert [mention["href"] for mention in mentions] == [evil.me.id]
    assert not any(mark in json.dumps(mentions, ensure_ascii=False) for mark in DIRECTIONS)
    assert mentions[0]["name"].count("@") == 2
    assert sent.body


async def test_direction_marks_in_an_apps_name_reorder_nothing(scene: Scene) -> None:
    """DOM-IDN-007: where an app asks for consent its name does not turn its website around, which is shown as it is."""
    app = scene.board.apps["gw.example"]
    asked = {
        "client_name": TURNED, "client_uri": "https://\u0430\u0440\u0440\u04cf\u0435.example/",
        "redirect_uris": ["https://app.example/back"],
    }  # fmt: skip
    registered = await ask(
        app, "POST", "/oauth/register", [("content-type", "application/json")], json.dumps(asked).encode()
    )
    assert registered.status == 201
    query = (
        f"?response_type=code&client_id={registered.json['client_id']}&redirect_uri=https://app.example/back"
        f"&scope=read&code_challenge={'a' * 43}&code_challenge_method=S256"
    )
    shown = await pages(scene, f"/oauth/authorize{query}")
    assert "bob" in shown
    name = shown[shown.index("<strong>") : shown.index("</strong>")]
    isolated = "<bdi" in name
    assert isolated or not any(mark in shown for mark in DIRECTIONS)
    assert "\u0430\u0440\u0440\u04cf\u0435.example" not in shown


REPORTS = {
    "direction": TURNED,
    "a-terminals-commands": "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[8m hidden\x9b2J\x08\x08",
    "rich-markup": "[red]x[/red] [link=https://evil.example]click[/link] [bold",
    "broken-markup": "[/red] [/] [[",
}


@pytest.mark.parametrize("text", REPORTS)
async def test_what_strangers_write_does_not_run_the_admins_terminal(scene: Scene, text: str) -> None:
    """DOM-IDN-007: a report is shown as text: no direction, escape or markup of it takes effect, and none is lost."""
    evil = scene.connect("evil.example")
    flag = evil.activity("Flag", [ALICE], content=REPORTS[text])
    assert (await scene.post(evil, flag)).status == 202
    [report] = scene.kit.store.relations.reports(with_closed=False)
    for words in (["reports", "list"], ["reports", "show", report.id]):
        shown = await shell(scene, *words)
        assert report.id in shown
        assert [ascii(mark) for mark in (*DIRECTIONS, "\x1b", "\x9b", "\x07", "\x08") if mark in shown] == []
        if "markup" in text:
            assert REPORTS[text] in shown
        told = json.loads(await shell(scene, *words, "--json"))
        assert (told[0] if isinstance(told, list) else told)["content"] == report.content


async def test_what_a_peer_answers_does_not_run_the_admins_terminal(scene: Scene) -> None:
    """DOM-IDN-007: the reason that a peer gives for not taking a delivery is shown as text as well."""
    said = "\x1b[2J[/red]\u202eno\x9b2J".encode()
    scene.board.raw[CLEAN] = lambda _request: httpx.Response(403, stream=httpx.ByteStream(said))
    await publish.create(scene.kit, scene.alice, Draft(text="hello"))
    await scene.world.drain()
    for state in ("queued", "dead"):
        shown = await shell(scene, "deliveries", "list", "--state", state)
        assert [ascii(mark) for mark in (*DIRECTIONS, "\x1b", "\x9b") if mark in shown] == []
    assert "403" in shown


def test_no_case_is_left_out() -> None:
    """Every case about look-alikes is run."""
    assert RUN.keys() == CASES.keys()
    assert all(name in globals() for name in RUN.values())
    assert {"DOM-IDN-001", "DOM-IDN-002"} <= LOOK_ALIKES.keys()

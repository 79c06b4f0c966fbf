"""Every problem document is what schemas/problem.json says it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.keypool import pooled
from jsonschema import Draft202012Validator
from peers.plain import ACTIVITY_JSON
from web.asking import Answer, ask, problem_of
from world import BASE, World, account

from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import SPECIAL_CODES, GatewayError
from gateway.flows import moderate, publish
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action
from gateway.runtime import schemas_directory

if TYPE_CHECKING:
    from peers.plain import PlainPeer

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, Any] = json.loads((schemas_directory() / "problem.json").read_text("utf-8"))
INBOX = "/users/alice/inbox"
OUTBOX = "/users/alice/outbox"
JSON = [("content-type", ACTIVITY_JSON)]
LIKE = b'{"id":"https://peer.example/1","type":"Like","actor":"https://peer.example/users/bob","object":"https://gw.example/x"}'
MEMBERS = {"type", "title", "status", "detail", "code", "error"}


def faults(problem: dict[str, Any]) -> list[str]:
    """Return where a document is not what the schema says."""
    return [f"{error.json_path}: {error.message[:300]}" for error in Draft202012Validator(SCHEMA).iter_errors(problem)]


def checked(answer: Answer, status: int) -> dict[str, Any]:
    """Return a problem document that was checked against the schema."""
    problem = problem_of(answer, [status])
    assert faults(problem) == []
    return problem


@pytest.fixture
def site(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world with a gateway where alice lives."""
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    account(world.gateway())
    return world


async def _ask(site: World, method: str, target: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
    return await ask(site.board.apps["gw.example"], method, target, headers, body)


async def _deliver(site: World, peer: PlainPeer, body: bytes) -> Answer:
    request = peer.signed(f"{BASE}{INBOX}", body)
    return await _ask(site, "POST", INBOX, *(line for line in request.headers if line[0] != "host"), body=body)


@pytest.mark.parametrize(
    ("status", "code", "request_line", "headers", "body"),
    [
        (400, "malformed-document", f"POST {INBOX}", JSON, b"hello"),
        (400, "no-actor", f"POST {INBOX}", JSON, b"{}"),
        (401, "token-missing", f"POST {OUTBOX}", JSON, b"{}"),
        (404, "not-found", "GET /nothing-here", [], b""),
        (405, "method-not-allowed", f"PUT {INBOX}", JSON, LIKE),
        (413, "too-large", f"POST {INBOX}", JSON, b" " * (2 * 1024 * 1024)),
        (415, "unsupported-media-type", f"POST {INBOX}", [("content-type", "text/plain")], LIKE),
        (415, "unsupported-media-type", f"POST {INBOX}", [*JSON, ("content-encoding", "gzip")], LIKE),
        (431, "headers-too-large", "GET /users/alice", [("x", "a" * 40_000)], b""),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_a_bad_request_is_answered_by_the_six_members(
    site: World, status: int, code: str, request_line: str, headers: list[tuple[str, str]], body: bytes, language: str
) -> None:  # fmt: skip
    """What is wrong with the request itself needs no further member, in either language."""
    method, target = request_line.split()
    problem = checked(await _ask(site, method, target, *headers, ("accept-language", language), body=body), status)
    assert (problem["code"], set(problem)) == (code, MEMBERS)
    assert (problem["title"] == problem["title"].encode("ascii", "ignore").decode()) is (language == "en")


async def test_another_host_is_answered_by_the_six_members(site: World) -> None:
    """A 421 names our own site, whatever Host said."""
    app = site.board.apps["gw.example"]
    problem = checked(await ask(app, "GET", "/actor", [("accept", ACTIVITY_JSON)], host="other.example"), 421)
    assert (problem["code"], set(problem)) == ("wrong-host", MEMBERS)


async def test_an_unsigned_activity_is_answered_with_steps(site: World) -> None:
    """The 401 of a delivery lists every check and gives no hint: nobody delivers by hand."""
    problem = checked(await _ask(site, "POST", INBOX, *JSON, body=LIKE), 401)
    assert set(problem) == MEMBERS | {"steps"}


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_a_signature_that_does_not_hold_is_answered_with_steps(site: World, scheme: str) -> None:
    """Every check is listed, those that hold and the one that does not."""
    request = site.peer().signed(f"{BASE}{INBOX}", LIKE, scheme=scheme)
    site.clock.forward(hours=13)
    lines = (line for line in request.headers if line[0] != "host")
    steps = checked(await _ask(site, "POST", INBOX, *lines, body=LIKE), 401)["steps"]
    assert {step["ok"] for step in steps} == {True, False}


async def test_an_unsigned_get_is_answered_with_a_hint(site: World) -> None:
    """The 401 of a GET also names the command that would be let in."""
    problem = checked(await _ask(site, "GET", f"{OUTBOX}?page=1", ("accept", ACTIVITY_JSON)), 401)
    assert set(problem) == MEMBERS | {"steps", "hint"}
    assert problem["hint"] == f"gateway lookup --signed {BASE}{OUTBOX}"


async def test_a_peer_refused_by_rule_is_told_the_rule_and_where_to_appeal(site: World) -> None:
    """A 403 names the peer, the rule as evidence, and where to appeal."""
    rule, _ = moderate.set_rule(site.gateways[0].kit, "peer.example", Action.REFUSE)
    problem = checked(await _deliver(site, site.peer(), LIKE), 403)
    assert set(problem) == MEMBERS | {"evidence", "appeal", "peer"}
    assert (problem["code"], problem["evidence"], problem["peer"]) == (
        "refused-by-rule", [rule.id], "https://peer.example",
    )  # fmt: skip


async def test_a_peer_refused_for_what_it_signed_is_told_the_record(site: World) -> None:
    """A 403 for the opposite of a label names the record that was kept of it."""
    kit, peer = site.gateways[0].kit, site.peer()
    alice = kit.store.accounts.by_name("alice")
    assert alice is not None
    stored, _ = await publish.create(kit, alice, Draft(text="hello"))
    context = ["https://www.w3.org/ns/activitystreams", dict(CONTEXT)]
    lie = {**peer.activity("Announce", stored.id), "@context": context, "contentUsage": "train-ai=y"}
    problem = checked(await _deliver(site, peer, json.dumps(lie).encode()), 403)
    assert problem["code"] == "altered-preferences"
    assert len(problem["evidence"]) == 1


async def test_a_peer_refused_without_a_record_is_told_the_audit_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a pledge is required and nothing was observed, the evidence is the audit line of the refusal."""
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    account(world.gateway(peer_mode="pledge-required", contact="mailto:admin@gw.example"))
    problem = checked(await _deliver(world, world.peer(), LIKE), 403)
    assert (problem["code"], problem["appeal"]) == ("pledge-required", "mailto:admin@gw.example")
    assert problem["evidence"][0].startswith("audit-")


def _all(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all(child))]


def test_every_code_fits_the_pattern() -> None:
    """Codes of errors, special codes and reasons are small words joined by hyphens, and statuses are in range."""
    sample = {"title": "t", "detail": "d", "error": "e"}
    codes = {kind.code: kind.status for kind in _all()}
    codes |= dict.fromkeys(SPECIAL_CODES, 400) | dict.fromkeys((reason.value for reason in Reason), 403)
    for code, status in codes.items():
        assert faults({**sample, "type": f"{BASE}/problems/{code}", "code": code, "status": status}) == []


def test_the_schema_tells_right_from_wrong() -> None:
    """Each of the six members is needed, no other is taken, and what belongs to one status stands with no other."""
    Draft202012Validator.check_schema(SCHEMA)
    good: dict[str, Any] = {
        "type": f"{BASE}/problems/refused", "title": "t", "status": 403, "detail": "d", "code": "refused", "error": "e",
    }  # fmt: skip
    step = {"name": "time", "expected": "now", "found": "", "ok": False}
    assert faults(good) == []
    assert (
        faults({**good, "status": 401, "steps": [step], "hint": "gateway lookup --signed https://gw.example/x"}) == []
    )
    for member in good:
        assert faults({name: value for name, value in good.items() if name != member}), member
    for change in (
        {"colour": "blue"}, {"code": "No Such"}, {"status": 200}, {"status": "403"}, {"type": "about:blank"},
        {"steps": [step]}, {"status": 401, "steps": []}, {"status": 401, "steps": [{**step, "ok": True}]},
        {"status": 401, "steps": [{**step, "key": "x"}]}, {"hint": "gateway lookup --signed x"},
        {"status": 401, "hint": "rm"}, {"evidence": ["3n35nwbmikicr"]}, {"appeal": "x", "peer": "https://p.example"},
        {"evidence": [], "appeal": "x", "peer": "https://p.example"},
        {"status": 404, "evidence": ["audit-1"], "appeal": "x", "peer": "https://p.example"},
    ):  # fmt: skip
        assert faults({**good, **change}), change

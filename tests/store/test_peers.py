"""Peers, rules, observations, audit lines."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from store.rows import NOW, PEER, later, remote, stored

from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Observation, Rung, Violation
from gateway.store import peers
from gateway.store.peers import MEMORY
from gateway.urls import origin_of

if TYPE_CHECKING:
    import pytest

    from gateway.store.store import Store

POST = "https://gw.example/posts/1"


def test_a_stranger_has_an_empty_memory(store: Store) -> None:
    """Nobody is written down by being asked about."""
    found = store.peers.get(PEER, NOW)
    assert (found.speaks_rfc9421, found.takes_content_usage, found.rung) == (False, True, Rung.UNKNOWN)
    assert store.peers.rung(PEER) is Rung.UNKNOWN
    assert store.peers.all(NOW) == []


def test_a_peer_is_seen_first_and_last(store: Store) -> None:
    """The first sight stays, the last one moves."""
    store.peers.seen(PEER, NOW)
    store.peers.seen(PEER, later(hours=1))
    (found,) = store.peers.all(NOW)
    assert (found.origin, found.first_seen, found.last_seen) == (str(PEER), NOW, later(hours=1))


def test_what_a_peer_takes_is_remembered_for_a_while(store: Store) -> None:
    """RFC 9421 and a dislike of Content-Usage are forgotten after a week, the first one also on demand."""
    store.peers.learn_rfc9421(PEER, NOW)
    store.peers.learn_no_content_usage(PEER, NOW)
    known = store.peers.get(PEER, NOW)
    assert (known.speaks_rfc9421, known.takes_content_usage) == (True, False)
    past = store.peers.get(PEER, NOW + MEMORY)
    assert (past.speaks_rfc9421, past.takes_content_usage) == (False, True)
    store.peers.forget_rfc9421(PEER)
    assert not store.peers.get(PEER, NOW).speaks_rfc9421


def test_a_rung_is_recorded(store: Store) -> None:
    """How far a peer has shown itself stays with it."""
    store.peers.seen(PEER, NOW)
    store.peers.set_rung(PEER, Rung.ALIGNED)
    assert store.peers.rung(PEER) is store.peers.get(PEER, NOW).rung is Rung.ALIGNED


def test_the_origins_of_a_host(store: Store) -> None:
    """All ports and subdomains of a host are found, and nobody who only ends alike."""
    for url in (
        "https://peer.example",
        "https://peer.example:8443",
        "https://a.peer.example",
        "https://notpeer.example",
    ):
        store.peers.seen(origin_of(url), NOW)
    assert store.peers.origins_of("peer.example") == [
        "https://a.peer.example", "https://peer.example", "https://peer.example:8443",
    ]  # fmt: skip


def test_pages_that_may_show_our_posts(store: Store) -> None:
    """Boosts of ours come first, then the pages and outboxes of known actors of that origin."""
    store.objects.save(stored())
    store.objects.save(stored("https://x.example/1", local=False))
    store.relations.save_interaction("Announce", "a", POST, "https://peer.example/boosts/1", NOW)
    store.relations.save_interaction("Announce", "b", POST, "https://peer.example.evil/boosts/1", NOW)
    store.relations.save_interaction("Announce", "c", "https://x.example/1", "https://peer.example/boosts/2", NOW)
    store.relations.save_interaction("Like", "d", POST, "https://peer.example/likes/1", NOW)
    document = {"url": "https://peer.example/@bob", "outbox": "https://peer.example/users/bob/outbox", "x": 1}
    store.relations.save_actor(remote(document=document), [])
    store.relations.save_actor(remote("https://peer.example/users/eve", document={"url": [7]}), [])
    assert [*store.peers.boosts_of(PEER), *store.peers.pages_of(PEER)] == [
        "https://peer.example/boosts/1", "https://peer.example/@bob", "https://peer.example/users/bob/outbox",
    ]  # fmt: skip


def test_a_host_has_one_rule(store: Store) -> None:
    """A newer rule replaces the older one; clearing tells whether there was one."""
    store.peers.save_rule(Rule(id="r1", host="peer.example", action=Action.REFUSE, note="why"), NOW)
    store.peers.save_rule(Rule(id="r2", host="peer.example", action=Action.ALLOW), later(hours=1))
    assert store.peers.rules() == [Rule(id="r2", host="peer.example", action=Action.ALLOW)]
    assert store.peers.clear_rule("peer.example")
    assert not store.peers.clear_rule("peer.example")


def test_observations_are_kept_with_hashed_evidence(store: Store) -> None:
    """A look is kept with what shows it; the hash is that of the record's text."""
    record = {"violation": "V2", "contradictions": [{"object": POST}]}
    kept = store.peers.observe("o1", PEER, NOW, violation=Violation.CONTRADICT, proven=False, record=record)
    store.peers.observe("o2", PEER, later(hours=1), violation=None, proven=True, record={})
    assert kept.sha256 == hashlib.sha256(json.dumps(record, separators=(",", ":")).encode()).hexdigest()
    assert store.peers.observations(PEER) == [
        Observation(id="o1", at=NOW, violation=Violation.CONTRADICT, evidence="o1"),
        Observation(id="o2", at=later(hours=1), violation=None, evidence="o2", proven=True),
    ]
    assert [e.id for e in store.peers.evidence(PEER)] == ["o2", "o1"]
    assert store.peers.evidence(PEER)[1] == kept


def test_cleared_observations_stay_as_records(store: Store) -> None:
    """Clearing stops the counting; the evidence is never removed. Other origins are left alone."""
    other = origin_of("https://peer.example:8443")
    store.peers.observe("o1", PEER, NOW, violation=Violation.ALTER, proven=True, record={})
    store.peers.observe("o2", other, NOW, violation=Violation.ALTER, proven=True, record={})
    assert store.peers.clear_observations(PEER, later(hours=1)) == 1
    assert store.peers.clear_observations(PEER, later(hours=1)) == 0
    assert store.peers.observations(PEER) == []
    assert store.peers.evidence(PEER)[0].cleared == later(hours=1)
    assert len(store.peers.observations(other)) == 1


def test_audit_lines_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is cut, and only the newest lines are kept; the oldest go some at a time."""
    monkeypatch.setattr(peers, "MAX_AUDIT", 3)
    monkeypatch.setattr(peers, "AUDIT_PRUNED", 2)
    for number in range(6):
        store.peers.audit(NOW, "arrival", f"h{number % 2}", "r" * 500, "d" * 5000)
    lines = store.peers.audit_lines()
    assert len(lines) == 3
    assert (len(lines[0]["reason"]), len(lines[0]["detail"])) == (80, 300)
    assert [line["host"] for line in store.peers.audit_lines("h0", limit=1)] == ["h0"]
    store.peers.audit(NOW, "arrival", "h0", "r")
    assert len(store.peers.audit_lines()) == 4


def test_an_audit_line_has_a_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is refused is told the number of their line, and such lines are bounded, too."""
    monkeypatch.setattr(peers, "MAX_AUDIT", 3)
    monkeypatch.setattr(peers, "AUDIT_PRUNED", 2)
    numbers = [store.peers.audited(NOW, "fetch", "h", f"r{number}") for number in range(6)]
    lines = store.peers.audit_lines()
    assert {line["id"]: line["reason"] for line in lines} == {numbers[n]: f"r{n}" for n in (3, 4, 5)}


def test_origins_that_only_passed_by_are_forgotten(store: Store) -> None:
    """Long unseen and of no account goes; who has an actor, an observation, a rung, or was seen lately stays."""
    names = ("passing", "lately", "actor", "observed", "pledged")
    origins = {name: origin_of(f"https://{name}.example") for name in names}
    for name, origin in origins.items():
        store.peers.seen(origin, later(days=80) if name == "lately" else NOW)
    store.relations.save_actor(remote("https://actor.example/users/a"), [])
    store.peers.observe("o1", origins["observed"], NOW, violation=None, proven=False, record={})
    store.peers.set_rung(origins["pledged"], Rung.PLEDGED)
    assert store.peers.prune(later(days=60)) == 1
    assert {peer.origin for peer in store.peers.all(NOW)} == {str(origins[name]) for name in names[1:]}

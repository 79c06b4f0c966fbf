"""Deciding about peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import home_of
from world import BASE, account

from gateway.errors import BadUrl, Refused
from gateway.flows import moderate
from gateway.policy.decide import Mode
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action
from gateway.policy.standing import Violation
from gateway.urls import origin_of

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
PEER = origin_of("https://peer.example")
PORT = origin_of("https://peer.example:8443")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://peer.example/users/bob", ["https://peer.example"]),
        ("peer.example", ["https://peer.example", "https://peer.example:8443"]),
        ("peer.example:8443", ["https://peer.example:8443"]),
        ("PEER.example.", ["https://peer.example", "https://peer.example:8443"]),
        ("unknown.example", ["https://unknown.example"]),
        ("unknown.example:9", ["https://unknown.example:9"]),
    ],
)
async def test_which_peers_a_word_names(world: World, text: str, found: list[str]) -> None:
    """A URL names one peer, a host all its known ports, an unknown host the likeliest one."""
    home, _ = home_of(world)
    for origin in (PEER, PORT, origin_of("https://a.peer.example")):
        home.kit.store.peers.seen(origin, world.clock.now())
    assert [str(origin) for origin in moderate.peers_at(home.kit, text)] == found


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://Peer.example:8443/x", "peer.example"),
        ("peer.example:1", "peer.example"),
        ("[::1]", "::1"),
        ("Peer.Example", "peer.example"),
    ],
)
def test_the_host_in_a_word(text: str, host: str) -> None:
    """A URL, host:port or host is one host in normal form."""
    assert moderate.host_of(text) == host


def test_a_word_without_a_host() -> None:
    """Nonsense names nobody."""
    with pytest.raises(BadUrl):
        moderate.host_of("not a host")


async def test_observations_are_about_origins_and_rules_about_hosts(world: World) -> None:
    """A violation on one port does not touch the other; a rule about the host touches both."""
    home, _ = home_of(world)
    store, now = home.kit.store, world.clock.now()
    store.peers.observe("o1", PORT, now, violation=Violation.ALTER, proven=True, record={})
    assert not moderate.decision_about(home.kit, PEER).refuses
    assert moderate.decision_about(home.kit, PORT).reason is Reason.ALTERED_PREFERENCES
    moderate.set_rule(home.kit, "peer.example", Action.ALLOW)
    assert moderate.decision_about(home.kit, PORT).reason is Reason.ALLOWED_BY_RULE


async def test_clearing_forgets_rule_and_observations(world: World) -> None:
    """After clearing a peer starts afresh; the records stay as evidence."""
    home, _ = home_of(world)
    store, now = home.kit.store, world.clock.now()
    store.peers.seen(PEER, now)
    store.peers.observe("o1", PEER, now, violation=Violation.ALTER, proven=True, record={})
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    assert moderate.clear(home.kit, "peer.example") == (True, 1)
    assert moderate.clear(home.kit, "https://peer.example") == (False, 0)
    assert moderate.decision_about(home.kit, PEER).reason is Reason.NOTHING_AGAINST
    assert [e.id for e in store.peers.evidence(PEER)] == ["o1"]


async def test_a_refusal_says_why_and_where_to_appeal(world: World) -> None:
    """The answer names the reason, the evidence, the peer and the appeal, and leaves an audit line."""
    home, _ = home_of(world, contact="mailto:admin@gw.example")
    store, now = home.kit.store, world.clock.now()
    store.peers.observe("o1", PEER, now, violation=Violation.ALTER, proven=True, record={})
    with pytest.raises(Refused) as refused:
        moderate.enforce(home.kit, PEER, "arrival")
    assert refused.value.reason == "altered-preferences"
    assert dict(refused.value.extra) == {
        "evidence": ["o1"], "appeal": "mailto:admin@gw.example", "peer": "https://peer.example",
    }  # fmt: skip
    assert store.peers.audit_lines("peer.example")[0]["reason"] == "altered-preferences"
    assert moderate.enforce(home.kit, PORT, "arrival").action is Action.ALLOW


async def test_a_preview_changes_nothing(world: World) -> None:
    """What a rule would move is known before it is made."""
    home, _ = home_of(world)
    for origin in (PEER, PORT, origin_of("https://other.example")):
        home.kit.store.peers.seen(origin, world.clock.now())
    moved = moderate.preview_rule(home.kit, "peer.example", Action.LIMIT)
    assert [m.peer for m in moved] == ["https://peer.example", "https://peer.example:8443"]
    assert home.kit.store.peers.rules() == []


async def test_where_pledges_are_asked_for_strangers_are_refused(world: World) -> None:
    """The mode is part of every decision."""
    home, _ = home_of(world, peer_mode=Mode.PLEDGE_REQUIRED)
    assert moderate.decision_about(home.kit, PEER).reason is Reason.PLEDGE_REQUIRED


async def test_every_refusal_names_a_record(world: World) -> None:
    """Also where nothing was observed a refused peer can name what it appeals against: the rule, or the audit line."""
    cases: tuple[tuple[str, dict[str, str]], ...] = (
        (BASE, {}),
        ("https://strict.example", {"peer_mode": "pledge-required"}),
    )
    for base, settings in cases:
        gateway = world.gateway(base, **settings)
        account(gateway)
        peer = world.peer()
        if not settings:
            moderate.set_rule(gateway.kit, "peer.example", Action.REFUSE)
        answer = await peer.post(f"{base}/inbox", peer.activity("Follow", f"{base}/users/alice"))
        assert answer.status_code == 403
        (named,) = answer.json()["evidence"]
        assert named

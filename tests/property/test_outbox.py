"""What holds for everything that software may post to an outbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal
from flows.scenes import follows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from web.asking import Answer, ask
from world import BASE, World, account

from gateway.activitypub.properties import nodes
from gateway.flows.grant import create_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal
    from peers.plain import PlainPeer

ALICE, CAROL, BOB = f"{BASE}/users/alice", f"{BASE}/users/carol", "https://peer.example/users/bob"
SECRET = "https://peer.example/users/hidden"
TYPES = (
    "Create", "Update", "Delete", "Follow", "Accept", "Reject", "Add", "Remove", "Like", "Announce", "Block", "Undo",
    "Flag", "Move", "Invite", "Question", "Note", "Article", "Image", "Collection", "OrderedCollection", "Person",
    "Tombstone", "ex:Other",
)  # fmt: skip
NAMES = (
    "@context", "@type", "id", "actor", "attributedTo", "object", "target", "origin", "to", "cc", "audience",
    "content", "contentMap", "summary", "name", "source", "mediaType", "tag", "attachment", "inReplyTo", "url",
    "published", "updated", "startTime", "sensitive", "replies", "likes", "items", "orderedItems", "icon", "inbox",
    "contentUsage", "aiUsage", "xRobotsTag", "proof", "signature", "preferredUsername", "@graph", "ex:term",
)  # fmt: skip
WORDS = (
    ALICE, CAROL, BOB, PUBLIC, AS2, f"{ALICE}/followers", f"{BASE}/posts/none", "https://nowhere.example/1", "noai",
    "train-ai=n", "train-ai=y, ", "<script>x</script><b>hi</b>", "@carol @bob@peer.example #tag", "&",
)  # fmt: skip
WRITTEN = st.sampled_from(WORDS) | st.text(max_size=30)
SCALARS = WRITTEN | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def documents(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of every type with every member, sensible or not."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), max_size=3),
            "bto": st.just(SECRET) | st.just([SECRET]),
            "bcc": st.just([SECRET, BOB]),
            **dict.fromkeys(NAMES, inner),
        },
    )


ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | documents(inner), max_leaves=8)
POSTED = documents(ANYTHING).flatmap(lambda d: st.sampled_from(TYPES).map(lambda kind: {"type": kind, **d}))
# What most clients send: something sensible with something odd in it.
LIKELY = st.tuples(
    st.sampled_from(TYPES), st.sampled_from([{"type": "Note", "content": "hi"}, CAROL, BOB, ALICE]), documents(ANYTHING)
).map(lambda parts: {**parts[2], "type": parts[0], "object": parts[1], "actor": ALICE})


class Home:
    """A gateway with two accounts and a follower elsewhere, in one event loop for all examples."""

    def __init__(self, portal: BlockingPortal, world: World) -> None:
        self._portal, self._world = portal, world
        self._gateway = world.gateway()
        self.alice = account(self._gateway)
        account(self._gateway, "carol")
        self.bob: PlainPeer = world.peer()
        portal.call(follows, world, self.bob)
        self._token = create_token(self._gateway.kit, self.alice, "test")[1]

    def post(self, document: dict[str, Any]) -> Answer:
        """Post to the outbox and let everything be delivered."""
        lines = {"content-type": ACTIVITY_JSON, "authorization": f"Bearer {self._token}"}
        app, body = self._world.board.apps["gw.example"], json.dumps(document).encode()
        answer: Answer = self._portal.call(ask, app, "POST", "/users/alice/outbox", lines.items(), body)
        self._portal.call(self._world.drain)
        return answer

    def sent(self, activity: str) -> dict[str, Any]:
        """Return an activity as it is kept and delivered."""
        found = self._gateway.kit.store.objects.activity(activity)
        assert found is not None
        document: dict[str, Any] = json.loads(found.body)
        return document


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return the gateway of all examples."""
    world = World(root=tmp_path_factory.mktemp("outbox"))
    with start_blocking_portal() as portal:
        yield Home(portal, world)
        portal.call(world.close)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(document=LIKELY | POSTED)
def test_everything_posted_is_published_with_its_preferences_or_refused_with_a_reason(
    home: Home, document: dict[str, Any]
) -> None:
    """201 with a labelled activity of the account's own, or a problem; nobody reads who was addressed blindly."""
    answer = home.post(document)
    if answer.status != 201:
        from_elsewhere = answer.status == 502 and answer.json["code"] in ("remote-answer", "remote-unreachable")
        assert from_elsewhere or 400 <= answer.status < 500, (answer.status, answer.text)
        assert answer.json["code"], answer.text
        return
    sent = home.sent(answer.header("location"))
    assert sent["actor"] == ALICE
    assert sent["id"].startswith(f"{BASE}/")
    if sent["type"] not in ("Announce", "Like", "Undo"):  # these carry what is known of somebody else's work
        assert "train-ai=n" in sent["contentUsage"]
    if sent["type"] in ("Create", "Update"):
        assert "train-ai=n" in sent["object"]["contentUsage"]
    for received in [sent, *home.bob.received]:
        assert SECRET not in json.dumps(received)
        assert not any(name in node for _, node in nodes(received) for name in ("bto", "bcc"))
        html = [node.get(name) for _, node in nodes(received) for name in ("content", "contentMap", "summary")]
        assert "<script" not in json.dumps(html)
    home.bob.received.clear()

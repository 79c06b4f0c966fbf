"""Somebody else brings it: the author's proof speaks for the words, and the bearer for having brought them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attacks.signature_documents import proven
from peers.plain import AS2
from world import BASE, account

from gateway.flows import moderate, replay
from gateway.flows.offline import Keys
from gateway.policy.rules import Action
from gateway.preferences import Auth, Category
from gateway.signatures.capture import Captured
from gateway.urls import origin_of

if TYPE_CHECKING:
    from httpx import Response
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.signatures.request import SignedRequest

pytestmark = pytest.mark.anyio
CONTEXT = [AS2, "https://w3id.org/security/data-integrity/v2"]
INBOX = f"{BASE}/inbox"


class Scene:
    """Bob writes, the relay brings, the gateway judges."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home: Gateway = world.gateway()
        account(self.home)
        self.bob = world.peer()
        self.relay = world.peer("relay.example", "carol")

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return a proven Create by bob for alice."""
        note = self.bob.note("carried", to=[f"{BASE}/users/alice"], cc=[])
        create = self.bob.activity("Create", note, to=note["to"])
        return proven({**create, "@context": CONTEXT}, self.bob.me, **changes)

    def request(
        self, document: dict[str, Any], bearer: PlainPeer | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> SignedRequest:
        """Return the request by which somebody brings a document."""
        return (bearer or self.relay).signed(INBOX, json.dumps(document).encode(), headers=headers)

    async def bring(self, document: dict[str, Any], **how: Any) -> Response:
        """Bring it, and let it settle."""
        answer = await self.relay.send(self.request(document, **how))
        await self.world.drain()
        return answer

    async def meet(self) -> None:
        """Let the relay be somebody known."""
        await self.relay.post(INBOX, self.relay.activity("Like", f"{BASE}/users/alice"))

    def stored(self, document: dict[str, Any]) -> Any:
        return self.home.kit.store.objects.get(document["object"]["id"])

    def fetches(self) -> list[str]:
        """Return what the gateway asked for."""
        return [str(r.url) for r in self.world.board.requests if r.method == "GET"]


@pytest.fixture
def scene(world: World) -> Scene:
    """Return the scene."""
    return Scene(world)


async def test_a_proven_activity_may_come_from_anybody(scene: Scene) -> None:
    """What the relay brings is bob's word, kept as if he had brought it himself; one request was needed."""
    await scene.meet()
    before = len(scene.fetches())
    document = scene.document()
    answer = await scene.bring(document)
    assert answer.status_code == 202, answer.text
    assert scene.stored(document).owner == scene.bob.me.id
    assert scene.fetches()[before:] == [scene.bob.me.id]
    row = scene.home.kit.store.arrivals.get(document["id"], scene.bob.me.id)
    assert row is not None
    assert (row.verdict["scheme"], row.verdict["key"]) == ("proof", f"{scene.bob.me.id}#ed25519-key")


async def test_two_strangers_take_two_tries(scene: Scene) -> None:
    """With both unknown the first try asks for the author alone and is to be repeated; the second holds."""
    document = scene.document()
    first = await scene.bring(document)
    assert (first.status_code, first.json()["code"]) == (503, "key-host-unavailable")
    assert int(first.headers["retry-after"]) > 0
    assert scene.fetches() == [scene.bob.me.id]
    assert (await scene.bring(document)).status_code == 202
    assert scene.stored(document) is not None


async def test_it_counts_once_whoever_brings_it(scene: Scene) -> None:
    """The same activity from the relay and from bob himself is one activity."""
    await scene.meet()
    document = scene.document()
    assert (await scene.bring(document)).status_code == 202
    assert (await scene.bob.post(INBOX, document)).status_code == 202
    assert len(scene.home.kit.store.database.rows("SELECT * FROM arrival WHERE id = :id", id=document["id"])) == 1


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda d: d["object"].update(content="forged"), "proof-signature"),
        (lambda d: d.update(actor=d["actor"].replace("bob", "eve")), "proof-owner"),
        (lambda d: d["proof"].update(expires="2030-01-01T00:00:00Z"), "proof-signature"),
        (lambda d: d["proof"].pop("created"), "proof-signature"),
        (lambda d: d["proof"].update(proofValue="z" + "1" * 80), "proof-signature"),
        (lambda d: d.update({"@context": [*CONTEXT, {"content": "x:y"}]}), "proof-whole-context"),
        (lambda d: d.update(proof=[d["proof"]]), "proof"),
    ],
    ids=["body", "actor", "expires", "created", "value", "context", "list"],
)
async def test_a_changed_document_is_not_bobs_word(scene: Scene, change: Any, step: str) -> None:
    """Any change after signing is a 401 that names the step, and the bearer's key is not even asked for."""
    document = scene.document()
    change(document)
    answer = await scene.bring(document)
    assert answer.status_code == 401
    assert step in {one["name"] for one in answer.json()["steps"] if not one["ok"]}
    assert not [url for url in scene.fetches() if "relay" in url]


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({"expires": "2026-11-23T08:59:59Z"}, "proof-expires"),
        ({"created": "2026-11-24T09:00:00Z"}, "proof-created"),
        ({"domain": "other.example"}, "proof-domain"),
        ({"challenge": "abc"}, "proof-challenge"),
        ({"proofPurpose": "authentication"}, "proof-purpose"),
        ({"cryptosuite": "eddsa-rdfc-2022"}, "proof-suite"),
        ({"verificationMethod": "https://evil.example/users/mallory#ed25519-key"}, "proof-method"),
    ],
)
async def test_a_proof_for_something_else_does_not_count(scene: Scene, options: dict[str, Any], step: str) -> None:
    """Expired, postdated, for another verifier, for another purpose, by a key elsewhere: refused, though signed."""
    await scene.meet()
    answer = await scene.bring(scene.document(**options))
    assert answer.status_code == 401
    failed = {one["name"] for one in answer.json()["steps"] if not one["ok"]}
    assert failed & {step, "proof-signature"}
    if step != "proof-method":
        assert step in failed


async def test_a_proof_for_us_counts(scene: Scene) -> None:
    """A proof whose domain is this gateway, or that ends later, is as good as one without."""
    await scene.meet()
    assert (await scene.bring(scene.document(domain="gw.example"))).status_code == 202
    assert (await scene.bring(scene.document(domain=["x", BASE], expires="2026-11-24T00:00:00Z"))).status_code == 202


async def test_the_bearer_must_be_somebody(scene: Scene) -> None:
    """A valid proof in a request whose own signature fails is refused: replaying others' words needs a name."""
    await scene.meet()
    request = scene.request(scene.document())
    broken = tuple(
        (n, v.replace('signature="', 'signature="AAAA') if n == "signature" else v) for n, v in request.headers
    )
    answer = await scene.relay.send(type(request)(method="POST", target=INBOX, headers=broken, body=request.body))
    assert answer.status_code == 401
    assert {s["name"] for s in answer.json()["steps"] if not s["ok"]} == {"signature"}


@pytest.mark.parametrize("refused", ["peer.example", "relay.example"])
async def test_neither_author_nor_bearer_may_be_refused(scene: Scene, refused: str) -> None:
    """A refused author does not get in through a clean relay, nor a refused relay with a clean author's words."""
    await scene.meet()
    moderate.set_rule(scene.home.kit, refused, Action.REFUSE)
    document = scene.document()
    assert (await scene.bring(document)).status_code == 403
    assert scene.stored(document) is None


async def test_the_bearers_headers_are_not_the_authors_words(scene: Scene) -> None:
    """What a relay's own headers state about AI use is neither kept nor counted as the author's server's."""
    await scene.meet()
    document = scene.document()
    assert (await scene.bring(document, headers=(("content-usage", "train-ai=y"),))).status_code == 202
    assert not scene.stored(document).prefs.allows(Category.TRAIN_GEN)
    row = scene.home.kit.store.arrivals.get(document["id"], scene.bob.me.id)
    assert row is not None
    assert "content-usage" not in dict(row.headers)


async def test_labels_under_a_proof_are_known_by_it(scene: Scene) -> None:
    """The statements of a relayed activity say that an object proof is how they are known."""
    await scene.meet()
    note = scene.bob.note("labelled", to=[f"{BASE}/users/alice"], cc=[], contentUsage="train-ai=n")
    create = scene.bob.activity("Create", note, to=note["to"])
    terms = {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}
    document = proven({**create, "@context": [*CONTEXT, terms]}, scene.bob.me)
    assert (await scene.bring(document)).status_code == 202
    said = scene.home.kit.store.statements.about([note["id"]])
    assert {statement.declared_by.auth for statement in said} == {Auth.OBJECT_PROOF}
    assert scene.stored(document).prefs.disallows(Category.TRAIN_GEN)


async def test_the_peer_that_brings_is_the_one_that_was_seen(scene: Scene) -> None:
    """A relay speaks for its own liveliness, not for the author's server."""
    await scene.meet()
    await scene.bring(scene.document())
    seen = {peer.origin for peer in scene.home.kit.store.peers.all(scene.world.clock.now())}
    assert "https://relay.example" in seen
    assert origin_of(scene.relay.me.id).host == "relay.example"


@pytest.mark.parametrize("tampered", [False, True])
async def test_verify_says_the_same_offline(scene: Scene, *, tampered: bool) -> None:
    """The captured request of a relay gets the live answer's status and steps from ``gateway verify``."""
    await scene.meet()
    document = scene.document()
    if tampered:
        document["object"]["content"] = "forged"
    request = scene.request(document)
    answer = await scene.relay.send(request)
    again = replay.replay(scene.home.kit, Captured(request=request, keys=None, at=None), Keys(scene.home.kit))
    assert again.status == answer.status_code == (401 if tampered else 202)
    if tampered:
        assert [step.as_json() for step in again.steps] == answer.json()["steps"]

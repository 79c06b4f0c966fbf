"""Where every attack happens: our gateway, a victim with a neighbour, an attacker, and what must not change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.plain import AS2
from world import BASE, World, account, snapshot

from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.flows import handles, publish, subscribe
from gateway.policy.standing import Rung
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    import httpx
    from peers.plain import Actor, PlainPeer

    from gateway.flows.kit import Kit
    from gateway.runtime import Gateway
    from gateway.signatures.request import SignedRequest
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

ALICE = f"{BASE}/users/alice"
DORA = f"{BASE}/users/dora"
INBOX = f"{ALICE}/inbox"
SHARED_INBOX = f"{BASE}/inbox"
LABELLED: list[Any] = [AS2, dict(TERMS)]
NO = "train-ai=n"
YES = "train-ai=y"
# A request that was answered 202 and then ignored leaves these; nothing of them can be seen.
BOOKKEEPING = ("arrival", "job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of a data file."""

    id: str
    description: str
    statuses: frozenset[int]
    effects: tuple[str, ...]
    mode: str


def read_cases(name: str) -> dict[str, Case]:
    """Return the cases of a data file by id."""
    text = (Path(__file__).parent / "data" / name).read_text("utf-8")
    cases = [
        Case(
            id=item["id"], description=item["description"], statuses=frozenset(item["expect"].get("status", ())),
            effects=tuple(item["expect"]["effects"]), mode=item.get("mode", "standard"),
        )
        for item in json.loads(text)["cases"]
    ]  # fmt: skip
    return {case.id: case for case in cases}


@dataclass(slots=True, kw_only=True)
class Scene:
    """Our gateway with alice and dora, the victim v, its neighbour eve, the attacker m."""

    world: World
    home: Gateway
    alice: Account
    victim: PlainPeer
    mallory: PlainPeer
    post: Stored
    victim_note: dict[str, Any] = field(default_factory=dict)
    victim_follow: str = ""
    victim_like: str = ""
    victim_announce: str = ""
    victim_block: str = ""
    our_follow: str = ""
    answers: list[httpx.Response] = field(default_factory=list)
    attackers: list[tuple[PlainPeer, Actor]] = field(default_factory=list)
    proved: set[str] = field(default_factory=set)
    before: dict[str, Any] = field(default_factory=dict)
    answered: int = 0
    audited: int = 0
    asked: int = 0

    @property
    def kit(self) -> Kit:
        """Return the kit of the gateway under attack."""
        return self.home.kit

    @property
    def v(self) -> str:
        """Return the victim's id."""
        return self.victim.me.id

    @property
    def m(self) -> str:
        """Return the attacker's id."""
        return self.mallory.me.id

    @property
    def eve(self) -> Actor:
        """Return the victim's neighbour: another account on the same host."""
        return self.victim.actor("eve")

    def visible(self) -> dict[str, Any]:
        """Return everything that could be seen, and what is known of the victim."""
        database = self.kit.store.database
        rows = {name: found for name, found in snapshot(self.kit).items() if name not in BOOKKEEPING}
        like = f"{self.victim.base}/%"
        rows["victim"] = database.rows("SELECT * FROM remote_actor WHERE id = :id", id=self.v)
        rows["victim keys"] = database.rows(
            "SELECT * FROM remote_key WHERE actor LIKE :like AND actor = :id", like=like, id=self.v
        )
        rows["victim standing"] = database.rows("SELECT origin, rung FROM peer WHERE origin = :o", o=self.victim.base)
        rows["recipient"] = database.rows("SELECT * FROM recipient")
        rows["tags"] = database.rows("SELECT * FROM object_tag")
        return rows

    def mark(self) -> None:
        """Begin to watch: what changes from here on is the attack's doing."""
        self.before = self.visible()
        self.answered = len(self.answers)
        self.audited = self.audit_size()
        self.asked = len(self.fetches())

    def audit_size(self) -> int:
        """Return how many audit lines there are."""
        return int(self.kit.store.database.value("SELECT count(*) FROM audit"))

    def fetches(self) -> list[str]:
        """Return every URL that the gateway asked for so far (GET)."""
        agent = "noai-gateway/"
        requests = [r for r in self.world.board.requests if r.headers.get("user-agent", "").startswith(agent)]
        return [str(request.url) for request in requests if request.method == "GET"]

    def new_fetches(self) -> list[str]:
        """Return what was asked for since the mark."""
        return self.fetches()[self.asked :]

    async def attack(
        self, document: dict[str, Any], by: Actor | None = None, peer: PlainPeer | None = None
    ) -> httpx.Response:
        """Deliver a validly signed activity (by mallory unless said otherwise) and let it settle."""
        sender = peer or self.mallory
        return await self.deliver(sender.signed(SHARED_INBOX, json.dumps(document).encode(), by), by=by, peer=sender)

    async def deliver(
        self, request: SignedRequest, by: Actor | None = None, peer: PlainPeer | None = None
    ) -> httpx.Response:
        """Send a request as it is and let it settle."""
        sender = peer or self.mallory
        answer = await sender.send(request)
        self.answers.append(answer)
        who = (sender, by or sender.me)
        if who not in self.attackers:
            self.attackers.append(who)
        await self.world.drain()
        return answer

    async def genuine(self, document: dict[str, Any], by: Actor | None = None, peer: PlainPeer | None = None) -> None:
        """Deliver something rightful (from the victim's host unless said otherwise) and let it settle."""
        sender = peer or self.victim
        answer = await sender.post(SHARED_INBOX, document, by)
        assert answer.status_code == 202, answer.text
        await self.world.drain()

    async def still_works(self, peer: PlainPeer, actor: Actor) -> None:
        """Assert that the same peer's next valid activity arrives as if nothing had been."""
        note = peer.note("hello again", actor, to=[ALICE], cc=[])
        answer = await peer.post(INBOX, peer.activity("Create", note, actor, to=[ALICE]), actor)
        assert answer.status_code == 202, answer.text
        await self.world.drain()
        stored = self.kit.store.objects.get(note["id"])
        assert stored is not None
        assert stored.owner == actor.id

    def outcome(self, activity: str) -> str:
        """Return what an arrival did."""
        outcome = self.kit.store.database.value("SELECT outcome FROM arrival WHERE id = :id", id=activity)
        return str(outcome or "never kept")

    def stored(self, object_id: str) -> Stored | None:
        """Return an object as kept here."""
        return self.kit.store.objects.get(object_id)


def labelled(document: dict[str, Any], context: object = LABELLED) -> dict[str, Any]:
    """Return an activity with the context that defines our terms, or another one."""
    return {**document, "@context": context}


async def befriend(scene: Scene, peer: PlainPeer, actor: Actor) -> str:
    """Let alice follow somebody, who accepts; return the id of her Follow."""
    await handles.resolve(scene.kit, actor.id)
    sent = subscribe.follow(scene.kit, scene.alice, actor.id)
    await scene.world.drain()
    await scene.genuine(peer.activity("Accept", sent.id, actor), actor, peer)
    return sent.id


async def prepared(world: World, *, pledged: bool = False, **settings: Any) -> Scene:
    """Set the scene: everybody knows everybody, the victim has a labelled note and one relation of each kind."""
    home = world.gateway(**settings)
    if pledged:
        for host in ("victim.example", "evil.example"):
            home.kit.store.peers.seen(origin_of(f"https://{host}"), world.clock.now())
            home.kit.store.peers.set_rung(origin_of(f"https://{host}"), Rung.PLEDGED)
    alice = account(home)
    account(home, "dora")
    victim, mallory = world.peer("victim.example", "v"), world.peer("evil.example", "m")
    post, _ = await publish.create(home.kit, alice, Draft(text="mine"))
    scene = Scene(world=world, home=home, alice=alice, victim=victim, mallory=mallory, post=post)
    scene.our_follow = await befriend(scene, victim, victim.me)
    await befriend(scene, mallory, mallory.me)
    scene.victim_note = victim.note("genuine", contentUsage=NO, url=f"{victim.base}/@v/1")
    done = {
        "Create": labelled(victim.activity("Create", scene.victim_note)),
        "Follow": victim.activity("Follow", ALICE),
        "Like": victim.activity("Like", post.id),
        "Announce": victim.activity("Announce", post.id),
        "Block": victim.activity("Block", DORA),
    }
    for document in done.values():
        await scene.genuine(document)
    scene.victim_follow, scene.victim_like = done["Follow"]["id"], done["Like"]["id"]
    scene.victim_announce, scene.victim_block = done["Announce"]["id"], done["Block"]["id"]
    victim.serve_document(scene.victim_note["id"], {"@context": LABELLED, **scene.victim_note})
    scene.mark()
    assert scene.before["object"]
    assert len(scene.before["interaction"]) == 2
    assert len(scene.before["block"]) == 1
    return scene


class Builders(dict[str, "Callable[[Scene], Awaitable[None]]"]):
    """What performs each case, by id."""

    def case(self, case_id: str) -> Callable[[Callable[[Scene], Awaitable[None]]], Callable[[Scene], Awaitable[None]]]:
        """Register what performs a case."""

        def register(builder: Callable[[Scene], Awaitable[None]]) -> Callable[[Scene], Awaitable[None]]:
            assert case_id not in self
            self[case_id] = builder
            return builder

        return register


def check(scene: Scene, case: Case) -> None:
    """Check everything a case expects; an effect that nobody looked at is a failure of the test itself."""
    if case.statuses:
        assert scene.answers
        assert {answer.status_code for answer in scene.answers} <= case.statuses, [a.text for a in scene.answers]
    assert all(answer.status_code < 500 for answer in scene.answers)
    for effect in case.effects:
        name, _, limit = effect.partition(":")
        if name in CHECKS:
            CHECKS[name](scene, limit)
        else:
            assert effect in scene.proved, f"nobody looked at {effect}"


def _no_store(scene: Scene, _limit: str) -> None:
    after = scene.visible()
    for name, rows in scene.before.items():
        assert after[name] == rows, name


def _victim_unchanged(scene: Scene, _limit: str) -> None:
    after = scene.visible()
    for name in ("victim", "victim keys", "victim standing"):
        assert after[name] == scene.before[name]
    for name in ("object", "statement", "follow", "interaction", "block"):
        ours = [row for row in scene.before[name] if scene.victim.base in repr(row)]
        assert [row for row in after[name] if row in ours] == ours


def _no_5xx(scene: Scene, _limit: str) -> None:
    assert all(answer.status_code < 500 for answer in scene.answers)


def _audit_event(scene: Scene, _limit: str) -> None:
    written = scene.audit_size() - scene.audited
    assert written >= len(scene.answers) - scene.answered, scene.kit.store.peers.audit_lines()


def _no_fetch(scene: Scene, _limit: str) -> None:
    assert scene.new_fetches() == []


def _fetches_at_most(scene: Scene, limit: str) -> None:
    assert len(scene.new_fetches()) <= int(limit)


CHECKS: dict[str, Callable[[Scene, str], None]] = {
    "no_store": _no_store,
    "no_change": _no_store,
    "victim_unchanged": _victim_unchanged,
    "no_5xx": _no_5xx,
    "audit_event": _audit_event,
    "no_fetch": _no_fetch,
    "fetches_le": _fetches_at_most,
}


def unbuilt(cases: Collection[str], built: Collection[str], later: Collection[str]) -> Sequence[str]:
    """Return the ids that are neither built nor put off by name, or both, or of no case at all."""
    one, other = set(built), set(later)
    return sorted((set(cases) - one - other) | (one & other) | ((one | other) - set(cases)))

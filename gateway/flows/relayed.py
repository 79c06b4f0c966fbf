"""What somebody else delivers for its author: the author's proof speaks for the words, the signature for the bearer.

Both must hold. The body's actor is asked for first; only when the proof holds is the bearer's key looked for, and
all of it within the one request that an unjudged POST may cost. Source: FEP-8b32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Unavailable
from gateway.flows.authenticate import actor_sought, signer_of, was_sought
from gateway.flows.cause import give_back
from gateway.net import allowance
from gateway.signatures import owner, proof, verify
from gateway.signatures.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.signatures.owner import ListedKey
    from gateway.signatures.verify import Opened

    Find = Callable[[str, str | None], tuple[ListedKey | None, str | None]]

RETRY_SECONDS = 60  # by then the author is known, and the one request is left for the bearer


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """The verdict on a document by its proof, and the actor whose signature brought it."""

    verdict: Verdict
    bearer: str


async def judge(kit: Kit, opened: Opened, document: Mapping[str, object], actor: str, direct: Verdict) -> Borne:
    """Judge a document whose HTTP signature is not its actor's; ``direct`` is the verdict on that signature.

    Raises Unavailable when author and bearer are both unknown: the next try finds the author known.
    """
    proven = await _proven(kit, opened, document, actor)
    if not proven.ok:
        return Borne(verdict=joined(direct, proven), bearer="")
    if kit.store.relations.actor_of_key(opened.key_id) is None and not allowance.is_left():
        raise Unavailable(f"bearer {opened.key_id}", code="key-host-unavailable", retry_after=RETRY_SECONDS)
    borne = await signer_of(kit, opened)
    return Borne(verdict=joined(borne, proven), bearer=borne.actor)


async def _proven(kit: Kit, opened: Opened, document: Mapping[str, object], actor: str) -> Verdict:
    method = proof.method_of(document)
    known = kit.store.relations.actor(actor)
    key = _listed(kit, known.document, actor, method) if known is not None else None
    verdict = proven_by(kit, document, key, kit.clock.now())
    if verdict.ok or not owner.may_speak(method, actor) or was_sought(kit, actor, opened.scheme):
        return verdict
    found = await actor_sought(kit, actor, opened.scheme)
    key = _listed(kit, found.document, actor, method) if found is not None else None
    verdict = proven_by(kit, document, key, kit.clock.now())
    if verdict.ok:
        give_back(kit, actor)
    return verdict


def _listed(kit: Kit, document: Mapping[str, object], actor: str, method: str) -> ListedKey | None:
    return owner.find(document, actor, method, kit.clock.now())


def proven_by(kit: Kit, document: Mapping[str, object], key: ListedKey | None, now: datetime) -> Verdict:
    """Judge the proof of an activity at a time, against a key that its actor lists (None: lists no such key)."""
    return proof.verify(
        document, key.public if key is not None else None, proof.method_of(document), now,
        owner=key.owner if key is not None else "", audience={kit.base, kit.settings.origin.host},
    )  # fmt: skip


def judge_offline(
    kit: Kit, opened: Opened, document: Mapping[str, object], actor: str, direct: Verdict, find: Find, now: datetime
) -> Verdict:  # fmt: skip
    """Return what ``judge`` would say at a time, with the keys that ``find`` knows (key id, actor or None)."""
    method = proof.method_of(document)
    key = find(method, actor)[0] if owner.may_speak(method, actor) else None
    proven = proven_by(kit, document, key, now)
    if not proven.ok:
        return joined(direct, proven)
    return joined(verify.close(opened, find(opened.key_id, None)[0], None), proven)


def joined(borne: Verdict, proven: Verdict) -> Verdict:
    """Return one verdict with the steps of both, those of the proof named ``proof`` and ``proof-...``."""
    named = (step if step.name == "proof" else step._replace(name=f"proof-{step.name}") for step in proven.steps)
    ok = borne.ok and proven.ok
    return Verdict(
        ok=ok, scheme=proof.SCHEME, steps=(*borne.steps, *named), key_id=proven.key_id, actor=proven.actor if ok else ""
    )

"""Signed requests made by hand from the vocabulary of ``data/signatures.json``, so that they may be malformed.

A case is a base and a list of operations. ``Draft`` collects what happens before signing, ``Draft.make``
signs and applies what happens afterwards. Operations in free words are looked up in the tables at the
end and beside this file; a word that stands in none of them is a ``KeyError``, so that no case passes unread.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attacks.signature_documents import BODY, linked_data_signed, proven
from attacks.signature_draft import ALICE, INBOX, Draft
from attacks.signature_keys import KEY, SERVE
from attacks.signature_wire import WIRE
from peers.plain import AS2
from world import BASE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from attacks.signature_draft import Request, Scene


def start(base: str, scene: Scene) -> Draft:
    """Return the draft of one of the bases."""
    bob = scene.peer.me
    if base in ("C-POST", "R-POST", "R-POST-ED"):
        scheme = "cavage" if base == "C-POST" else "rfc9421"
        return Draft(scheme=scheme, method="POST", actor=bob, document=scene.valid(), ed25519=base == "R-POST-ED")
    if base in ("C-GET", "R-GET"):
        scheme = "cavage" if base == "C-GET" else "rfc9421"
        return Draft(scheme=scheme, method="GET", actor=bob, document={}, path="/users/alice")
    if base == "LD":
        return Draft(scheme="none", method="POST", actor=bob, document=linked_data_signed(scene, scene.valid()))
    if base == "PROOF":
        document = proven({**scene.valid(), "@context": [AS2, "https://w3id.org/security/data-integrity/v1"]}, bob)
        return Draft(scheme="cavage", method="POST", actor=scene.relay.me, document=document)
    raise KeyError(base)


async def apply(op: Sequence[Any], scene: Scene, draft: Draft) -> None:
    """Apply one operation of a case to the draft (and the scene)."""
    name, *rest = op
    if name == "cover":
        draft.covered = COVER[rest[0]] if isinstance(rest[0], str) else list(rest[0])
    elif name == "hdr":
        draft.headers[rest[0].lower()] = rest[1]
    elif name == "hdr_after":
        draft.after.append(lambda _, request: request.set(rest[0].lower(), rest[1]))
    elif name == "param":
        draft.parameters[rest[0]] = rest[1]
    elif name == "param_after":
        draft.after.append(lambda _, request: _parameter(request, rest[0], rest[1]))
    elif name == "sign_target":
        draft.sign_target = rest[0]
    elif name == "sign_method":
        draft.sign_method = rest[0]
    elif name == "clock":
        draft.clock = rest[0]
    elif name in ("body", "body_after"):
        BODY[rest[0]](scene, draft)
    elif name == "key":
        draft.sign = KEY[rest[0]](scene)
    elif name == "serve":
        SERVE[rest[0], rest[1]](scene, draft)
    elif name == "wire":
        WIRE[rest[0]](draft)
    elif name == "gw":
        await HISTORY[rest[0]](scene, draft)
    elif name == "resend":
        await RESEND[rest[0]](scene, draft)
    else:
        raise KeyError(name)


def _parameter(request: Request, name: str, value: str | None) -> None:
    changed = re.sub(rf',?{name}="[^"]*"', "" if value is None else f',{name}="{value}"', request.value("signature"))
    request.set("signature", changed)


# What went before


async def deliver(scene: Scene, document: dict[str, Any]) -> None:
    """Let the peer deliver something that is taken."""
    answer = await scene.peer.post(f"{BASE}{INBOX}", document)
    assert answer.status_code == 202, answer.text
    await scene.world.drain()


async def _created_then_deleted(scene: Scene, draft: Draft) -> None:
    await deliver(scene, draft.document)
    assert scene.gateway.kit.store.objects.get(draft.document["object"]["id"]) is not None
    tombstone = {"id": draft.document["object"]["id"], "type": "Tombstone"}
    await deliver(scene, scene.peer.activity("Delete", tombstone))


async def _followed_and_undone(scene: Scene, draft: Draft) -> None:
    draft.document = scene.peer.activity("Follow", ALICE)
    await deliver(scene, draft.document)
    assert scene.gateway.kit.store.relations.followers(ALICE) == [scene.peer.me.id]
    await deliver(scene, scene.peer.activity("Undo", draft.document))
    assert scene.gateway.kit.store.relations.followers(ALICE) == []


async def _new_key_cached(scene: Scene, _draft: Draft) -> None:
    await deliver(scene, scene.valid())
    scene.rotate()
    await deliver(scene, scene.valid())


async def _old_key(scene: Scene, _draft: Draft) -> None:
    await deliver(scene, scene.valid())
    scene.rotate()


async def _many_times(_scene: Scene, draft: Draft, times: int) -> None:
    draft.sends += times


async def _update_in_parallel(scene: Scene, draft: Draft) -> None:
    await deliver(scene, scene.valid())
    draft.sign = scene.peer.me.rsa.sign
    scene.rotate()
    draft.document = scene.peer.activity("Update", scene.peer.me.document())
    draft.sends, draft.parallel = 8, True


async def _nothing(_scene: Scene, _draft: Draft) -> None:
    return


COVER: dict[str, list[str]] = {"10000 repeated names": ["host", "date"] * 5_000}

HISTORY: dict[str, Callable[[Scene, Draft], Awaitable[None]]] = {
    "object created then Delete processed": _created_then_deleted,
    "Follow, Undo processed": _followed_and_undone,
    "new key cached": _new_key_cached,
    "old key": _old_key,
}

RESEND: dict[Any, Callable[[Scene, Draft], Awaitable[None]]] = {
    1: lambda scene, draft: _many_times(scene, draft, 1),
    100: lambda scene, draft: _many_times(scene, draft, 99),
    "the Follow, same id": _nothing,
    "parallel x8": _update_in_parallel,
}

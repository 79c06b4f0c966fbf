"""Many peers at once without a server each: they follow Alice, and one transport answers for all of them.

Nothing is signed: that takes longer than everything else a delivery does, and is tested elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from peers.plain import Actor, keys_for

from gateway.flows import discover
from gateway.signatures.request import SignedRequest
from gateway.store.database import from_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pytest

    from gateway.flows.kit import Kit
    from gateway.flows.letter import Letter
    from gateway.store.accounts import Account


def without_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deliveries go out as they are."""

    def unsigned(_kit: Kit, letter: Letter, inbox: str, _knock: object) -> SignedRequest:
        return SignedRequest(method="POST", target=inbox, headers=(), body=letter.body)

    monkeypatch.setattr("gateway.flows.deliver.signed", unsigned)


def answer(status: int, **headers: str) -> httpx.Response:
    """Return an answer without a body, whose body can be read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=httpx.ByteStream(b""))


def gathered(kit: Kit, account: Account, hosts: Iterable[str]) -> None:
    """Let somebody on each host follow an account."""
    rsa, ed25519 = keys_for("somebody")
    with kit.store.transaction():
        for host in hosts:
            someone = Actor(f"https://{host}/users/f", "f", rsa, ed25519)
            discover.keep_actor(kit, someone.document())
            kit.store.relations.save_follow(someone.id, account.id, f"{someone.id}/follow", "accepted", kit.clock.now())


def next_moment(kit: Kit) -> datetime | None:
    """Return when somebody has something to do next."""
    return from_ms(kit.store.database.value("SELECT min(next) FROM turn"))

"""How an account presents itself: its profile, and what it asks of everybody, changed by its own software."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.activitypub.sanitise import plain
from gateway.flows.outbound import announce_actor
from gateway.flows.wishes import wished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.flows.outbound import Said
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

MAX_NAME = 100
MAX_SUMMARY = 2_000


def change(kit: Kit, account: Account, given: Mapping[str, object], said: Said) -> Sent:
    """Change what an Update of the actor names: name, summary, how follows are answered, preferences.

    Everything else on an actor (keys, inboxes, collections) is the server's and stays. Followers' servers are told.
    """
    changed = account
    if "name" in given:
        changed = replace(changed, display_name=plain(str(given["name"] or ""))[:MAX_NAME] or account.name)
    if "summary" in given:
        changed = replace(changed, summary=plain(str(given["summary"] or ""))[:MAX_SUMMARY])
    if isinstance(given.get("manuallyApprovesFollowers"), bool):
        changed = replace(changed, approves=bool(given["manuallyApprovesFollowers"]))
    if isinstance(given.get("discoverable"), bool):
        changed = replace(changed, discoverable=bool(given["discoverable"]))
    if (own := wished(kit, given)) is not None:
        changed = replace(changed, prefs=own, preset=None)
    with kit.store.transaction():
        changed = replace(changed, updated=kit.clock.now())
        kit.store.accounts.save(changed)
        return announce_actor(kit, changed, said)

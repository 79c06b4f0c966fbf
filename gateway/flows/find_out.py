"""Which effects an activity has: what they need to know is fetched first, the author of an object with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub import effects as fx
from gateway.errors import BadUrl, GatewayError, Refused, Unavailable
from gateway.flows import discover
from gateway.flows.know import know
from gateway.flows.moderate import decision_about
from gateway.flows.said import said_in
from gateway.observe.logs import log
from gateway.preferences import Auth
from gateway.urls import origin_of, try_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement

MAX_FETCHES = 3
REFUSED = "refused-by-rule"


async def find_out(kit: Kit, activity: Activity, heard: list[Statement]) -> tuple[fx.Known, list[fx.Effect]]:
    """Return the effects, fetching what they need first; what the answers' headers say is added to ``heard``.

    An object comes in with its author, because what the author asks of everything holds for it too.
    """
    fetched: dict[str, Mapping[str, object]] = {}
    unavailable: set[str] = set()
    about = try_origin(activity.object_id)
    if about is not None and str(about) != kit.base and decision_about(kit, about).refuses:
        # Also when it was kept before the refusal: nobody leads here to whom we turned away.
        return know(kit, activity, fetched, frozenset()), [fx.Ignore(REFUSED)]
    for _round in range(MAX_FETCHES):
        known = know(kit, activity, fetched, frozenset(unavailable))
        found = fx.effects(activity, known)
        wanted = next((effect.url for effect in found if isinstance(effect, fx.Fetch)), None)
        stranger = _stranger(kit, found)
        if wanted is None and stranger is None:
            return known, found
        try:
            if wanted is None:
                await discover.actor_at(kit, str(stranger))
                continue
            fetched[wanted], answer = await discover.answer_at(kit, wanted)
            heard += said_in(kit, answer.headers, answer.url, origin_of(answer.url), Auth.TLS)
        except Refused:
            return known, [fx.Ignore(REFUSED)]
        except Unavailable:
            if not fetched and not unavailable:
                raise  # nothing was asked yet: the whole activity waits
            unavailable.add(wanted or str(stranger))
            if wanted is None:
                return known, [fx.Ignore("author-unavailable")]
        except (GatewayError, BadUrl) as error:
            log().info("fetch", url=wanted or stranger, problem=str(error))
            if wanted is None:
                return known, [fx.Ignore("author-unavailable")]
            unavailable.add(wanted)
    return known, [fx.Ignore("too-many-fetches")]


def _stranger(kit: Kit, found: list[fx.Effect]) -> str | None:
    """Return the author of something to keep whom nobody here has met."""
    owners = (effect.owner for effect in found if isinstance(effect, fx.KeepObject))
    return next((owner for owner in owners if kit.store.relations.actor(owner) is None), None)

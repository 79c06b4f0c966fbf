"""Which effects an activity has: what they need to know is fetched first, the author of an object with it."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known, the effects that follow from it, and what must be fetched before they count (None: nothing).

    ``document`` is somebody's object, ``stranger`` an author whom nobody here has met.
    """

    known: fx.Known
    effects: list[fx.Effect]
    document: str | None = None
    stranger: str | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is missing."""
        return self.document is None and self.stranger is None


@dataclass(slots=True)
class Finding:
    """The search for the effects of one activity: look, fetch what is missing, look again.

    An object comes in with its author, because what the author asks of everything holds for it too.
    """

    kit: Kit
    activity: Activity
    heard: list[Statement]  # what the headers of answers say is added
    _fetched: dict[str, Mapping[str, object]] = field(default_factory=dict)
    _unavailable: set[str] = field(default_factory=set)
    _fetches: int = 0
    _ends: str = ""  # the reason why nothing comes of it, whatever is known

    def look(self) -> Found:
        """Return the effects as things are in this transaction, or what is missing."""
        ends, about = self._ends, try_origin(self.activity.object_id)
        if about is not None and str(about) != self.kit.base and decision_about(self.kit, about).refuses:
            # Also when it was kept before the refusal: nobody leads here to whom we turned away.
            ends = REFUSED
        known = know(self.kit, self.activity, self._fetched, frozenset(self._unavailable))
        if ends:
            return Found(known=known, effects=[fx.Ignore(ends)])
        effects = fx.effects(self.activity, known)
        document = next((effect.url for effect in effects if isinstance(effect, fx.Fetch)), None)
        stranger = _stranger(self.kit, effects)
        if self._fetches >= MAX_FETCHES and (document is not None or stranger is not None):
            return Found(known=known, effects=[fx.Ignore("too-many-fetches")])
        return Found(known=known, effects=effects, document=document, stranger=stranger)

    async def fetch(self, found: Found) -> None:
        """Fetch what is missing; raise Unavailable when the whole activity has to wait."""
        self._fetches += 1
        wanted = found.document
        try:
            if wanted is None:
                await discover.actor_at(self.kit, str(found.stranger))
                return
            self._fetched[wanted], answer = await discover.answer_at(self.kit, wanted)
            self.heard += said_in(self.kit, answer.headers, answer.url, origin_of(answer.url), Auth.TLS)
        except Refused:
            self._ends = REFUSED
        except Unavailable:
            if not self._fetched and not self._unavailable:
                raise  # nothing was asked yet: the whole activity waits
            self._is_unavailable(wanted)
        except (GatewayError, BadUrl) as error:
            log().info("fetch", url=wanted or found.stranger, problem=str(error))
            self._is_unavailable(wanted)

    def _is_unavailable(self, wanted: str | None) -> None:
        if wanted is None:
            self._ends = "author-unavailable"
        else:
            self._unavailable.add(wanted)


def _stranger(kit: Kit, found: list[fx.Effect]) -> str | None:
    """Return the author of something to keep whom nobody here has met."""
    owners = (effect.owner for effect in found if isinstance(effect, fx.KeepObject))
    return next((owner for owner in owners if kit.store.relations.actor(owner) is None), None)

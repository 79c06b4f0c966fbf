"""Making true what one arrival does: what is missing is fetched between the steps, and each step is one transaction.

What is known, the effects that follow and the change that they are belong to one step: nothing comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gateway.activitypub import effects as fx
from gateway.errors import GatewayError
from gateway.flows import discover
from gateway.flows.apply import apply
from gateway.flows.cause import CAUSE
from gateway.flows.deposit import deposit
from gateway.flows.forward import audience_of_ours, collections_named, forward
from gateway.net.allowance import AN_ACTIVITY, at_most
from gateway.observe.names import SETTLED
from gateway.signatures import proof
from gateway.store.together import HEAVY
from gateway.urls import origin_of
from gateway.within import Within

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.find_out import Finding, Found
    from gateway.flows.kit import Kit
    from gateway.store.arrivals import ArrivalRow

Errand = Callable[[], Coroutine[None, None, None]]
PASSED_ON = frozenset({"already-known", "unknown-type", "nobody-here-asked", "no-object"})  # nothing against them


@dataclass(slots=True)
class CarryingOut:
    """One arrival on its way to what it does; ``outcome`` says what that was."""

    kit: Kit
    row: ArrivalRow
    activity: Activity
    finding: Finding
    finish: Callable[[str], None]  # ends arrival and job with an outcome, in the transaction of the last step
    leave: Callable[[], None]  # ends the job alone: somebody else was faster
    outcome: str = ""
    _audience: dict[str, list[str]] | None = None
    _refreshed: set[str] = field(default_factory=set)

    @property
    def _is_ours(self) -> bool:
        return self.row.origin == self.kit.base

    async def whole(self) -> str:
        """Take step after step until it is done; return the outcome, empty when somebody else was faster."""
        with at_most(AN_ACTIVITY), Within(CAUSE, None if self._is_ours else origin_of(self.row.actor)):
            while (errand := await self.kit.store.together(self._step, patient=HEAVY)) is not None:
                await errand()
        return self.outcome

    def _step(self) -> Errand | None:
        """Do all of it and return None; or do nothing and return what must be fetched first."""
        if not self.kit.store.arrivals.hold(self.row.id, self.row.actor):
            self.leave()
            return None
        found = self.finding.look()
        if not found.is_whole:
            return partial(self.finding.fetch, found)
        if (actor := self._to_refresh(found)) is not None:
            return partial(self._refresh, actor)
        if self._audience is None and (named := collections_named(self.kit, self.row, self.activity)):
            return partial(self._find_audience, named)
        self._apply(found, self._audience or {})
        return None

    def _to_refresh(self, found: Found) -> str | None:
        """Return an actor we know who says that they changed."""
        if found.known.sender_document is None:
            return None
        changed = (effect.id for effect in found.effects if isinstance(effect, fx.KeepActor))
        return next((actor for actor in changed if actor not in self._refreshed), None)

    async def _refresh(self, actor: str) -> None:
        self._refreshed.add(actor)
        try:
            await discover.actor_at(self.kit, actor, supersede=True)
        except GatewayError as error:
            now, host, problem = self.kit.clock.now(), origin_of(actor).host, str(error)
            self.kit.store.peers.audit(now, SETTLED, host, "actor-not-refreshed", problem)

    async def _find_audience(self, named: dict[str, list[str]]) -> None:
        self._audience = await audience_of_ours(self.kit, self.row, self.activity, named)

    def _apply(self, found: Found, audience: dict[str, list[str]]) -> None:
        kit, row = self.kit, self.row
        # What our own activities state comes from what is known here: an echo adds nothing.
        statements = () if self._is_ours else (*self.activity.statements, *self.finding.heard)
        for effect in found.effects:
            if isinstance(effect, fx.MoveFollowers):
                discover.keep_actor(kit, found.known.fetched[effect.new])  # whoever follows it needs its inbox
            apply(kit, effect, row.id, statements)
        ignored = [effect.reason for effect in found.effects if isinstance(effect, fx.Ignore)]
        if not self._is_ours:
            deposit(kit, row, self.activity, ignored)
        # What others bring is not carried on: whoever has it may have it from us already.
        if self._is_ours or (set(ignored) <= PASSED_ON and row.verdict.get("scheme") != proof.SCHEME):
            forward(kit, row, audience, self.activity)
        names = [type(effect).__name__ for effect in found.effects]
        self.outcome = f"ignored: {ignored[0]}" if ignored else ", ".join(names)
        self.finish(self.outcome)

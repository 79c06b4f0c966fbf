"""Rate limits at the door: by the network a request comes from, until a signature or a token says whose it is.

Answers say what is left in the RateLimit fields (draft-ietf-httpapi-ratelimit-headers); 429 comes with Retry-After.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from gateway.errors import MalformedSignature
from gateway.flows.cause import SOURCE
from gateway.flows.pacing import too_many
from gateway.net.allowance import afresh
from gateway.net.domain import network_of, registrable
from gateway.observe.logs import log
from gateway.observe.names import PROXY
from gateway.signatures import verify
from gateway.urls import try_origin
from gateway.web.context import client_address, kit_of, signed_request
from gateway.web.problems import render_error
from gateway.within import Within

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.flows.pacing import Paces
    from gateway.net.pace import Left, Pace

_warned = False
NOT_FOUND = 404
UNCOUNTED = frozenset({"/livez", "/readyz"})
UNVERIFIED = frozenset({400, 401, 503})  # what came of a signature that could not be verified


class Paced:
    """Counts every request, refuses what is too much, and gives back what turned out to be verified."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, hand on, and count again by what the answer was."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        paces = kit_of(request).paces
        network = network_of(client_address(request))
        _warn_about_proxy(request)
        left, tried = paces.requests.take(network), paces.unverified.look(network)
        over = paces.requests if not left.ok else None
        if over is None and not tried.ok and _is_signed_by_a_stranger(request):
            over = paces.unverified
        if over is not None:
            waiting = tried if over is paces.unverified else left
            await render_error(request, too_many(over, waiting, network))(scope, receive, send)
            return

        outcome = scope.setdefault("state", {})

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                told, what = paces.requests, left
                if "verified" in outcome:
                    paces.requests.give_back(network)
                    told, what = _share_of(paces, outcome["verified"], network)
                elif message["status"] in UNVERIFIED:
                    tighter = paces.unverified.take(network)
                    if tighter.remaining < left.remaining and paces.unverified.quota:
                        told, what = paces.unverified, tighter
                if message["status"] != NOT_FOUND:  # what is hidden answers to the byte like what is not there
                    _tell(MutableHeaders(scope=message), told, what)
            await send(message)

        with afresh(), Within(SOURCE, network):
            await self.app(scope, receive, counted)


def _warn_about_proxy(request: Request) -> None:
    """Say once when a proxy nearby says who asks, and is not trusted: then everybody looks like one network."""
    global _warned  # noqa: PLW0603 - once a process
    if _warned or "x-forwarded-for" not in request.headers or not _is_near(client_address(request)):
        return
    _warned = True
    log().warning(PROXY, address=client_address(request), mend="list it in GATEWAY_TRUSTED_PROXIES")


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def _tell(headers: MutableHeaders, pace: Pace, left: Left) -> None:
    """Say what is left, unless the answer may be kept and shown to others."""
    if pace.quota == 0 or "ratelimit" in headers or headers.get("cache-control", "").startswith("public"):
        return
    headers["ratelimit-policy"] = f'"{pace.name}";q={pace.quota};w={int(pace.seconds)}'
    headers["ratelimit"] = f'"{pace.name}";r={left.remaining};t={left.reset}'


def _is_signed_by_a_stranger(request: Request) -> bool:
    """Tell whether judging this would need a key that nobody here knows: the part that costs others something."""
    signed = signed_request(request)
    if not verify.is_signed(signed):
        return False
    kit = kit_of(request)
    try:
        key_id = verify.open_request(signed, kit.clock.now()).key_id
    except MalformedSignature:
        return True
    return kit.store.relations.actor_of_key(key_id) is None


def verified(request: Request, actor: str = "") -> None:
    """Note that somebody known sent this: it is counted by who they are, not by where they are."""
    request.scope.setdefault("state", {})["verified"] = actor


def _share_of(paces: Paces, actor: str, network: str) -> tuple[Pace, Left]:
    """Return what is counted for somebody verified: a peer's domain; a token of ours has no pace of its own."""
    origin = try_origin(actor)
    if origin is not None:
        return paces.peers, paces.peers.look(registrable(origin.host))
    return paces.requests, paces.requests.look(network)


def may_register(request: Request) -> None:
    """Count one app that a network registers; raise TooManyRequests when there were too many."""
    pace, network = kit_of(request).paces.apps, network_of(client_address(request))
    left = pace.take(network)
    if not left.ok:
        raise too_many(pace, left, network)


def may_try(request: Request) -> None:
    """Raise TooManyRequests when a network has been wrong about secrets too often."""
    pace, network = kit_of(request).paces.sign_in, network_of(client_address(request))
    left = pace.look(network)
    if not left.ok:
        raise too_many(pace, left, network)


def wrong(request: Request) -> None:
    """Count a secret that was wrong; raise TooManyRequests when there were too many."""
    may_try(request)
    kit_of(request).paces.sign_in.take(network_of(client_address(request)))

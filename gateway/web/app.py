"""The web application: one route table, one middleware list, one table of error renderers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.errors import GatewayError
from gateway.web import (
    client,
    collections,
    discovery,
    federation,
    feeds,
    inspector,
    media,
    oauth,
    pages,
    problems,
    sign_in,
    vocabulary,
)
from gateway.web.middleware import Bounds, Dress
from gateway.web.pace import Paced

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.runtime import Gateway

STATIC = Path(__file__).parent / "static"
TID = "{tid}"
_INBOX = re.compile(r"/(?:actor/|users/(?P<name>[^/]+)/)?inbox")

ROUTES = [
    # What most requests are for comes first.
    Route("/inbox", federation.INBOX, methods=["POST"]),
    Route("/actor/inbox", federation.INBOX, methods=["POST"]),
    Route("/users/{name}/inbox", federation.INBOX, methods=["POST"]),
    Route("/.well-known/webfinger", discovery.find),
    Route("/.well-known/host-meta", discovery.host_meta),
    Route("/.well-known/nodeinfo", discovery.nodeinfo_links),
    Route("/.well-known/tdmrep.json", discovery.tdmrep),
    Route("/nodeinfo/2.1", discovery.nodeinfo_document),
    Route("/.well-known/security.txt", discovery.security_txt),
    Route("/robots.txt", discovery.robots),
    Route("/policies/tdm.json", discovery.tdm_policy),
    Route("/livez", discovery.livez),
    Route("/readyz", discovery.readyz),
    Route("/actor", federation.instance_actor),
    *(Route(f"/actor/{name}", federation.instance_collection) for name in federation.COLLECTIONS),
    Route("/users/{name}", federation.actor),
    Route("/users/{name}/inbox", collections.inbox, methods=["GET"]),
    Route("/users/{name}/outbox", collections.outbox, methods=["GET"]),
    Route("/users/{name}/outbox", client.outbox, methods=["POST"]),
    Route("/users/{name}/followers", collections.followers),
    Route("/users/{name}/following", collections.following),
    Route("/users/{name}/liked", collections.liked),
    Route("/users/{name}/featured", collections.featured),
    Route("/.well-known/oauth-authorization-server", oauth.metadata),
    Route("/oauth/register", oauth.register, methods=["POST"]),
    Route("/oauth/authorize", oauth.ask, methods=["GET"]),
    Route("/oauth/authorize", oauth.decide, methods=["POST"]),
    Route("/oauth/token", oauth.token, methods=["POST"]),
    Route("/oauth/revoke", oauth.revoke, methods=["POST"]),
    Route("/sign-in", sign_in.show, methods=["GET"]),
    Route("/sign-in", sign_in.enter, methods=["POST"]),
    Route("/sign-out", sign_in.leave, methods=["POST"]),
    Route("/inspect.json", inspector.inspect_json, methods=["GET"]),
    Route("/inspect.json", inspector.inspect_json, methods=["POST"]),
    Route("/ns/ai-usage", vocabulary.usage),
    Route("/ns/ai-usage.md", vocabulary.draft),
    Route("/schemas/{file}", vocabulary.schema),
    Route("/openapi.json", vocabulary.api),
    Route("/api/proxy", client.proxy, methods=["POST"]),
    Route("/api/media", client.upload, methods=["POST"]),
    Route(f"/posts/{TID}", federation.post),
    Route(f"/posts/{TID}/replies", collections.replies),
    Route(f"/posts/{TID}/likes", collections.likes),
    Route(f"/posts/{TID}/shares", collections.shares),
    Route(f"/activities/{TID}", federation.activity),
    Route("/media/{media_id}/{file_name}", media.file),
    Route("/", pages.home),
    Route("/about", pages.about),
    Route("/about/policy", pages.policy),
    Route("/about/federation", pages.federation),
    Route("/about/security", pages.security),
    Route("/about/software", pages.software),
    Route("/about/sizing", pages.sizing),
    Route("/about/developers", pages.developers),
    Route("/problems/{code}", pages.problem),
    Route("/tags/{tag}", pages.tag),
    Route("/@{name}.atom", feeds.account_atom),
    Route("/@{name}", pages.profile),
    Route(f"/@{{name}}/{TID}", pages.post),
    Mount("/static", StaticFiles(directory=STATIC)),
]

# Outermost first.
MIDDLEWARE = (Dress, Bounds, Paced)

RENDERERS = {
    GatewayError: problems.on_gateway_error,
    HTTPException: problems.on_http_exception,
    ClientDisconnect: problems.on_hang_up,
    Exception: problems.on_crash,
}


class Application(Starlette):
    """The framework's application; what is posted to an inbox goes past those of its layers that it does not need."""

    def __init__(self, gateway: Gateway) -> None:
        """Serve an open gateway."""
        super().__init__(
            routes=ROUTES, middleware=[Middleware(layer) for layer in MIDDLEWARE], exception_handlers=dict(RENDERERS)
        )
        self.router.redirect_slashes = False  # such a redirect takes its scheme from the socket
        self.gateway = gateway
        self._inboxes: ASGIApp = federation.INBOX
        for layer in reversed(MIDDLEWARE):
            self._inboxes = layer(self._inboxes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, by the short way or by the routes."""
        if scope["type"] == "http" and scope["method"] == "POST" and (named := _INBOX.fullmatch(scope["path"])):
            scope["app"], scope["path_params"] = self, {key: name for key, name in named.groupdict().items() if name}
            await self._inboxes(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build(gateway: Gateway) -> Application:
    """Return the application over an open gateway."""
    return Application(gateway)

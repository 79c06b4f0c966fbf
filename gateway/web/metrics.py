"""``/metrics``: on a listener of its own, because its numbers are for whoever runs the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from gateway.flows.status import standing
from gateway.observe import metrics

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.runtime import Gateway


def build(gateway: Gateway) -> Starlette:
    """Return the application that answers one address."""

    async def show(_request: Request) -> Response:
        return Response(metrics.page(standing(gateway.kit)), headers={"content-type": metrics.CONTENT_TYPE})

    return Starlette(routes=[Route("/metrics", show)])

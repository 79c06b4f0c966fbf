"""What a developer wants looked at: bytes from anywhere, and how they came."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.carriers import http_headers
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import BadInput, NotAuthenticated, NotFound, Refused, RemoteAnswer, Text
from gateway.flows import fetch, handles, look
from gateway.net.purpose import SPECIMEN
from gateway.urls import same_origin, try_origin, without_fragment

if TYPE_CHECKING:
    from gateway.errors import GatewayError
    from gateway.flows.kit import Kit

MAX_SAID = 4_000
SCHEMES = ("cavage", "rfc9421")
NOT_YET = Text("AT Protocol addresses cannot be looked up yet.", "AT Protocolのアドレスはまだ参照できません。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A document as bytes; ``url`` is where it came from (final, after redirects), with what its answer said."""

    body: bytes
    url: str | None = None
    status: int | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    signed: str | None = None


async def fetched(
    kit: Kit, target: str, *, scheme: str | None = None, as_actor: str | None = None, asker: str | None = None
) -> Specimen:
    """Return what stands at a URL or behind a handle; ``scheme`` signs the request, as the instance or one of ours.

    What is ours comes from the store, as ``asker`` may see it. Raises NotFound, NotAuthenticated, Refused,
    BadInput or RemoteUnreachable.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise BadInput(f"{scheme!r}; one of {', '.join(SCHEMES)}", detail=Text("Unknown scheme", "不明な署名方式です"))
    if target.startswith(("did:", "at://")):
        raise BadInput(target[:200], detail=NOT_YET)
    url = without_fragment(target) if "://" in target else await handles.find(kit, target)
    if same_origin(url, kit.base):
        document, statements = look.at_home(kit, url, asker)
        return Specimen(
            body=orjson.dumps(document), url=url, content_type=ACTIVITY_JSON,
            headers=tuple(http_headers.render(combined_at_home(statements), kit.policy_url)),
        )  # fmt: skip
    sign = fetch.signer(kit, scheme, as_actor) if scheme is not None else None
    answer = await kit.client.get(
        url,
        accept=f"{ACTIVITY_JSON}, {PROFILED}",
        purpose=SPECIMEN,
        sign=sign,
        hop=functools.partial(fetch.elsewhere, kit, try_origin(url)),
    )
    if answer.status in fetch.GONE:
        raise NotFound(f"{url}: status {answer.status}")
    if not answer.ok:
        raise _refusal(url, answer.status, answer.body)
    return Specimen(
        body=answer.body, url=answer.url, status=answer.status, content_type=answer.header("content-type"),
        headers=answer.headers, signed=scheme,
    )  # fmt: skip


def _refusal(url: str, status: int, body: bytes) -> GatewayError:
    """Return the other server's no, with what it says about it."""
    said = body[:MAX_SAID].decode("utf-8", "replace")
    kind = {401: NotAuthenticated, 403: Refused}.get(status)
    return (
        kind(f"{url}: {said}") if kind is not None else RemoteAnswer(f"{url}: {status}: {said}", remote_status=status)
    )

"""How others find us and what they may do: WebFinger, host-meta, NodeInfo, robots, TDM, health."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
from starlette.responses import PlainTextResponse, Response

from gateway import __version__
from gateway.activitypub import nodeinfo, webfinger
from gateway.carriers import robots_txt, tdm
from gateway.clock import rfc3339
from gateway.errors import BadInput, Gone, NotFound, StoreError
from gateway.urls import same_origin
from gateway.web.context import kit_of, state_preferences

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

OPEN = {"access-control-allow-origin": "*"}
SECURITY_TXT_LIFE = timedelta(days=180)  # less than a year, as RFC 9116 asks
HOUR = {"cache-control": "max-age=3600", **OPEN}


def _json(document: object, media_type: str = "application/json", headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), 200, headers or HOUR, media_type)


async def find(request: Request) -> Response:
    """Answer WebFinger for handles, actor URLs and the site itself."""
    kit = kit_of(request)
    asked = request.query_params.getlist("resource")
    if len(asked) != 1 or not asked[0]:
        raise BadInput("WebFinger needs exactly one resource")
    resource = asked[0]
    if resource.rstrip("/") == kit.base:
        return _json(webfinger.site_jrd(kit.base, kit.instance_actor), webfinger.JRD, OPEN)
    account = _account(kit, resource)
    if account is None:
        raise NotFound(resource[:200])
    if account.deleted is not None:
        raise Gone(account.id)
    state_preferences(request, kit.settings.instance_preferences)
    instance = account.kind == "Application"
    page = f"{kit.base}/about" if instance else f"{kit.base}/@{account.name}"
    document = webfinger.jrd(
        f"acct:{account.name}@{kit.settings.domain}", account.id, page,
        aliases=() if instance else (page,), feed=None if instance else f"{page}.atom",
    )  # fmt: skip
    return _json(document, webfinger.JRD, OPEN)


def _account(kit: Kit, resource: str) -> Account | None:
    named = webfinger.account_of(resource)
    if named is not None:
        name, host = named
        local = {kit.settings.domain, kit.settings.origin.authority, kit.settings.origin.host}
        return kit.store.accounts.by_name(name) if host in local else None
    if not same_origin(resource, kit.base):
        return None
    found = kit.store.accounts.by_id(resource)
    if found is None and resource.startswith(f"{kit.base}/@"):
        found = kit.store.accounts.by_name(resource.removeprefix(f"{kit.base}/@"))
    return found


async def host_meta(request: Request) -> Response:
    """Point at WebFinger."""
    return Response(webfinger.host_meta(kit_of(request).base), 200, HOUR, "application/xrd+xml")


async def nodeinfo_links(request: Request) -> Response:
    """Point at NodeInfo and the instance actor."""
    kit = kit_of(request)
    return _json(nodeinfo.links(kit.base, kit.instance_actor))


async def nodeinfo_document(request: Request) -> Response:
    """Describe the server."""
    kit = kit_of(request)
    document = nodeinfo.nodeinfo(
        base=kit.base, version=__version__, users=len(kit.store.accounts.all()), posts=kit.store.objects.count_local(),
        usage=dict(kit.settings.instance_preferences.as_json()),
    )  # fmt: skip
    return _json(document, f'application/json; profile="{nodeinfo.SCHEMA}#"')


async def robots(request: Request) -> Response:
    """Say what crawlers are asked."""
    return PlainTextResponse(robots_txt.render(kit_of(request).settings.instance_preferences), headers=HOUR)


async def security_txt(request: Request) -> Response:
    """Say where a weakness is reported (RFC 9116)."""
    kit = kit_of(request)
    contact = kit.settings.contact or f"{kit.base}/about/security"
    contact = contact if ":" in contact else f"mailto:{contact}"
    expires = kit.clock.now().replace(hour=0, minute=0, second=0, microsecond=0) + SECURITY_TXT_LIFE
    lines = [
        f"Contact: {contact}", f"Expires: {rfc3339(expires)}", "Preferred-Languages: en, ja",
        f"Canonical: {kit.base}/.well-known/security.txt", f"Policy: {kit.base}/about/security", "",
    ]  # fmt: skip
    return PlainTextResponse("\n".join(lines), headers=HOUR)


async def tdmrep(request: Request) -> Response:
    """Reserve text and data mining for the whole site."""
    kit = kit_of(request)
    return _json(tdm.render_file(kit.settings.instance_preferences, kit.policy_url))


async def tdm_policy(request: Request) -> Response:
    """Say under which policy mining would be possible: ask first (ODRL, TDMRep profile)."""
    kit = kit_of(request)
    return _json(
        {
            "@context": ["http://www.w3.org/ns/odrl.jsonld", "http://www.w3.org/ns/tdmrep.jsonld"],
            "@type": "Offer",
            "profile": "http://www.w3.org/ns/tdmrep",
            "uid": kit.policy_url,
            "assigner": {"uid": kit.instance_actor, "vcard:hasURL": kit.settings.appeal},
            "permission": [{"action": "tdm:mine", "duty": [{"action": "obtainConsent"}]}],
        },
        "application/ld+json",
    )


async def livez(_request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})


async def readyz(request: Request) -> Response:
    """Say whether the database answers and can be written to, and the worker works."""
    gateway = request.app.gateway
    try:
        gateway.kit.store.meta.note_alive(gateway.kit.clock)
        ready = gateway.worker.alive
    except StoreError:
        ready = False
    return PlainTextResponse("ok\n" if ready else "not ready\n", 200 if ready else 503, {"cache-control": "no-store"})

"""WebFinger (RFC 7033) and host-meta (RFC 6415): from a handle to an actor, with FEP-d556's site actor."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from gateway.activitypub.properties import ACTIVITY_JSON
from gateway.errors import BadInput, BadUrl
from gateway.urls import normalise_host

SITE_ACTOR_REL = "https://www.w3.org/ns/activitystreams#Service"
JRD = "application/jrd+json"
MAX_PORT = 65_535


def account_of(resource: str) -> tuple[str, str] | None:
    """Return (name, host) of ``acct:name@host`` in normal form, None for another URI; raise BadInput for nonsense."""
    if not resource.lower().startswith("acct:"):
        return None
    name, at, host = resource[5:].removeprefix("@").partition("@")
    try:
        plain, colon, port = host.partition(":")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= MAX_PORT):
            raise BadInput(f"not an account: {resource[:100]!r}")
        normal = normalise_host(plain) + (f":{int(port)}" if colon else "")
    except (BadUrl, ValueError) as error:
        raise BadInput(f"not an account: {resource[:100]!r}") from error
    if not name or not at:
        raise BadInput(f"not an account: {resource[:100]!r}")
    return name.lower(), normal


def jrd(
    subject: str, actor: str, page: str, *, aliases: tuple[str, ...] = (), feed: str | None = None
) -> dict[str, object]:
    """Return the JSON Resource Descriptor of an actor."""
    links: list[dict[str, str]] = [
        {"rel": "self", "type": ACTIVITY_JSON, "href": actor},
        {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": page},
    ]
    if feed is not None:
        links.append(
            {"rel": "http://schemas.google.com/g/2010#updates-from", "type": "application/atom+xml", "href": feed}
        )
    return {"subject": subject, "aliases": [actor, *aliases], "links": links}


def site_jrd(base: str, actor: str) -> dict[str, object]:
    """Return the descriptor of the site itself, which names its instance actor (FEP-d556)."""
    return {"subject": f"{base}/", "links": [{"rel": SITE_ACTOR_REL, "type": ACTIVITY_JSON, "href": actor}]}


def host_meta(base: str) -> str:
    """Return the XRD that points at WebFinger."""
    template = quoteattr(f"{base}/.well-known/webfinger?resource={{uri}}")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">'
        f'<Link rel="lrdd" type="{JRD}" template={template}/></XRD>\n'
    )


def self_link(document: object) -> str | None:
    """Return the actor a remote descriptor points at, or None."""
    links = document.get("links") if isinstance(document, dict) else None
    wanted = (ACTIVITY_JSON, 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"')
    for link in links[:50] if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self" and link.get("type") in wanted:
            href = link.get("href")
            return href if isinstance(href, str) else None
    return None

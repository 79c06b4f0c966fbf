"""The places of the catalogue where the gateway keeps a URL at most: field -> value, by the catalogue's name.

``mention_everywhere`` says a URL in all of them at once, in every kind of document that a stranger, an author or an app
can hand in.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attacks.ssrf_scene import ALICE
from peers.plain import AS2, Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacks.internet import Ask, Site
    from attacks.ssrf_scene import Scene


def host_in(url: str) -> str:
    """Return what stands where a host stands, as it is written."""
    return url.partition("://")[2].partition("/")[0]


def _image(url: str) -> dict[str, str]:
    return {"type": "Image", "mediaType": "image/png", "url": url, "href": url}


FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "media_fetch": lambda url: {
        "attachment": [_image(url), {"type": "Video", "url": [{"type": "Link", "href": url, "rel": "x"}]}],
        "image": _image(url), "icon": [_image(url)], "url": [url, {"type": "Link", "href": url, "rel": "alternate"}],
    },
    "emoji_fetch": lambda url: {
        "tag": [{"type": "Emoji", "id": url, "name": ":x:", "icon": _image(url)}, {"type": "Hashtag", "href": url}],
    },
    "link_preview": lambda url: {
        "content": f'<p><a href="{url}">look</a> {url}</p><img src="{url}">', "preview": url,
        "source": {"content": url}, "quoteUrl": url, "quoteUri": url, "_misskey_quote": url, "quote": url,
        "context": url, "conversation": url,
    },
    "host_meta_template": lambda url: {"aliases": [url], "lrdd": url},
    "nodeinfo_link": lambda url: {"generator": {"type": "Application", "url": url, "id": url}, "instrument": url},
    "did_web": lambda url: {
        "alsoKnownAs": [f"did:web:{host_in(url)}", url],
        "proof": {"type": "DataIntegrityProof", "verificationMethod": url, "controller": url, "proofValue": "z"},
        "signature": {"type": "RsaSignature2017", "creator": url, "signatureValue": "eA=="},
    },
    "atproto_handle_wellknown": lambda url: {"handle": host_in(url), "webfinger": f"@m@{host_in(url)}"},
    "pds_endpoint": lambda url: {
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": url}],
    },
    "labeler_endpoint": lambda url: {
        "services": [{"id": "#atproto_labeler", "type": "AtprotoLabeler", "serviceEndpoint": url}],
    },
    "blob_fetch": lambda url: {"blob": {"ref": url}, "blurhash": url, "embed": {"external": {"uri": url}}},
    "webhook": lambda url: {"webhook": url, "callback": url, "hub": url, "origin": url, "result": url, "location": url},
    "pledge_url": lambda url: {"aiUsagePledge": url, "pledge": url, "tdm-policy": url, "policy": url, "license": url},
    "evidence_url": lambda url: {"evidence": url, "receipt": url, "checkpoint": url},
    "import_blocklist_url": lambda url: {
        "blocked": url, "blocks": url, "streams": [url], "featured": url, "liked": url, "shares": url, "likes": url,
    },
    "oauth_client_metadata": lambda url: {
        "endpoints": dict.fromkeys(("oauthAuthorizationEndpoint", "oauthTokenEndpoint", "proxyUrl"), url),
    },
}  # fmt: skip


def everything(url: str) -> dict[str, Any]:
    """Return every field that is only kept, with the URL in it."""
    return {name: value for fields in FIELDS.values() for name, value in fields(url).items()}


async def mention_everywhere(scene: Scene, url: str) -> set[str]:
    """Say the URL in every field that is only kept; return the documents of the attacker that were to be fetched."""
    site, fields = scene.mallory, everything(url)
    peer = site.peer
    _serve_discovery(site, url)
    who = scene.newcomer(site, **{name: value for name, value in fields.items() if name != "endpoints"})
    note = peer.note("x", who, to=[ALICE], cc=[], **fields)
    boosted = scene.page(site, {"@context": AS2, **peer.note("y", who), **fields}, "/notes")
    for document in (
        peer.activity("Create", note, who, to=[ALICE], **fields),
        peer.activity("Update", {**note, "content": url, "updated": "2026-12-01T00:00:00Z"}, who, to=[ALICE], **fields),
        peer.activity("Update", who.document(**fields), who),
        peer.activity("Flag", [ALICE], who, **fields),
        peer.activity("Like", note["id"], who, **fields),
        {**peer.activity("Add", note["id"], who, **fields), "target": url},
        peer.activity("Block", ALICE, who, **fields),
        peer.activity("Delete", {"type": "Tombstone", "id": note["id"], "url": url}, who, **fields),
    ):
        await scene.post(peer, document, who)
    await scene.post(peer, peer.activity("Announce", boosted, peer.me, **fields))
    await _mention_here(scene, url, fields)
    return {who.id, boosted}


async def _mention_here(scene: Scene, url: str, fields: dict[str, Any]) -> None:
    """Say the URL as an app, as alice's software and as a developer who fetches nothing besides."""
    app = dict.fromkeys(("client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "sector_identifier_uri"), url)
    await scene.web("POST", "/oauth/register", document={**app, "client_id": url, "redirect_uris": [url]})
    await scene.web("POST", "/oauth/register", document={**app, "redirect_uris": ["https://app.example/"]})
    await scene.web("GET", "/oauth/authorize", {"client_id": url, "redirect_uri": url, "request_uri": url})
    for name in (f"did:web:{host_in(url)}", f"at://{host_in(url)}/x/1"):
        await scene.web("GET", "/inspect.json", {"url": name})
    await scene.web("POST", "/inspect.json", document={"@context": [AS2, url], "type": "Note", **fields})
    await scene.submit({"type": "Note", "to": [ALICE], **fields})


def _serve_discovery(site: Site, url: str) -> None:
    """Offer what others follow: NodeInfo and host-meta that lead to the URL."""
    links = [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.1", "href": url, "template": url}]
    body = json.dumps({"links": links}).encode()

    def led(_ask: Ask) -> Served:
        return Served(200, {"content-type": "application/json", "link": f"<{url}>; rel=preload"}, body)

    site.default = led

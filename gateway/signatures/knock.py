"""Which signature to try with a server, and in which order: at most three knocks.

Strangers get draft-cavage first: servers that answer 202 before they verify would silently lose an
RFC 9421 request. A server that showed RFC 9421 (advertised it, sent a verified one, or asked with
Accept-Signature) gets that first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_KNOCKS = 3
RETRIED = frozenset({400, 401})
_NONCE = re.compile(r';\s*nonce="([^"\\]{1,200})"')
_LABEL = re.compile(r"\s*([a-z*][a-z0-9_.*-]{0,31})\s*=\s*\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """One way to send: the scheme, whether Content-Usage goes along, what a challenge asked for."""

    scheme: str
    content_usage: bool
    nonce: str | None = None
    label: str = "sig1"


def first(*, speaks_rfc9421: bool, takes_content_usage: bool) -> Knock:
    """Return the first knock for what is remembered about the origin."""
    return Knock(scheme="rfc9421" if speaks_rfc9421 else "cavage", content_usage=takes_content_usage)


def after(tried: tuple[Knock, ...], status: int, accept_signature: str | None) -> Knock | None:
    """Return the next knock after ``status``, or None when there is nothing left to try."""
    last = tried[-1]
    if status not in RETRIED or len(tried) >= MAX_KNOCKS:
        return None
    if accept_signature is not None and last.nonce is None:
        challenged = _challenged(accept_signature, content_usage=last.content_usage)
        if challenged not in tried:
            return challenged
    other = "cavage" if last.scheme == "rfc9421" else "rfc9421"
    for candidate in (
        Knock(scheme=last.scheme, content_usage=False),
        Knock(scheme=other, content_usage=last.content_usage),
        Knock(scheme=other, content_usage=False),
    ):
        if candidate not in tried:
            return candidate
    return None


def _challenged(accept_signature: str, *, content_usage: bool) -> Knock:
    nonce = _NONCE.search(accept_signature)
    label = _LABEL.match(accept_signature)
    return Knock(
        scheme="rfc9421",
        content_usage=content_usage,
        nonce=nonce[1] if nonce else None,
        label=label[1] if label else "sig1",
    )

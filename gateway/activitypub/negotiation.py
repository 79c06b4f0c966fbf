"""Which form of a resource somebody wants: ActivityStreams JSON or a page for people (RFC 9110, section 12.5)."""

from __future__ import annotations

import re

from gateway.jsonld.contexts import AS2

_TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s;,"]+'
_EQUALS = r"[ \t]*=[ \t]*"
_PARAMETER = re.compile(rf";[ \t]*(?:({_TCHARS}){_EQUALS}({_VALUE})?)?")
_PARAMETERS = rf"(?:;[ \t]*(?:{_TCHARS}{_EQUALS}(?:(?:{_VALUE})[ \t]*)?)?)*"
_MEDIA_TYPE = re.compile(rf"[ \t]*(?P<media>{_TCHARS}/{_TCHARS})[ \t]*(?P<parameters>{_PARAMETERS})")
_JSON = ("application/activity+json", "application/json", "application/ld+json")


def _ranges(accept: str) -> list[tuple[str, dict[str, str], float]]:
    parsed = []
    for part in accept.split(",")[:50]:
        media, *parameters = part.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        given = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            quality = 0.0
        parsed.append((media.strip().lower(), given, min(max(quality, 0.0), 1.0)))
    return parsed


def wants_html(accept: str) -> bool:
    """Tell whether ``Accept`` prefers a page over JSON; software that says nothing gets JSON."""
    html = max((q for media, _, q in _ranges(accept) if media in ("text/html", "application/xhtml+xml")), default=0.0)
    json = max((q for media, _, q in _ranges(accept) if media in _JSON), default=0.0)
    return html > json


def wants_profiled(accept: str) -> bool:
    """Tell whether ``application/ld+json`` with the AS2 profile is asked for rather than the short name."""
    ranges = _ranges(accept)
    short = any(media == "application/activity+json" for media, _, _ in ranges)
    return not short and any(media == "application/ld+json" for media, _, _ in ranges)


def is_activity_type(content_type: str) -> bool:
    """Tell whether a Content-Type is one of the two that carry ActivityStreams documents.

    ``application/ld+json`` counts only with the AS2 profile among its profiles: user uploads must
    never pass for actors (GHSA-jhrq-qvrm-qr36).
    """
    parsed = _MEDIA_TYPE.fullmatch(content_type)
    if parsed is None:
        return False
    parameters: dict[str, str] = {}
    for name, value in filter(any, _PARAMETER.findall(parsed["parameters"])):
        plain = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if parameters.setdefault(name.lower(), plain) != plain:
            return False  # one reader takes the first, another the last
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii", ""):
        return False
    media = parsed["media"].lower()
    if media == "application/activity+json":
        return True
    return media == "application/ld+json" and AS2 in parameters.get("profile", "").split()

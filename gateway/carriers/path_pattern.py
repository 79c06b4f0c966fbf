"""Path patterns of robots.txt and tdmrep.json: a prefix, with ``*`` and a final ``$`` (RFC 9309, section 2.2.3)."""

from __future__ import annotations

import re
from urllib.parse import quote

_ASCII = "".join(chr(code) for code in range(0x21, 0x7F))


def encoded(text: str) -> str:
    """Return ``text`` with everything outside ASCII percent-encoded and escapes in upper case."""
    escaped = quote(text, safe=_ASCII, errors="surrogatepass")
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda escape: escape[0].upper(), escaped)


def matches(pattern: str, path: str) -> bool:
    """Tell whether ``pattern`` covers ``path``, without ever going back."""
    anchored = pattern.endswith("$")
    first, *others = encoded(pattern.removesuffix("$")).split("*")
    subject = encoded(path)
    if anchored and not others:
        return subject == first
    if not subject.startswith(first):
        return False
    at = len(first)
    last = others.pop() if anchored else ""
    for part in others:
        found = subject.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return subject.endswith(last) and len(subject) - len(last) >= at

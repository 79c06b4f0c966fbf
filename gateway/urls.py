"""Origins, hosts and URLs in one normal form, so that comparing them is comparing values.

Origin = scheme + host + port (RFC 6454); hosts are IDNA 2008 A-labels, lower case, without the
trailing dot. Everything that compares hosts or origins goes through here.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

import idna

from gateway.errors import BadUrl

MAX_URL = 2048
MAX_REMEMBERED = 512  # characters of an address whose origin is remembered
MAX_HOST = 253
DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\^`{|}<>\"\ud800-\udfff]")
_BRACKETS = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """A web origin in normal form; ``str()`` gives it without the default port."""

    scheme: str
    host: str
    port: int
    authority: str = field(init=False, compare=False, repr=False)
    _text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Write it down once: ``authority`` is ``host``, or ``host:port`` when the port is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        authority = host if DEFAULT_PORTS[self.scheme] == self.port else f"{host}:{self.port}"
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "_text", f"{self.scheme}://{authority}")

    def __str__(self) -> str:
        """Return ``https://host`` or ``https://host:8443``."""
        return self._text


def is_loopback(host: str) -> bool:
    """Tell whether a normal host name or IP literal means this machine (RFC 6761, section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_PLAIN = re.compile(r"https?://[a-z0-9.-]+(?::[1-9][0-9]{0,4})?(?=[/?#]|\Z)")


def normalise_host(text: str) -> str:
    """Return the normal form of a host name or IP literal (brackets removed).

    Raises BadUrl for anything with user info, port, path or impossible labels.
    """
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        if ":" not in host or "%" in host:  # only IPv6 stands in brackets, and a zone means nothing elsewhere
            raise BadUrl(f"not an IPv6 literal: {text!r}")
        return _ip_literal(host[1:-1])
    host = host.removesuffix(".").lower()
    if not host or len(host) > MAX_HOST or _UNSAFE.search(host) or set("/@:?#[]%") & set(host):
        raise BadUrl(f"not a host name: {text!r}")
    if host.isascii() and not host.startswith("xn--") and ".xn--" not in host:
        ascii_host = host
    else:
        try:
            ascii_host = idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
        except idna.IDNAError as error:
            raise BadUrl(f"not an IDNA host name: {text!r}") from error
    labels = ascii_host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl(f"not a host name: {text!r}")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return _ip_literal(ascii_host)
    return ascii_host


def _ip_literal(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        # 127.1, 0x7f000001 and 2130706433 count as names here but as addresses in resolvers.
        raise BadUrl(f"ambiguous numeric host: {text!r}") from error


def split(url: object) -> SplitResult:
    """Return the parts of an absolute http(s) URL without user info; raise BadUrl otherwise."""
    if not isinstance(url, str):
        raise BadUrl(f"not a URL but {type(url).__name__}")
    if len(url) > MAX_URL or _UNSAFE.search(url):
        raise BadUrl(f"not a URL: {url[:80]!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"not a URL: {url[:80]!r}") from error
    if parts.scheme.lower() not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or port == 0:
        raise BadUrl(f"not an http(s) URL: {url[:80]!r}")
    # The standard library drops whatever stands around the brackets of an IPv6 literal.
    if "[" in parts.netloc and not _BRACKETS.fullmatch(parts.netloc):
        raise BadUrl(f"not an http(s) URL: {url[:80]!r}")
    return parts


def origin_of(url: object) -> Origin:
    """Return the origin of an absolute http(s) URL; raise BadUrl when it has none."""
    return _known(url) if isinstance(url, str) and len(url) <= MAX_REMEMBERED else _parsed(url)


def _parsed(url: object) -> Origin:
    # Most addresses begin in one plain way; the origin of all that begin alike is the same.
    if isinstance(url, str) and len(url) <= MAX_URL and not _UNSAFE.search(url) and (plain := _PLAIN.match(url)):
        return _plain_origin(plain[0])
    return _by_parts(url)


@functools.lru_cache(4_096)
def _plain_origin(start: str) -> Origin:
    return _by_parts(f"{start}/")


def _by_parts(url: object) -> Origin:
    parts = split(url)
    scheme = parts.scheme.lower()
    host = f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""
    return Origin(scheme, normalise_host(host), parts.port or DEFAULT_PORTS[scheme])


# One request names the same few addresses dozens of times.
_known = functools.lru_cache(4_096)(_parsed)


def try_origin(url: object) -> Origin | None:
    """Return the origin of ``url``, or None when it has none."""
    try:
        return origin_of(url)
    except BadUrl:
        return None


def same_origin(first: object, second: object) -> bool:
    """Tell whether both are http(s) URLs of one origin."""
    one = try_origin(first)
    return one is not None and one == try_origin(second)


def normalised(url: object) -> str | None:
    """Return an http(s) URL with its origin in normal form and no fragment, or None when it is none."""
    origin = try_origin(url)
    return None if origin is None else f"{origin}{request_target(without_fragment(str(url)))}"


def without_fragment(url: str) -> str:
    """Return ``url`` up to its first ``#``: what goes on the wire."""
    return url.partition("#")[0]


def to_uri(url: str) -> str:
    """Return an http(s) IRI as the URI that goes on the wire; raise BadUrl when it has none."""
    if url.isascii():
        return url
    parts = split(url)
    host = normalise_host(f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or "")
    netloc = f"[{host}]" if ":" in host else host
    netloc = f"{netloc}:{parts.port}" if parts.port is not None else netloc
    path, query = (quote(part, safe="!$%&'()*+,/:;=?@~-._") for part in (parts.path, parts.query))
    return parts._replace(netloc=netloc, path=path, query=query).geturl()


def covers(pattern: str, host: str) -> bool:
    """Tell whether ``host`` is ``pattern`` or one of its subdomains (both in normal form)."""
    return host == pattern or host.endswith("." + pattern)


def request_target(url: str) -> str:
    """Return path and query of ``url`` as they stand in the request line."""
    parts = split(url)
    path = parts.path or "/"
    return f"{path}?{parts.query}" if "?" in without_fragment(url) else path

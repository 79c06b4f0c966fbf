"""The request as signatures see it: method, full target URI from the configured origin, header lines, body."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.urls import without_fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """One HTTP request. ``target`` is absolute; ``headers`` are (name, value) lines in order."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    _fields: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def lines(self, name: str) -> list[str]:
        """Return the values of every line of a field, stripped (RFC 9421, section 2.1)."""
        if not self._fields:  # sorted by field once somebody asks
            for line, value in self.headers:
                self._fields.setdefault(line.lower(), []).append(value.strip(" \t"))
        return list(self._fields.get(name, ()))

    def value(self, name: str) -> str | None:
        """Return the combined value of a field, or None when it is missing."""
        lines = self.lines(name)
        return ", ".join(lines) if lines else None

    @property
    def authority(self) -> str:
        """Return the authority of the target, lower case, without the default port."""
        return _authority_and_path(self.target)[0]

    @property
    def path_and_query(self) -> str:
        """Return the request target in origin form."""
        return _authority_and_path(self.target)[1]

    def with_headers(self, *added: tuple[str, str]) -> SignedRequest:
        """Return the same request with more header lines."""
        return SignedRequest(method=self.method, target=self.target, headers=(*self.headers, *added), body=self.body)


@functools.lru_cache(maxsize=1_024)  # every check of a request asks, and inboxes are written to again and again
def _authority_and_path(url: str) -> tuple[str, str]:
    target = without_fragment(url)
    parts = urlsplit(target)
    path = parts.path or "/"
    authority = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
    return authority, f"{path}?{parts.query}" if "?" in target else path

"""The request as signatures see it: method, full target URI from the configured origin, header lines, body."""

from __future__ import annotations

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
    _fields: dict[str, list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the lines by field: every check asks for some."""
        fields: dict[str, list[str]] = {}
        for name, value in self.headers:
            fields.setdefault(name.lower(), []).append(value.strip(" \t"))
        object.__setattr__(self, "_fields", fields)

    def lines(self, name: str) -> list[str]:
        """Return the values of every line of a field, stripped (RFC 9421, section 2.1)."""
        return list(self._fields.get(name, ()))

    def value(self, name: str) -> str | None:
        """Return the combined value of a field, or None when it is missing."""
        lines = self.lines(name)
        return ", ".join(lines) if lines else None

    @property
    def authority(self) -> str:
        """Return the authority of the target, lower case, without the default port."""
        parts = urlsplit(self.target)
        netloc = parts.netloc.lower()
        return netloc.removesuffix(":443" if parts.scheme == "https" else ":80")

    @property
    def path_and_query(self) -> str:
        """Return the request target in origin form."""
        target = without_fragment(self.target)
        parts = urlsplit(target)
        path = parts.path or "/"
        return f"{path}?{parts.query}" if "?" in target else path

    def with_headers(self, *added: tuple[str, str]) -> SignedRequest:
        """Return the same request with more header lines."""
        return SignedRequest(method=self.method, target=self.target, headers=(*self.headers, *added), body=self.body)

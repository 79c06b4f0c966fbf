"""The error tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from gateway import errors
from gateway.errors import BadInput, BadUrl, GatewayError, RemoteAnswer, RemoteUnreachable, Text, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


def _tree(root: type[GatewayError], depth: int = 0) -> Iterator[tuple[int, type[GatewayError]]]:
    yield depth, root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


ALL = [error for _, error in _tree(GatewayError)]


def test_docstring_draws_the_tree() -> None:
    """The tree drawn in the module's docstring is the tree of the code: names, places, statuses and exit codes."""
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+) +(\d{3})  (\d)", errors.__doc__ or "", re.MULTILINE)
    found = {name: (len(lead) // 4, int(status), int(code)) for lead, name, status, code in drawn}
    assert found == {error.__name__: (depth, error.status, error.exit_code) for depth, error in _tree(GatewayError)}


def test_codes_are_stable_and_unique() -> None:
    """Every error has a code of its own, in lower case with hyphens."""
    codes = [error.code for error in ALL]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize(
    ("name", "code", "status", "exit_code"),
    [
        ("GatewayError", "internal", 500, 1),
        ("BadUrl", "bad-url", 400, 2),
        ("MalformedSignature", "malformed-signature", 400, 5),
        ("NotAuthenticated", "not-authenticated", 401, 5),
        ("Refused", "refused", 403, 4),
        ("NotFound", "not-found", 404, 3),
        ("Gone", "gone", 410, 3),
        ("WrongHost", "wrong-host", 421, 2),
        ("TooManyRequests", "too-many-requests", 429, 1),
        ("Unavailable", "unavailable", 503, 6),
        ("AddressRefused", "address-refused", 502, 6),
        ("RemoteAnswer", "remote-answer", 502, 6),
    ],
)
def test_promised_codes(name: str, code: str, status: int, exit_code: int) -> None:
    """Scripts and peers can rely on code, status and exit code."""
    error: type[GatewayError] = getattr(errors, name)
    assert (error.code, error.status, error.exit_code) == (code, status, exit_code)


def test_every_title_in_both_languages() -> None:
    """Every error has its own title for the reader, in English and in Japanese."""
    titles = [error.title for error in ALL]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert title.en.isascii()
        assert title.ja
        assert not title.ja.isascii()


def test_input_is_never_the_servers_fault() -> None:
    """An error about input never has a status from 500 on."""
    assert all(error.status == 400 for error in ALL if issubclass(error, BadInput))


def test_language() -> None:
    """A text is given in the language asked for, and in English when it is none of ours."""
    text = Text("Hello", "こんにちは")
    assert [text.in_language(language) for language in ("en", "ja", "de", "")] == [
        "Hello",
        "こんにちは",
        "Hello",
        "Hello",
    ]


def test_internal_text_stays_inside() -> None:
    """What is written for logs is not what a stranger reads."""
    error = BadUrl("password in https://u:p@a.example/")
    assert str(error) == "password in https://u:p@a.example/"
    assert error.detail == BadUrl.title
    assert (error.reason, error.retry_after, error.extra) == ("bad-url", None, ())


def test_without_text() -> None:
    """An error without text shows its title in logs."""
    assert str(GatewayError()) == "The gateway failed"


def test_details() -> None:
    """Detail, reason code, waiting time and further members can be given."""
    detail = Text("Wait", "待ってください")
    error = Unavailable("disk full", detail=detail, code="disk-full", retry_after=30, extra=[("steps", [])])
    assert (error.detail, error.reason, error.retry_after, error.extra) == (detail, "disk-full", 30, (("steps", []),))
    assert (error.code, error.status) == ("unavailable", 503)


def test_remote_answer() -> None:
    """An unusable answer keeps the other server's status and how long to wait."""
    error = RemoteAnswer("busy", remote_status=503, retry_after=60)
    assert (error.remote_status, error.retry_after, str(error)) == (503, 60, "busy")
    assert RemoteAnswer("odd").remote_status == 0
    assert isinstance(error, RemoteUnreachable)

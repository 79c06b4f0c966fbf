"""Errors on the web: problem documents for software, pages for people, in two languages; defects tell nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from web.asking import problem_of
from world import BASE

from gateway import errors
from gateway.errors import GatewayError, StoreError, TooManyRequests, Unavailable
from gateway.observe import logs

if TYPE_CHECKING:
    from web.asking import Answer
    from web.conftest import Site

pytestmark = pytest.mark.anyio


async def _after(site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, **headers: str) -> Answer:
    """Return the answer to a request whose handler meets ``error``."""

    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(site.kit.store.objects, "count_local", fail)
        return await site.get("/nodeinfo/2.1", **headers)


def _all(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all(child))]


@pytest.mark.parametrize("kind", _all(), ids=lambda kind: kind.__name__)
async def test_every_error_of_the_tree_has_its_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[GatewayError]
) -> None:
    """Status, code and safe text are the error's own; the internal text stays inside."""
    answer = await _after(site, monkeypatch, kind("a secret in the logs"))
    problem = problem_of(answer, [kind.status])
    assert (problem["code"], problem["title"]) == (kind.code, kind.title.en)
    assert "secret" not in answer.text
    assert answer.header("cache-control") == "no-store"
    assert ("hint" in problem) == (kind.status == 401)
    assert (await site.get(f"/problems/{kind.code}")).status == 200


@pytest.mark.parametrize("kind", _all(), ids=lambda kind: kind.__name__)
async def test_errors_speak_japanese(site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[GatewayError]) -> None:
    """Title and detail follow Accept-Language; ``error``, which Mastodon shows in its log, stays English."""
    problem = (await _after(site, monkeypatch, kind("x"), accept_language="ja")).json
    assert (problem["title"], problem["error"]) == (kind.title.ja, kind.title.en)


async def test_a_browser_gets_a_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who prefers HTML reads the same error as a page in their language."""
    for language, word in (("en", "There is nothing here"), ("ja", "見つかりません")):
        answer = await _after(
            site, monkeypatch, errors.NotFound("x"), accept="text/html,*/*;q=0.8", accept_language=language
        )
        assert (answer.status, answer.media_type) == (404, "text/html; charset=utf-8")
        assert word in answer.text
        assert "<code>not-found</code>" in answer.text
        assert f'<html lang="{language}">' in answer.text


async def test_a_passing_fault_says_when_to_come_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After is the error's own; a database that fails asks for half a minute."""
    for error, seconds in (
        (Unavailable("x", retry_after=7), "7"),
        (TooManyRequests("x", retry_after=60), "60"),
        (StoreError("disk full"), "30"),
        (errors.NotFound("x"), ""),
    ):
        assert (await _after(site, monkeypatch, error)).header("retry-after") == seconds


async def test_further_members_are_in_the_document(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an error adds stands in its document, and on its page escaped."""
    extra = (("evidence", ["<b>1</b>"]), ("appeal", "<script>"))
    error = errors.Refused("x", extra=extra)
    assert (await _after(site, monkeypatch, error)).json["evidence"] == ["<b>1</b>"]
    page = (await _after(site, monkeypatch, error, accept="text/html")).text
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "<script>" not in page


async def test_a_defect_is_a_500_that_tells_a_stranger_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash is logged with its trace and answered without it."""
    logs.configure("error")  # again, because it holds on to the stream
    sent: list[dict[str, Any]] = []

    def fail() -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(site.kit.store.objects, "count_local", fail)
    scope = {
        "type": "http", "method": "GET", "path": "/nodeinfo/2.1", "raw_path": b"/nodeinfo/2.1", "query_string": b"",
        "headers": [(b"host", b"gw.example")], "scheme": "https", "server": ("127.0.0.1", 8000), "client": None,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError):  # the server's own log gets it, too
        await site.app(scope, receive, send)
    assert sent[0]["status"] == 500
    names = {name for name, _ in sent[0]["headers"]}
    assert {b"content-security-policy", b"x-content-type-options", b"content-usage", b"ai-usage"} <= names
    body = sent[1]["body"].decode()
    assert '"code":"internal"' in body
    assert "secret" not in body
    assert "ZeroDivisionError" in capsys.readouterr().err


async def test_the_hint_can_be_pasted_into_a_shell(site: Site) -> None:
    """The command in a 401 is one word and one quoted argument, whatever the path holds."""
    problem = (await site.get("/posts/$(reboot);x")).json
    assert problem["hint"] == f"gateway lookup --signed '{BASE}/posts/$(reboot);x'"

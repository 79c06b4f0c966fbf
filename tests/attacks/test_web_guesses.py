"""Guessing secrets: who was wrong 25 times in five minutes waits, whatever was guessed and however it was sent."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks.web_scene import ALICE, SAME_SITE, VERIFIER, Case, Site, app_of, cases, opened, wish
from peers.plain import ACTIVITY_JSON

from gateway.flows import grant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from web.asking import Answer

    Guess = Callable[[Site, str], Awaitable[Answer]]

pytestmark = pytest.mark.anyio

TRIES = 25
MINUTES = 5
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


async def _page(site: Site, address: str) -> Answer:
    return await site.ask("GET", "/sign-in?code=guess", address=address)


async def _link(site: Site, address: str) -> Answer:
    return await site.form("/sign-in", {"code": "guess"}, SAME_SITE, address=address)


async def _token(site: Site, address: str) -> Answer:
    return await site.ask("GET", "/users/alice/inbox", [("authorization", "Bearer gw_guess")], address=address)


async def _publishing(site: Site, address: str) -> Answer:
    lines = [("authorization", "Bearer gw_guess"), ("content-type", ACTIVITY_JSON)]
    return await site.ask("POST", "/users/alice/outbox", lines, b"{}", address=address)


async def _cookie(site: Site, address: str) -> Answer:
    return await site.ask("GET", f"/inspect.json?url={ALICE}", [("cookie", "gateway_session=guess")], address=address)


async def _secret(site: Site, address: str) -> Answer:
    client = await app_of(site, token_endpoint_auth_method="client_secret_post")
    fields = {"client_id": client["client_id"], "client_secret": "guess", "grant_type": "authorization_code"}
    return await site.form("/oauth/token", fields, address=address)


async def _basic(site: Site, address: str) -> Answer:
    client = await app_of(site, token_endpoint_auth_method="client_secret_basic")
    word = base64.b64encode(f"{client['client_id']}:guess".encode()).decode()
    return await site.form("/oauth/revoke", {"token": "x"}, ("authorization", f"Basic {word}"), address=address)


async def _code(site: Site, address: str) -> Answer:
    client = await app_of(site)
    fields = {"client_id": client["client_id"], "code": "guess", "grant_type": "authorization_code"}
    return await site.form("/oauth/token", {**fields, "code_verifier": VERIFIER}, address=address)


async def _consent(site: Site, address: str) -> Answer:
    return await site.form("/oauth/authorize", wish(await app_of(site), code="guess"), SAME_SITE, address=address)


GUESSES: dict[str, Guess] = {
    "the page of a link": _page,
    "a link": _link,
    "a token": _token,
    "a token, publishing": _publishing,
    "a cookie": _cookie,
    "an app's secret": _secret,
    "an app's secret in a header": _basic,
    "an app's code": _code,
    "a code on the consent page": _consent,
}


def check_waits(answer: Answer) -> None:
    """Fail unless somebody is told to wait, and for how long."""
    assert answer.status == 429, answer.status
    assert 1 <= int(answer.header("retry-after")) <= MINUTES * 60


@pytest.mark.parametrize("kind", GUESSES)
@cases("WEB-ADMIN-005")
async def test_who_guesses_has_25_tries(site: Site, case: Case, kind: str) -> None:
    """After 25 wrong secrets from one address the answer is 429, also to a right one; after five minutes it goes on."""
    guess = GUESSES[kind]
    for _try in range(TRIES):
        assert (await guess(site, HERE)).status in (400, 401)
    for _again in range(3):
        check_waits(await guess(site, HERE))
    right = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    check_waits(await site.form("/sign-in", {"code": right}, SAME_SITE, address=HERE))
    assert (await guess(site, THERE)).status in (400, 401)
    assert (await site.form("/sign-in", {"code": right}, SAME_SITE, address=THERE)).status == 303
    # Who has a living token already is not held up by the guesses of a neighbour.
    assert (await site.ask("GET", "/users/alice/inbox", [site.bearer()], address=HERE)).status == 200
    site.world.clock.forward(minutes=MINUTES)
    assert (await guess(site, HERE)).status in (400, 401)
    case.proves("429")


@cases("WEB-ADMIN-005")
async def test_every_way_to_guess_counts(site: Site, case: Case) -> None:
    """Whoever tries links, tokens, cookies and codes in turn has 25 tries in all."""
    guesses = list(GUESSES.values())
    for number in range(TRIES):
        assert (await guesses[number % len(guesses)](site, HERE)).status in (400, 401), number
    for guess in guesses:
        check_waits(await guess(site, HERE))
    case.proves("429")


@cases("WEB-ADMIN-005")
async def test_a_network_of_IPv6_is_one_guesser(site: Site, case: Case) -> None:  # noqa: N802 - its name
    """A whole /64 shares its tries, another network has its own, and an IPv4 address in IPv6 is that address."""
    for number in range(TRIES):
        address = f"2001:db8:1:2:{number:x}:{number * 7:x}:0:{number + 1:x}"
        assert (await _link(site, address)).status == 401
    for address in ("2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:0DB8:0001:0002:0:0:0:1"):
        check_waits(await _link(site, address))
    for address in ("2001:db8:9:2::1", "2001:db9:1:2::1", HERE):
        assert (await _link(site, address)).status == 401
    mapped = [await _link(site, "::ffff:203.0.113.77") for _ in range(TRIES + 1)]
    assert {answer.status for answer in mapped[:-1]} == {401}
    check_waits(mapped[-1])
    check_waits(await _link(site, "203.0.113.77"))
    case.proves("429")


@cases("WEB-ADMIN-005")
async def test_tries_come_back_slowly(site: Site, case: Case) -> None:
    """Who waits as long as Retry-After says may try again, and never more than 25 times in any five minutes."""
    made = 0
    for _minute in range(MINUTES):
        while (answer := await _link(site, HERE)).status == 401:
            made += 1
            assert made <= 2 * TRIES
        check_waits(answer)
        site.world.clock.forward(minutes=1)
    assert TRIES <= made <= 2 * TRIES
    wait = int((await _link(site, HERE)).header("retry-after") or 1)
    site.world.clock.forward(seconds=wait)
    assert (await _link(site, HERE)).status == 401
    case.proves("429")


@pytest.mark.parametrize("trusted", [False, True])
async def test_nobody_gets_more_tries_by_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """X-Forwarded-For counts from a trusted proxy alone, and there only what that proxy itself added."""
    async with opened(tmp_path, monkeypatch, trusted_proxies=["192.0.2.1/32"] if trusted else []) as site:
        statuses = []
        for number in range(TRIES + 5):
            said = f"10.{number}.1.1, 203.0.113.5" if trusted else f"10.{number}.1.1"
            more = [("x-real-ip", f"10.{number}.1.1"), ("forwarded", f"for=10.{number}.1.1")]
            answer = await site.form("/sign-in", {"code": "guess"}, SAME_SITE, ("x-forwarded-for", said), *more)
            statuses.append(answer.status)
        assert statuses == [401] * TRIES + [429] * 5


def test_a_secret_is_too_long_to_guess() -> None:
    """Whatever a token, code, session or app's secret is, it holds 256 random bits: a year of tries is nothing."""
    source = Path(grant.__file__).read_text("utf-8")
    sizes = [int(size) for size in re.findall(r"secrets\.token_\w+\((\d+)\)", source)]
    assert min(sizes) >= 16
    assert sizes.count(32) >= 4

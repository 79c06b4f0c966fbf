"""Beyond the catalogue: how a name becomes a connection, what is remembered of it, and who else has to wait."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS
from attacks.internet import OTHER_4, PUBLIC_4, PUBLIC_6
from attacks.ssrf_vectors import lookups, turning
from peers.plain import Served

from gateway.errors import AddressRefused, RemoteUnreachable
from gateway.net import guard
from gateway.net.client import Answer
from gateway.net.guard import SystemResolver  # the scene puts another one in its place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attacks.internet import Ask
    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
URL = "https://evil.example/x"


async def test_the_checked_address_is_dialled_and_the_name_is_kept(scene: Scene) -> None:
    """SSRF-OK-001: one lookup, one connection to the address that was checked, the name in TLS and in Host."""
    assert isinstance(await scene.get("https://peer.example/x"), Answer)
    assert scene.internet.asked == ["peer.example"]
    assert scene.internet.dialled == [(PUBLIC_4, 443)]
    [ask] = scene.internet.heard
    assert (ask.server_name, ask.base, ask.target) == ("peer.example", "https://peer.example", "/x")


async def test_a_certificate_is_for_the_name_not_for_the_address(scene: Scene) -> None:
    """A name that leads to somebody else's server is not spoken to: its certificate is for others."""
    scene.internet.names["stranger.example"] = [PUBLIC_4]
    assert isinstance(await scene.get("https://stranger.example/x"), RemoteUnreachable)
    assert scene.internet.heard == []


@pytest.mark.parametrize("base", ["https", "http"])
async def test_a_kept_connection_needs_no_lookup_and_a_new_one_does(base: str, scene: Scene) -> None:
    """Requests share a connection while it lasts; once it is gone the name is looked up, and checked, again."""
    scene.internet.keeps_alive = True
    url = f"{base}://evil.example/x"
    for _ in range(3):
        assert isinstance(await scene.get(url), Answer)
    assert (len(scene.internet.asked), len(scene.internet.dialled)) == (1, 1)
    scene.internet.names["evil.example"] = ["169.254.169.254"]
    assert isinstance(await scene.get(url), Answer)  # still the connection that was checked
    await scene.internet.hang_up()
    assert isinstance(await scene.get(url), AddressRefused)
    assert scene.internet.forbidden() == []
    assert len(scene.internet.asked) == 2


async def test_fifty_good_lookups_earn_nothing(scene: Scene) -> None:
    """SSRF-D-005: a name that was good fifty times, on connections closed and kept, is refused when it turns."""
    answers = itertools.chain(itertools.repeat([PUBLIC_4], 50), itertools.repeat(["169.254.169.254"]))

    async def look_up() -> Sequence[str]:
        return next(answers)

    scene.internet.names["evil.example"] = look_up
    scene.internet.keeps_alive = True
    for _ in range(50):
        assert isinstance(await scene.get(URL), Answer)
        assert isinstance(await scene.get(URL), Answer)
        await scene.internet.hang_up()
    assert len(scene.internet.asked) == len(scene.internet.dialled) == 50
    for _ in range(10):
        assert isinstance(await scene.get(URL), AddressRefused)
    assert scene.internet.forbidden() == []


@pytest.mark.parametrize("count", [1, 4, 64, 65, 500])
@pytest.mark.parametrize("last", ["93.184.1.1", "10.0.0.1"])
async def test_few_of_many_addresses_are_dialled(count: int, last: str, scene: Scene) -> None:
    """SSRF-D-008: at most two addresses of each family are tried, and none when there are hundreds, or one is inner."""
    many = [f"93.184.0.{number % 250 + 1}" for number in range(count - 1)] + [last]
    scene.internet.names["evil.example"] = [*many, *(f"2606:2800::{number + 1:x}" for number in range(min(count, 3)))]
    found = await scene.get(URL)
    assert isinstance(found, RemoteUnreachable)
    if last == "10.0.0.1" or count > 60:
        assert isinstance(found, AddressRefused)
        assert scene.internet.dialled == []
    else:
        assert 0 < len(scene.internet.dialled) <= 4
        assert len(scene.internet.dialled) == len(set(scene.internet.dialled))
    assert scene.internet.asked == ["evil.example"]


async def test_the_next_address_is_tried_when_one_is_silent(scene: Scene) -> None:
    """A public address where nobody listens does not keep the gateway from the next one."""
    scene.internet.names["evil.example"] = ["1.1.1.1", PUBLIC_6]
    assert isinstance(await scene.get(URL), Answer)
    assert scene.internet.dialled == [("1.1.1.1", 443), (PUBLIC_6, 443)]


@pytest.mark.parametrize("script", ["NXDOMAIN", "no answer, 30 s", "CNAME chain of 50"])
async def test_a_name_that_leads_nowhere_causes_no_storm(
    script: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSRF-D-010: ten deliveries by an actor there cost one lookup; an own delivery there ends after its attempts."""
    monkeypatch.setattr(guard, "DNS_SECONDS", 0.01)
    scene.internet.names["nowhere.example"] = lookups([script])
    for _ in range(10):
        await ENTRY_POINTS["actor_fetch"].attempt(scene, "https://nowhere.example/users/m")
    assert scene.internet.asked == ["nowhere.example"]
    scene.start_again()
    scene.internet.names["nowhere.example"] = lookups([script])
    inbox = "https://nowhere.example/inbox"
    known = scene.met(scene.newcomer(scene.mallory), inbox=inbox, shared_inbox=None)
    await scene.submit({"type": "Note", "content": "hello", "to": [known.id]})
    assert scene.internet.asked == ["nowhere.example"]
    for _ in range(200):
        scene.internet.clock.forward(hours=1)
        await scene.drain()
    assert 2 < len(scene.internet.asked) <= 16
    [job] = scene.kit.store.database.rows("SELECT state FROM job WHERE kind = 'deliver'")
    assert job["state"] == "dead"


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["127.0.0.1", PUBLIC_4]])
async def test_an_address_that_is_refused_is_given_up_in_the_end(answers: list[str], scene: Scene) -> None:
    """A recipient whose name leads inside is looked up at most once for each attempt, and then no more."""
    scene.internet.names["evil.example"] = answers
    await ENTRY_POINTS["client_recipient"].attempt(scene, URL)
    for _ in range(200):
        scene.internet.clock.forward(hours=1)
        await scene.drain()
    assert len(scene.internet.asked) <= 16
    assert scene.internet.dialled == []
    [job] = scene.kit.store.database.rows("SELECT state FROM job WHERE kind = 'address'")
    assert job["state"] == "dead"


async def test_a_name_that_hangs_holds_up_nobody_else(scene: Scene) -> None:
    """While the lookups of a hundred names hang, a good peer is reached."""
    over = asyncio.Event()

    async def hanging() -> Sequence[str]:
        await over.wait()
        raise OSError("no answer")

    names = [f"slow{number}.example" for number in range(100)]
    scene.internet.names |= dict.fromkeys(names, hanging)
    waiting = [asyncio.create_task(scene.get(f"https://{name}/")) for name in names]
    assert isinstance(await scene.get("https://peer.example/"), Answer)
    assert set(scene.internet.asked) == {*names, "peer.example"}
    assert not any(task.done() for task in waiting)
    over.set()
    assert all(isinstance(found, RemoteUnreachable) for found in await asyncio.gather(*waiting))


async def test_names_that_hang_in_the_system_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSRF-D-009: a stranger's names without an answer do not use up what all names are looked up with."""
    monkeypatch.setattr(guard, "DNS_SECONDS", 0.5)
    answered = threading.Event()

    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        if host.startswith("slow"):
            answered.wait(30)
            raise OSError("no answer")
        return [(2, 1, 6, "", (PUBLIC_4, port))]

    monkeypatch.setattr(guard, "_look_up", look_up)
    backend = guard.GuardedBackend(guard.AddressPolicy(), SystemResolver())
    try:
        names = [f"slow{number}.example" for number in range(64)]  # what one network may ask for before it is limited
        slow = await asyncio.gather(*(backend.checked(name, 443) for name in names), return_exceptions=True)
        assert all(isinstance(error, RemoteUnreachable) for error in slow)
        assert await backend.checked("peer.example", 443) == [PUBLIC_4]
    finally:
        answered.set()


async def test_no_cookie_goes_to_anybody(scene: Scene) -> None:
    """What a server sets is neither kept nor sent: not back to it, and not to its neighbours on the same domain."""
    scene.internet.names |= {"one.evil.example": [OTHER_4], "two.evil.example": [OTHER_4]}
    for host in ("one", "two"):
        scene.internet.connect(f"http://{host}.evil.example")
    cookie = "\r\nset-cookie: ".join(f"c{number}={'x' * 1000}; Domain=evil.example; Path=/" for number in range(50))

    def setting(_ask: Ask) -> Served:
        return Served(200, {"set-cookie": cookie}, b"")

    scene.internet.sites["http://one.evil.example"].default = setting
    for host in ("one", "one", "two"):
        assert isinstance(await scene.get(f"http://{host}.evil.example/"), Answer)
    sent = [line[:40] for ask in scene.internet.heard for line in ask.lines if line.lower().startswith("cookie:")]
    for host in ("one", "two"):
        del scene.internet.sites[f"http://{host}.evil.example"]
    assert sent == []


async def test_an_answer_that_turns_between_families(scene: Scene) -> None:
    """A name whose addresses of one family are good and whose others are inner is refused whole, in every order."""
    for good, bad in itertools.product((PUBLIC_4, PUBLIC_6), ("10.0.0.1", "::1", "fd00::1", "::ffff:127.0.0.1")):
        for answers in ([good, bad], [bad, good], [good, good, bad], [bad, bad, good]):
            scene.internet.names["evil.example"] = turning(answers)
            assert isinstance(await scene.get(URL), AddressRefused)
    assert scene.internet.dialled == []

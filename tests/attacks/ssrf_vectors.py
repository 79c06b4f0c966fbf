"""The cases of the catalogue as URLs to try, with what lies behind them and what must hold besides."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.plain import Served

from gateway.policy.rules import Action, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from attacks.internet import Ask
    from attacks.ssrf_scene import Scene

CATALOGUE = json.loads((Path(__file__).parent / "data" / "ssrf.json").read_text("utf-8"))
# What internal names mean on the networks that have them.
INSIDE = {
    "localhost": ["127.0.0.1", "::1"],
    "foo.localhost": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "x.onion": ["127.42.42.42"],
    "1.0.0.127.in-addr.arpa": ["127.0.0.1"],
    "x.internal": ["10.0.0.9"],
    "x.home.arpa": ["192.168.1.9"],
    "x.test": ["127.0.0.1"],
}
LITERALS = frozenset({"ipv4_literal", "ipv4_encoding", "unicode_host", "ipv6_literal", "scheme_or_parser"})
START = "https://a.example/start"
FIRST_LOOKUPS = re.compile(r"A (\S+) for the first (\d+) lookups, then A (\S+)")


def _nothing(_scene: Scene) -> None:
    """Lay nothing out, or check nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One URL to try; ``lay`` puts behind it what the case says, ``also`` checks what the case asks for besides.

    ``refused``: whoever hands the URL over must hear a no. ``passing``: it may only be so just now.
    """

    id: str
    case: str
    kind: str
    url: str
    refused: bool = True
    passing: bool = False
    lay: Callable[[Scene], None] = _nothing
    also: Callable[[Scene], None] = _nothing


def vectors() -> list[Vector]:
    """Return every case of the catalogue, those with several URLs as several vectors."""
    return [vector for case in CATALOGUE["cases"] for vector in _vectors(case)]


def _vectors(case: dict[str, Any]) -> Iterator[Vector]:
    plain = Vector(id=case["id"], case=case["id"], kind=case["class"], url=case["build"].get("url", ""))
    if case["class"] == "name":
        yield replace(plain, lay=_named_inside)
    elif case["class"] == "dns":
        yield _named(plain, case)
    elif case["class"] == "redirect":
        yield from _redirected(plain, case)
    elif case["class"] == "control":
        yield replace(plain, refused=False)
    else:
        yield replace(plain, also=_never_asked_for)


def _named_inside(scene: Scene) -> None:
    scene.internet.names |= INSIDE


def _never_asked_for(scene: Scene) -> None:
    """Nothing of a URL that is none goes out, not even to a public host that is named in it."""
    told = [(ask.target, *ask.lines) for ask in scene.internet.heard]
    assert [lines for lines in told if any("Injected" in line for line in lines)] == []
    assert [target for target, *_ in told if target.endswith((":6379/", ":22/", ":0/"))] == []


# Names that resolve as the attacker likes.


def _named(plain: Vector, case: dict[str, Any]) -> Vector:
    [(host, [script])] = [(host, rows[-1:]) for host, rows in case["build"]["resolver"].items()]
    rows = case["build"]["resolver"][host]
    slow = case["expect"]["outcome"] == "error" or "no answer" in script or "CNAME" in script

    def lay(scene: Scene) -> None:
        scene.internet.names[host] = lookups(rows)

    return replace(plain, url=f"https://{host}/x", lay=lay, passing=slow)


def lookups(rows: Sequence[str]) -> Any:
    """Return what a name resolves to, as the catalogue writes it: addresses, or what gives them lookup by lookup."""
    text = rows[0]
    if text == "NXDOMAIN":
        return _unknown
    if text.startswith("no answer"):
        return _silent
    if text.startswith("CNAME chain"):
        return lambda: _chained(50)
    if text.startswith("500 A records"):
        return [f"93.184.{number // 250}.{number % 250 + 1}" for number in range(500)]
    if found := FIRST_LOOKUPS.fullmatch(text):
        # The lookups before the last good one have been: the long way is in test_rebinding.py.
        return turning([found[1]], [found[3]])
    if found := re.fullmatch(r"A (\S+) ttl 0 then A (\S+)", text):
        return turning([found[1]], [found[2]])
    return [row.removeprefix("A ") for row in rows]


def turning(*answers: Sequence[str]) -> Callable[[], Any]:
    """Return a name that resolves to one answer after the other, and stays with the last."""
    left = list(answers)

    async def look_up() -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return look_up


async def _unknown() -> Sequence[str]:
    raise OSError("Name or service not known")


async def _silent() -> Sequence[str]:
    await asyncio.Event().wait()
    return []


async def _chained(length: int) -> Sequence[str]:
    for _ in range(length):
        await asyncio.sleep(0.05)  # one question more; given up long before all are asked
    return ["127.0.0.1"]


# Servers that send the asker elsewhere.


def to(location: str, status: int = 302, **headers: str) -> Callable[[Ask], Served]:
    """Return what redirects every request."""
    return lambda _ask: Served(status, {"location": location, **headers}, b"")


def _chain(*hops: tuple[str, Callable[[Ask], Served]]) -> Callable[[Scene], None]:
    def lay(scene: Scene) -> None:
        for base, answer in hops:
            scene.internet.sites[base].default = answer

    return lay


def _at_most(limit: int, *bases: str) -> Callable[[Scene], None]:
    """Check how many requests one call of the client leads to at most."""

    def also(scene: Scene) -> None:
        heard = [ask for ask in scene.internet.heard if ask.base in bases]
        assert len(heard) <= limit * len(scene.internet.calls)

    return also


def _next(ask: Ask) -> Served:
    """Redirect to the next of a hundred."""
    number = int(ask.target.rpartition("/")[2]) if ask.target.rpartition("/")[2].isdigit() else 0
    return Served(302, {"location": f"/{number + 1}"}, b"") if number < 100 else Served(200, {}, b"{}")


def _denied(scene: Scene) -> None:
    scene.internet.sites["https://a.example"].default = to("https://denied.example/")
    rule = Rule(id="denied", host="denied.example", action=Action.REFUSE)
    scene.kit.store.peers.save_rule(rule, scene.kit.clock.now())


def _not_asked(host: str, method: str = "") -> Callable[[Scene], None]:
    def also(scene: Scene) -> None:
        heard = [ask for ask in scene.internet.heard if host in ask.base and ask.method.startswith(method)]
        assert heard == []
        assert method or host not in scene.internet.asked

    return also


def _redirected(plain: Vector, case: dict[str, Any]) -> Iterator[Vector]:
    chain, start = case["build"]["chain"][0], replace(plain, url=START)
    a, b = "https://a.example", "https://b.example"
    if found := re.fullmatch(r"(https://evil\.example)/ ->(\d{3}) http://127\.0\.0\.1:PORT/", chain):
        for name, base, where in (
            ("", found[1], "http://127.0.0.1:{port}/"), ("-https", found[1], "https://127.0.0.1/"),
            ("-http", "http://evil.example", "http://127.0.0.1/"),
        ):  # fmt: skip
            yield replace(plain, id=plain.id + name, url=f"{base}/", lay=_to_inside(base, int(found[2]), where))
    elif chain == "a -> b -> a":
        yield replace(start, lay=_chain((a, to(f"{b}/")), (b, to(f"{a}/"))), also=_at_most(4, a, b))
    elif chain == "100 hops":
        yield replace(start, lay=_chain((a, _next)), also=_at_most(6, a))
    elif "ftp://" in chain:
        for location in ("ftp://127.0.0.1/", "file:///etc/passwd", "data:application/activity+json,{}",
                         "gopher://127.0.0.1:6379/_X", "javascript:alert(1)"):  # fmt: skip
            name = location.partition(":")[0]
            yield replace(start, id=f"{plain.id}-{name}", lay=_chain((a, to(location))))
    elif chain.startswith("POST inbox"):
        other = "https://other.example/inbox"
        yield replace(start, lay=_chain((a, to(other, 301))), also=_not_asked("other.example", "POST"), refused=False)
    elif chain.endswith("Location: //127.0.0.1/"):
        yield replace(start, lay=_chain((a, to("//127.0.0.1/"))))
    elif chain.endswith("302 without Location"):
        yield replace(start, lay=_chain((a, _always(Served(302, {}, b"")))), refused=False)
    elif "Refresh: 0" in chain:
        yield from _refreshed(start)
    elif chain.endswith("private -> 302 -> public"):
        yield replace(start, lay=_chain((a, to("https://10.0.0.1/"))), also=_not_asked("b.example"))
    else:
        assert chain == "https://a.example -> 302 https://denied.example"
        yield replace(start, lay=_denied, also=_not_asked("denied.example"))


def _to_inside(base: str, status: int, where: str) -> Callable[[Scene], None]:
    def lay(scene: Scene) -> None:
        location = where.format(port=scene.internet.secret_port)
        scene.internet.sites[base].default = to(location, status)

    return lay


def _refreshed(start: Vector) -> Iterator[Vector]:
    """A page that a browser would leave by itself, in every type that some purpose takes."""
    inside = "http://127.0.0.1/"
    page = f'<html><head><meta http-equiv="refresh" content="0;url={inside}"><link rel="canonical" href="{inside}">'
    for name, media, body, more in (
        ("header", "application/activity+json", b"{}", {"refresh": f"0;url={inside}"}),
        ("jrd", "application/jrd+json", b'{"links": []}', {"refresh": f"0;url={inside}", "link": f"<{inside}>"}),
        ("meta", "text/html", page.encode(), {"refresh": f"0;url={inside}"}),
    ):
        answer = _always(Served(200, {"content-type": media, **more}, body))
        yield replace(start, id=f"{start.id}-{name}", lay=_chain(("https://a.example", answer)), refused=False)


def _always(served: Served) -> Callable[[Ask], Served]:
    return lambda _ask: served

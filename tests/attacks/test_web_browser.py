"""A real browser looks at what the gateway answers: nothing of a stranger's runs, neither in a page nor as a file."""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks.test_web_media import POLYGLOTS
from attacks.test_web_xss import NEIGHBOURS, PAYLOADS, SINKS, delivered, posted
from attacks.web_dom import CSP
from attacks.web_scene import CATALOGUE, Case, Site, cases, opened
from tools import missing
from world import BASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from web.asking import Answer

pytestmark = pytest.mark.anyio

CHROMIUM = Path("/usr/bin/chromium")
SECONDS = 60
# What a payload does when it runs: the element that everything is in gets an id.
MARK = "top.document.documentElement.id=1"
HTML = "text/html; charset=utf-8"
PAGE_POLICY = "; ".join(f"{name} {value}" for name, value in CSP.items())


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path / "world", monkeypatch) as made:
        yield made


@contextlib.contextmanager
def replayed(pages: dict[str, tuple[list[tuple[str, str]], bytes]]) -> Iterator[str]:
    """Answer on loopback with these headers and bytes; yield the origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines, body = pages.get(self.path, ([], b""))
            self.send_response(200 if self.path in pages else 404)
            for name, value in lines:
                if name not in ("content-length", "strict-transport-security"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def shown(url: str, profile: Path) -> str:
    """Return a page as a browser has it after everything ran that runs."""
    if not CHROMIUM.exists():
        missing("chromium")
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
            f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--virtual-time-budget=3000", "--dump-dom", url,
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def has_run(page: str) -> bool:
    """Tell whether a payload left its mark."""
    return 'id="1"' in page.partition("<head>")[0]


def armed(payload: str) -> str:
    """Return a payload that leaves a mark instead of showing an alert."""
    return payload.replace("alert(1)", MARK)


def as_page(answer: Answer) -> tuple[list[tuple[str, str]], bytes]:
    """Return an answer as it can be given again."""
    return list(answer.lines), answer.body


async def test_the_browser_would_run_it(tmp_path: Path) -> None:
    """Without us the payloads do run; under the policy of our pages alone they do not."""
    firing = "".join(armed(CATALOGUE[known]["build"]["case"]) for known in ("WEB-XSS-002", "WEB-XSS-013"))
    page = f"<!doctype html><html lang=en><body>{firing}<script>{MARK}</script></body></html>".encode()
    pages: dict[str, tuple[list[tuple[str, str]], bytes]] = {
        "/bare": ([("content-type", HTML)], page),
        "/policed": ([("content-type", HTML), ("content-security-policy", PAGE_POLICY)], page),
    }
    with replayed(pages) as origin:
        assert has_run(shown(f"{origin}/bare", tmp_path))
        assert not has_run(shown(f"{origin}/policed", tmp_path))


@pytest.mark.parametrize("who", ["a peer", "a client"])
@cases("WEB-XSS-002")
async def test_no_script_runs_in_a_browser(site: Site, case: Case, tmp_path: Path, who: str) -> None:
    """All payloads in all places at once: the pages are whole in a browser, and nothing in them ran."""
    payloads = [CATALOGUE[known]["build"]["case"] for known in PAYLOADS] + list(NEIGHBOURS.values())
    for number, payload in enumerate(payloads):
        sink = SINKS[number % len(SINKS)]
        for place in {sink, "content"}:
            await (delivered(site, place, armed(payload)) if who == "a peer" else posted(site, place, armed(payload)))
    targets = ["/", "/@alice", f"/@alice/{site.tid()}", "/tags/tagged", "/static/gateway.css"]
    pages = {target: as_page(await site.get(target, accept="text/html")) for target in targets}
    # Also without the policy: what protects is that nothing active is in the page to begin with.
    pages |= {f"/bare{target}": ([("content-type", HTML)], pages[target][1]) for target in targets[:4]}
    assert all(dict(pages[target][0])["content-security-policy"] for target in targets[:4])
    with replayed(pages) as origin:
        for target in (*targets[:4], *(f"/bare{one}" for one in targets[:4])):
            seen = shown(origin + target, tmp_path / "profile")
            assert "<footer>noai-gateway" in seen, target
            assert 'id="1"' not in seen.partition("<head>")[0], target
            assert not any(
                tag in seen for tag in ("<script", "<iframe", "<object", "<embed", "<form", "<base", "<style")
            )
    case.proves("inert_in_dom", "csp_blocks")


@cases("WEB-MEDIA-001")
async def test_no_file_runs_in_a_browser(site: Site, case: Case, tmp_path: Path) -> None:
    """A file opened by itself, or taken for a script or a frame by a page, stays what it is."""
    pages: dict[str, tuple[list[tuple[str, str]], bytes]] = {}
    users = ""
    for content in POLYGLOTS.values():
        answer = await site.upload(content.replace(b"alert(1)", MARK.encode()))
        if answer.status == 201:
            path = str(answer.json["url"]).removeprefix(BASE)
            assert (await site.send({"type": "Note", "content": "x", "attachment": [answer.json]})).status == 201
            pages[path] = as_page(await site.get(path, accept="text/html", sec_fetch_dest="document"))
            users += f'<script src="{path}"></script><iframe src="{path}"></iframe><object data="{path}"></object>'
    assert len(pages) > 4
    pages["/user"] = ([("content-type", HTML)], f"<!doctype html><html lang=en><body>{users}</body></html>".encode())
    with replayed(pages) as origin:
        for path in pages:
            assert not has_run(shown(origin + path, tmp_path / "profile")), path
    case.proves("attachment_or_refused", "csp_sandbox")

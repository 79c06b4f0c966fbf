"""Pictures and films that are made to be unpacked: the gateway keeps their bytes and never looks inside."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from attacks import bombs_bytes as made
from attacks.bombs_shelter import forget_peak, peak, resident
from attacks.web_scene import ALICE, PNG, Site, opened
from world import BASE

from gateway.media import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from web.asking import Answer

pytestmark = pytest.mark.anyio

CPU_MS, RSS_MIB = 1_000, 128
MEDIA: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "a picture of 50,000 by 50,000": ("BOMB-M-001", "image/png", lambda: made.png(50_000, 50_000)),
    "a picture of 2^31 by 2^31": ("BOMB-M-001", "image/png", lambda: made.png(1, 1).replace(
        (1).to_bytes(4, "big") * 2, (2**31 - 1).to_bytes(4, "big") * 2
    )),
    "a picture with 300 MiB of text": ("BOMB-M-001", "image/png", lambda: made.png_with_text(made.LARGE)),
    "100,000 frames": ("BOMB-M-002", "image/gif", lambda: made.gif(100_000)),
    "800,000 frames": ("BOMB-M-002", "image/gif", lambda: made.gif(800_000)),
    "10^9 frames": ("BOMB-M-006", "video/mp4", lambda: made.mp4(1_000_000_000)),
    "2^32 - 1 frames": ("BOMB-M-006", "video/mp4", lambda: made.mp4(2**32 - 1)),
    "a picture that is a page": ("BOMB-M-008", "image/jpeg", made.jpeg_page),
}  # fmt: skip
DECODERS = ("PIL", "cv2", "imageio", "av", "wand", "pyvips", "numpy", "moviepy", "magic")


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site that starts no process."""
    async with opened(tmp_path / "world", monkeypatch) as running:

        def started(*given: Any, **_: Any) -> Any:
            raise AssertionError(f"a process: {given}")

        monkeypatch.setattr(subprocess, "Popen", started)
        monkeypatch.setattr("os.posix_spawn", started)
        monkeypatch.setattr("os.fork", started)
        yield running


async def uploaded(site: Site, content: bytes) -> Answer:
    """Upload a file twice, within the time and memory that a file may cost; return the answer."""
    cost = []
    for _ in range(2):
        before = resident()
        forget_peak()
        began = time.process_time()
        answer = await site.upload(content)
        cost.append((yardstick.milliseconds(began), peak() - before))
    cpu, rss = min(cost)
    assert cpu <= CPU_MS, cost
    assert rss <= RSS_MIB, cost
    return answer


@pytest.mark.parametrize("name", MEDIA)
async def test_an_uploaded_bomb_is_kept_as_it_is(site: Site, name: str) -> None:
    """The bytes are stored and served unchanged, in a sandbox, with the type of their first bytes: never unpacked."""
    _, media_type, recipe = MEDIA[name]
    content = recipe()
    answer = await uploaded(site, content)
    assert answer.status == 201, answer.text
    assert answer.json["mediaType"] == media_type
    kept = site.gateway.kit.files.path(hashlib.sha256(content).hexdigest())
    assert kept.read_bytes() == content
    beside = [path for path in (site.gateway.kit.settings.data / "media").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in beside) <= max(len(content), len(PNG))
    assert (await site.send({"type": "Note", "content": "x", "attachment": [answer.json]})).status == 201
    shown = await site.get(answer.json["url"].removeprefix(BASE))
    assert (shown.status, shown.media_type, shown.body) == (200, media_type, content)
    assert "sandbox" in shown.header("content-security-policy")
    assert shown.header("x-content-type-options") == "nosniff"
    await site.get("/@alice")
    await site.get("/@alice.atom")


async def test_what_a_picture_says_of_its_size_is_only_passed_on(site: Site) -> None:
    """Width and height of a picture come from its header, as numbers: no picture of that size is ever made."""
    answer = await uploaded(site, made.png(50_000, 50_000))
    assert (answer.json["width"], answer.json["height"]) == (50_000, 50_000)


@pytest.mark.parametrize("size", [files.MAX_FILE + 1, files.MAX_FILE + 5 * made.MIB])
async def test_a_file_over_the_limit_leaves_nothing(site: Site, size: int) -> None:
    """A file of more than 20 MiB is a 413, and no byte of it stays on the disk."""
    root = site.gateway.kit.settings.data / "media"
    before = sorted(root.rglob("*"))
    content = made.gif(1) + bytes(size)
    assert (await uploaded(site, content)).status == 413
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("name", MEDIA)
async def test_media_of_others_is_not_fetched(site: Site, name: str) -> None:
    """Attachments, icons, previews and emoji of a peer are addresses: the gateway asks for none of them."""
    _, media_type, recipe = MEDIA[name]
    url = f"{site.bob.base}/media/bomb"
    site.bob.serve(url, recipe(), content_type=media_type)
    shown = {"type": "Image", "mediaType": media_type, "url": url, "width": 50_000, "height": 50_000}
    emoji = {"type": "Emoji", "name": ":bomb:", "icon": shown}
    note = site.bob.note(
        f'<img src="{url}"><a href="{url}">x</a>', to=[ALICE], cc=[], attachment=[shown, {**shown, "url": [shown]}],
        icon=shown, image=shown, preview=shown, tag=[emoji],
        url=[{"type": "Link", "href": url, "mediaType": media_type}],
    )  # fmt: skip
    site.bob.serve_document(site.bob.me.id, site.bob.me.document(icon=shown, image=shown, tag=[emoji]))
    asked = len(site.bob.gets)
    began = time.process_time()
    await site.arrives(site.bob.activity("Create", note, to=[ALICE]))
    await site.arrives(site.bob.activity("Update", site.bob.me.id))
    assert yardstick.milliseconds(began) <= CPU_MS
    assert site.gateway.kit.store.objects.get(note["id"]) is not None
    for path in ("/@alice", "/tags/tagged", "/about"):
        await site.get(path)
    assert (await site.owned("/users/alice/inbox?page=1")).status == 200
    assert "/media/bomb" not in site.bob.gets[asked:]
    assert all(path == "/users/bob" for path in site.bob.gets[asked:])


def test_no_decoder_is_loaded() -> None:
    """A whole gateway with all its commands loads nothing that could decode a picture or a film."""
    told = subprocess.run(
        [sys.executable, "-c", "import sys, gateway.cli.main, gateway.cli.serve; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert "gateway" in loaded
    assert loaded & set(DECODERS) == set()


def test_the_bombs_are_bombs() -> None:
    """The picture unpacks to hundreds of megabytes, and is a few hundred kilobytes here."""
    content = made.png(50_000, 50_000)
    assert len(content) < 400 * 1024
    assert files.dimensions(content[:64], "image/png") == (50_000, 50_000)
    assert {case for case, _, _ in MEDIA.values()} == {"BOMB-M-001", "BOMB-M-002", "BOMB-M-006", "BOMB-M-008"}

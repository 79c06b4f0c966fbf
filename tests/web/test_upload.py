"""Uploading files for posts (ActivityPub, ``uploadMedia``)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON, PUBLIC
from web.asking import Answer, ask, problem_of
from web.conftest import PNG
from world import BASE

from gateway.flows import grant
from gateway.media import files
from gateway.web import client

if TYPE_CHECKING:
    from pathlib import Path

    from web.conftest import Site

    from gateway.store.objects import MediaFile, Stored

pytestmark = pytest.mark.anyio

BOUNDARY = "frontier"
SHELL = '{"type": "Image", "name": "a cat"}'


def _part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n'
    return (
        head.encode() + (b"Content-Type: application/octet-stream\r\n" if more else b"") + b"\r\n" + content + b"\r\n"
    )


def _file(content: bytes = PNG, name: str = "cat.png") -> bytes:
    return _part("file", content, f'; filename="{name}"')


def _body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def _upload(site: Site, body: bytes, token: str | None = "alice", **headers: str) -> Answer:
    lines = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    if token is not None:
        lines["authorization"] = f"Bearer {site.tokens[token]}"
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await ask(site.app, "POST", "/api/media", lines.items(), body)


async def _uploaded(site: Site, *parts: bytes, token: str = "alice") -> dict[str, Any]:
    """Upload and return the attachment."""
    answer = await _upload(site, _body(*(parts or (_file(),))), token)
    assert answer.status == 201, answer.text
    document: dict[str, Any] = answer.json
    return document


def _media(site: Site, url: str) -> MediaFile:
    media = site.kit.store.objects.media(url.removeprefix(f"{BASE}/media/").partition("/")[0])
    assert media is not None
    return media


def _on_disk(site: Site) -> set[Path]:
    return {path for path in (site.kit.settings.data / "media").rglob("*") if path.is_file()}


async def _posted(site: Site, document: dict[str, Any]) -> Stored:
    answer = await site.publish(json.dumps({"type": "Note", "content": "<p>x</p>", **document}).encode())
    assert answer.status == 201, answer.text
    sent = site.kit.store.objects.activity(answer.header("location"))
    assert sent is not None
    stored = site.kit.store.objects.get(sent.object)
    assert stored is not None
    return stored


async def test_an_uploaded_file_is_posted(own_site: Site) -> None:
    """201 with its address and a labelled attachment; posted, the file belongs to the post and everybody reads it."""
    answer = await _upload(own_site, _body(_file(), _part("object", SHELL.encode())))
    assert (answer.status, answer.media_type) == (201, ACTIVITY_JSON)
    attachment = answer.json
    assert answer.header("location") == attachment["url"]
    assert (attachment["mediaType"], attachment["name"]) == ("image/png", "a cat")
    assert (attachment["width"], attachment["height"]) == (2, 3)
    assert attachment["contentUsage"] == answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert attachment["aiUsage"]["labels"] == ["noai", "notrain"]
    assert _media(own_site, attachment["url"]).object is None
    stored = await _posted(own_site, {"attachment": [attachment], "to": [PUBLIC]})
    assert _media(own_site, attachment["url"]).object == stored.id
    shown = await own_site.get(attachment["url"].removeprefix(BASE))
    assert (shown.status, shown.body) == (200, PNG)


@pytest.mark.parametrize(
    ("parts", "alt"),
    [
        ((), ""),
        ((_part("object", SHELL.encode()),), "a cat"),
        ((_part("object", b'{"type": "Image", "summary": "of a cat"}'),), "of a cat"),
        ((_part("object", b'{"nameMap": {"ja": "\xe7\x8c\xab"}}'),), "猫"),
        ((_part("description", "猫".encode()),), "猫"),
        ((_part("object", SHELL.encode()), _part("description", b"other")), "a cat"),
        ((_part("object", b'{"type": "Image"}'), _part("description", b"other")), "other"),
    ],
)
async def test_alternative_text_comes_along(site: Site, parts: tuple[bytes, ...], alt: str) -> None:
    """It is the name or summary of ``object``, or the field ``description``, and is kept with the file."""
    attachment = await _uploaded(site, _file(), *parts)
    assert attachment.get("name", "") == alt
    assert _media(site, attachment["url"]).alt == alt


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.png", "cat.png"), ("a b.png", "a-b.png"), ("..%2F..%2Fetc", "etc"), ("C:\\x\\cat.png", "cat.png"),
        ("猫.png", "png"), ("%E7%8C%AB", "file"), ("", "file"),
    ],
)  # fmt: skip
async def test_a_file_name_becomes_fit_for_an_address(site: Site, name: str, shown: str) -> None:
    """No separator, blank or foreign letter of a client's name gets into an address."""
    answer = await _upload(site, _body(_part("file", PNG, f'; filename="{name}"')))
    if name:
        assert answer.status == 201, answer.text
        last = answer.json["url"].rpartition("/")[2]
        assert last.endswith(shown)
        assert not set(last) & set("/\\% ")
        assert len(answer.json["url"].removeprefix(f"{BASE}/media/").split("/")) == 2
    else:
        assert answer.status in (201, 400)


@pytest.mark.parametrize(
    "content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"plain text", b"%PDF-1.7"]
)
async def test_what_is_no_media_is_refused(site: Site, content: bytes) -> None:
    """415 by the content, whatever its name says, and nothing stays."""
    before = (_on_disk(site), site.snapshot())
    problem_of(await _upload(site, _body(_file(content))), [415])
    assert (_on_disk(site), site.snapshot()) == before


@pytest.mark.parametrize("limit", ["file", "body"])
async def test_what_is_too_large_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A file over its limit is a 413, at the latest when it is written; not even half of it stays on the disk."""
    monkeypatch.setattr(files, "MAX_FILE", 100_000)
    monkeypatch.setattr(client, "MAX_FILE", 100_000 if limit == "file" else 10)
    monkeypatch.setattr(client, "OVERHEAD", 200_000 if limit == "file" else 10)
    before = (_on_disk(site), site.snapshot())
    problem_of(await _upload(site, _body(_file(PNG + bytes(100_000)))), [413])
    assert (_on_disk(site), site.snapshot()) == before
    if limit == "file":
        assert (await _upload(site, _body(_file(PNG + bytes(100_000 - len(PNG)))))).status == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "image/png",
        "application/x-www-form-urlencoded",
        ACTIVITY_JSON,
        "multipart/mixed; boundary=x",
        f"multipart/form-data; boundary={BOUNDARY}; charset=utf-16",
    ],
)
async def test_only_a_form_with_a_file_is_taken(site: Site, content_type: str) -> None:
    """Anything but multipart/form-data is a 415."""
    problem_of(await _upload(site, _body(_file()), content_type=content_type), [415])


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (_body(_file()), "multipart/form-data"),
        (_body(_file()), "multipart/form-data; boundary="),
        (_body(_file()), "multipart/form-data; boundary=other"),
        (b"nonsense", ""),
        (b"", ""),
        (b"--frontier\r\nContent-Disposition: form-data\r\n\r\nx\r\n--frontier--\r\n", ""),
        (b"--frontier\r\nno colon here\r\n\r\nx\r\n--frontier--\r\n", ""),
        (b"--frontier\r\n: x\r\n\r\nx\r\n--frontier--\r\n", ""),
        (_file()[:60], ""),
        (_body(_file(), _file()), ""),
        (_body(_file(), *(_part(f"f{number}", b"x") for number in range(9))), ""),
        (_body(_part("object", b"x" * (1024 * 1024 + 1)), _file()), ""),
        (_body(_part("object", SHELL.encode())), ""),
        (_body(_part("file", PNG)), ""),
        (_body(_part("other", PNG, '; filename="cat.png"')), ""),
        (_body(_file(), _part("object", b"not json")), ""),
        (_body(_file(), _part("object", b"[]")), ""),
        (_body(_file(), _part("description", b"x" * 10_001)), ""),
        (_body(_file(), _part("object", b'{"name": "%s"}' % (b"x" * 10_001))), ""),
    ],
)
async def test_a_broken_upload_is_bad_input(site: Site, body: bytes, content_type: str) -> None:
    """No boundary, no end, no file, two files, too many fields, an unreadable ``object``: 400, and nothing is kept."""
    before = (_on_disk(site), site.snapshot())
    headers = {"content_type": content_type} if content_type else {}
    problem_of(await _upload(site, body, **headers), [400])
    assert (_on_disk(site), site.snapshot()) == before


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [(None, 401, "token-missing"), ("unknown", 401, "token-invalid"), ("revoked", 401, "token-invalid")],
)
async def test_nobody_uploads_without_a_token(site: Site, token: str | None, status: int, code: str) -> None:
    """Credentials are looked at before the body is."""
    before = _on_disk(site)
    assert problem_of(await _upload(site, b"nonsense", token), [status])["code"] == code
    assert _on_disk(site) == before


async def test_a_token_for_reading_uploads_nothing(site: Site) -> None:
    """Uploading needs the scope for writing."""
    site.tokens["reader"] = grant.create_token(site.kit, site.alice, "reader", [grant.READ])[1]
    assert problem_of(await _upload(site, _body(_file()), "reader"), [403])["code"] == "insufficient-scope"


@pytest.mark.parametrize("member", ["attachment", "image", "icon", "url"])
@pytest.mark.parametrize("kind", ["Note", "Article"])
async def test_nobody_posts_somebody_elses_file(site: Site, member: str, kind: str) -> None:
    """Carol's upload in a post of Alice's is a 403 and stays unattached; ``url`` is ours and does not count."""
    foreign = await _uploaded(site, token="carol")
    document = {"type": kind, "content": "<p>x</p>", member: [foreign]}
    answer = await site.publish(json.dumps(document).encode())
    if member == "url":
        assert answer.status == 201
    else:
        assert problem_of(answer, [403])["code"] == "not-the-owner"
    assert _media(site, foreign["url"]).object is None


@pytest.mark.parametrize(
    "shape", ["{url}", {"type": "Image", "url": "{url}"}, {"type": "Link", "href": "{url}"},
              {"type": "Image", "url": [{"type": "Link", "href": "{url}"}]}, {"type": "Image", "url": ["{url}"]}]
)  # fmt: skip
@pytest.mark.parametrize("listed", [False, True])
async def test_every_way_to_name_a_file_links_it(site: Site, shape: object, *, listed: bool) -> None:
    """A link, an image or an address, alone or in a list, makes the file part of the post."""
    url = (await _uploaded(site))["url"]
    item = json.loads(json.dumps(shape).replace("{url}", url))
    stored = await _posted(site, {"attachment": [item] if listed else item})
    assert _media(site, url).object == stored.id


@pytest.mark.parametrize(
    "shape",
    ["{url}", {"type": "Image", "url": [{"type": "Link", "href": "{url}"}]}, {"type": "Image", "url": ["{url}"]}],
)
async def test_no_way_to_name_a_file_makes_it_ones_own(site: Site, shape: object) -> None:
    """However somebody else's file is named, the post is refused."""
    url = (await _uploaded(site, token="carol"))["url"]
    item = json.loads(json.dumps(shape).replace("{url}", url))
    answer = await site.publish(json.dumps({"type": "Note", "content": "<p>x</p>", "attachment": [item]}).encode())
    assert problem_of(answer, [403])["code"] == "not-the-owner"


async def test_a_file_belongs_to_its_first_post(site: Site) -> None:
    """A second post may show it, too; its place stays with the first."""
    attachment = await _uploaded(site)
    first, second = [await _posted(site, {"attachment": [attachment]}) for _ in range(2)]
    assert first.id != second.id
    assert _media(site, attachment["url"]).object == first.id


async def test_an_update_attaches_files_too(own_site: Site) -> None:
    """A file that an Update adds becomes part of the post."""
    attachment = await _uploaded(own_site)
    target = own_site.posts["public"].id
    update = {"type": "Update", "object": {"id": target, "attachment": [attachment]}}
    assert (await own_site.publish(json.dumps(update).encode())).status == 201
    assert _media(own_site, attachment["url"]).object == target


async def test_uploads_that_nobody_attached_are_pruned(own_site: Site) -> None:
    """A day later an unattached file is gone with its bytes; an attached one and a newer one stay."""
    site = own_site
    bodies = {name: PNG + name.encode() for name in ("orphan", "attached", "new")}
    made = {name: await _uploaded(site, _file(bodies[name])) for name in ("orphan", "attached")}
    await _posted(site, {"attachment": [made["attached"]], "to": [PUBLIC]})
    paths = {name: site.kit.files.path(_media(site, made[name]["url"]).sha256) for name in made}
    site.world.clock.forward(hours=23)
    site.gateway.prune()
    assert paths["orphan"].exists()
    made["new"] = await _uploaded(site, _file(bodies["new"]))
    site.world.clock.forward(hours=1, seconds=1)
    site.gateway.prune()
    assert [paths["orphan"].exists(), paths["attached"].exists()] == [False, True]
    shown = {name: (await site.get(one["url"].removeprefix(BASE))).status for name, one in made.items()}
    assert shown["orphan"] == 404
    assert shown["attached"] == 200
    assert _media(site, made["new"]["url"]).object is None


async def test_bytes_that_another_file_shares_stay(own_site: Site) -> None:
    """Pruning one of two uploads of the same picture leaves the other whole."""
    kept, orphan = await _uploaded(own_site), await _uploaded(own_site)
    await _posted(own_site, {"attachment": [kept], "to": [PUBLIC]})
    own_site.world.clock.forward(days=2)
    own_site.gateway.prune()
    assert (await own_site.get(orphan["url"].removeprefix(BASE))).status == 404
    assert (await own_site.get(kept["url"].removeprefix(BASE))).status == 200

"""Media: the bytes that were uploaded, never an ActivityPub document, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from web.asking import problem_of
from web.conftest import PNG
from world import BASE

from gateway.activitypub.note import Draft
from gateway.errors import UnsupportedMediaType
from gateway.flows import attach, publish, revise

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio


def _path(site: Site, name: str = "media") -> str:
    attached = site.posts[name].document["attachment"]
    assert isinstance(attached, list)
    return str(attached[0]["url"]).removeprefix(BASE)


async def test_a_file_is_sent_as_it_was_and_in_a_sandbox(site: Site) -> None:
    """Bytes, sniffed type, a policy that runs nothing, a name that is safe, the preferences of its post."""
    answer = await site.get(_path(site))
    assert (answer.status, answer.body, answer.media_type) == (200, PNG, "image/png")
    assert answer.header("content-security-policy") == "default-src 'none'; sandbox; frame-ancestors 'none'"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-disposition") == 'inline; filename="Drawing-of-a-cat.png"'
    assert answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert answer.header("cache-control") == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("accept", ["application/activity+json", "application/ld+json", "text/html", "*/*", ""])
async def test_a_file_is_never_an_activitypub_document(site: Site, accept: str) -> None:
    """Whatever is asked for, the type is that of the file (GHSA-jhrq-qvrm-qr36)."""
    assert (await site.get(_path(site), accept=accept)).media_type == "image/png"


async def test_an_upload_that_claims_to_be_a_document_is_not_taken(site: Site) -> None:
    """The type comes from the first bytes: JSON, HTML and SVG are no media."""
    for content in (
        b'{"id": "https://gw.example/users/alice"}',
        b"<html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ):
        upload = attach.Upload(content=content, name="cat.png")
        with pytest.raises(UnsupportedMediaType, match="media format"):
            await publish.create(site.kit, site.alice, Draft(text="look"), uploads=[upload])


async def test_parts_of_a_file_can_be_asked_for(site: Site) -> None:
    """A range request is answered with that part and the same protective headers."""
    answer = await site.get(_path(site), range="bytes=0-7")
    assert (answer.status, answer.body) == (206, PNG[:8])
    assert answer.header("content-security-policy").endswith("frame-ancestors 'none'")
    assert answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"


@pytest.mark.parametrize("change", ["name", "id", "dots", "encoded"])
async def test_only_the_exact_address_leads_to_the_file(site: Site, change: str) -> None:
    """Another name, another id or a path that climbs finds nothing."""
    media_id, name = _path(site).split("/")[2:]
    path = {
        "name": f"/media/{media_id}/other.png",
        "id": f"/media/2222222222222/{name}",
        "dots": f"/media/{media_id}/../{media_id}/{name}",
        "encoded": f"/media/{media_id}/%2e%2e%2f%2e%2e%2fgateway.db",
    }[change]
    problem_of(await site.get(path), [404])


async def test_the_file_of_a_deleted_post_is_gone(own_site: Site) -> None:
    """Deleting a post takes its files away with it."""
    path = _path(own_site)
    revise.delete(own_site.kit, own_site.alice, own_site.posts["media"].id)
    problem_of(await own_site.get(path), [404])


async def test_a_file_that_is_lost_on_disk_is_missing_not_a_crash(own_site: Site) -> None:
    """A missing blob is a 404."""
    path = _path(own_site)
    media = own_site.kit.store.objects.media(path.split("/")[2])
    assert media is not None
    own_site.kit.files.path(media.sha256).unlink()
    problem_of(await own_site.get(path), [404])

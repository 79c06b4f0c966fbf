"""Files of posts."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, PNG, home_of
from world import BASE, account

from gateway.activitypub.note import Attached
from gateway.errors import Refused, UnsupportedMediaType
from gateway.flows import attach
from gateway.flows.attach import safe_name

if TYPE_CHECKING:
    from world import World

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import MediaFile

pytestmark = pytest.mark.anyio

POST = f"{BASE}/posts/1"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.png", "cat.png"), ("a b(c).png", "a-b-c-.png"), ("../../etc/passwd", "passwd"), ("..", "file"),
        ("", "file"), ("---", "file"), (".hidden", "hidden"), ("猫", "file"), ("猫.png", "png"), ("a/", "file"),
        ("x" * 100 + ".png", "x" * 76 + ".png"), ("a%2Fb", "a-2Fb"), ("a\r\nb", "a--b"), ("a\x00b", "a-b"),
    ],
)  # fmt: skip
def test_a_name_is_fit_for_an_address(name: str, safe: str) -> None:
    """Letters, digits, dot, dash and underscore of ASCII stay; nothing begins or ends with a dot or dash."""
    assert safe_name(name) == safe


def _kept(kit: Kit, owner: Account, object_id: str | None = None, name: str = "cat.png") -> Attached:
    return attach.keep(kit, owner, attach.store(kit, BytesIO(PNG)), name, "a cat", object_id)


def _media(kit: Kit, url: str) -> MediaFile:
    found = kit.store.objects.media(url.split("/")[-2])
    assert found is not None
    return found


async def test_a_file_is_kept_and_described(world: World) -> None:
    """Its address cannot be guessed; type, size and dimensions are read from the content."""
    home, alice = home_of(world)
    one, two = _kept(home.kit, alice), _kept(home.kit, alice)
    assert one == Attached(url=one.url, media_type="image/png", alt="a cat", width=3, height=4)
    assert one.url != two.url
    assert len(one.url.split("/")[-2]) >= 13 + 16
    media = _media(home.kit, one.url)
    assert (media.owner, media.name, media.size, media.alt, media.object) == (ALICE, "cat.png", len(PNG), "a cat", None)
    assert home.kit.files.path(media.sha256).read_bytes() == PNG
    assert media.sha256 == _media(home.kit, two.url).sha256


async def test_a_file_of_a_draft_belongs_to_its_post(world: World) -> None:
    """Attached on the command line, it is part of the post from the start."""
    home, alice = home_of(world)
    made = attach.keep(home.kit, alice, attach.store(home.kit, BytesIO(PNG)), "x y.png", "", POST)
    assert (_media(home.kit, made.url).object, made.url.rpartition("/")[2]) == (POST, "x-y.png")
    with pytest.raises(UnsupportedMediaType):
        attach.store(home.kit, BytesIO(b"<svg/>"))


def _filled(shape: Any, url: str) -> Any:
    if isinstance(shape, dict):
        return {name: _filled(item, url) for name, item in shape.items()}
    return [_filled(item, url) for item in shape] if isinstance(shape, list) else shape.replace("{url}", url)


@pytest.mark.parametrize(
    ("member", "shape"),
    [
        *(("attachment", shape) for shape in (
            "{url}", ["{url}"], {"url": "{url}"}, [{"url": "{url}"}], {"href": "{url}"}, [{"href": "{url}"}],
            {"type": "Image", "url": {"type": "Link", "href": "{url}"}}, {"type": "Image", "url": ["{url}"]},
            {"type": "Image", "url": [{"type": "Link", "href": "{url}"}]},
        )),
        *((member, [{"type": "Image", "url": "{url}"}]) for member in ("image", "icon", "url")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["alice", "carol"])
async def test_every_way_to_show_a_file_is_found(world: World, member: str, shape: Any, whose: str) -> None:
    """However a document shows a file: its owner's becomes part of the object, somebody else's is refused."""
    home, alice = home_of(world)
    url = _kept(home.kit, account(home, "carol") if whose == "carol" else alice).url
    document = {member: _filled(shape, url)}
    if whose == "carol":
        with pytest.raises(Refused):
            attach.link(home.kit, alice, document, POST)
        assert _media(home.kit, url).object is None
    else:
        attach.link(home.kit, alice, document, POST)
        assert _media(home.kit, url).object == POST


async def test_the_first_object_keeps_its_file(world: World) -> None:
    """A second object that shows the file does not take it away."""
    home, alice = home_of(world)
    url = _kept(home.kit, alice).url
    for post in (POST, f"{BASE}/posts/2"):
        attach.link(home.kit, alice, {"attachment": [{"url": url}]}, post)
    assert _media(home.kit, url).object == POST


async def test_files_elsewhere_and_unknown_ones_are_no_ones(world: World) -> None:
    """Other servers' pictures, missing ids, and members that are no files are passed over."""
    home, alice = home_of(world)
    before = home.kit.store.database.rows("SELECT * FROM media")
    shown = ["https://peer.example/media/x/y.png", f"{BASE}/media/unknown/x.png", POST, 5, None, {}, {"url": 5}]
    attach.link(home.kit, alice, {"attachment": shown, "image": None, "icon": 7}, POST)
    assert home.kit.store.database.rows("SELECT * FROM media") == before


async def test_no_file_hides_behind_many(world: World) -> None:
    """Somebody else's file after a hundred others is not shown either."""
    home, alice = home_of(world)
    foreign = _kept(home.kit, account(home, "carol")).url
    shown = [*({"url": f"https://x.example/{number}"} for number in range(100)), foreign]
    with pytest.raises(Refused):
        attach.link(home.kit, alice, {"image": shown}, POST)

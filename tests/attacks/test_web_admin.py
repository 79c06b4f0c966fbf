"""What an admin sets up: settings, files and their modes, versions, what the public learns; and every case is run."""

from __future__ import annotations

import importlib
import json
import os
import re
import stat
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks.web_scene import ALICE, CATALOGUE, PNG, RUN, Case, Site, cases, opened
from flows import keypool
from processes import CHECKOUT, served
from typer.main import get_command
from world import BASE, account

import gateway
from gateway.cli.main import app as command_line
from gateway.errors import SettingsError, StoreError
from gateway.flows import attach, kit
from gateway.runtime import SECRET_BYTES, open_gateway
from gateway.settings import Settings, load
from gateway.store.store import FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

MODULES = ("authz", "browser", "guards", "guesses", "injection", "logs", "media", "regex", "sessions", "xss")
ELSEWHERE = {"WEB-ADMIN-022": "tests/fuzz runs schemathesis over the OpenAPI document of every address"}
LATER = {"WEB-INJ-008": "nothing is exported as CSV yet; see test_nothing_is_written_as_csv"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make no new keys for each test, and read no settings of the machine."""
    monkeypatch.setattr(kit, "generate", keypool.pooled)
    for name in list(os.environ):
        if name.startswith("GATEWAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def settings_in(data: Path) -> Settings:
    """Return the settings of a gateway with this data directory."""
    return load(flags={"data": data, "base_url": BASE})[0]


WEAK = {
    "empty": b"",
    "too short": b"x" * (SECRET_BYTES - 1),
    "too long": os.urandom(SECRET_BYTES) + b"\n",
    "zeros": bytes(SECRET_BYTES),
    "one letter": b"a" * SECRET_BYTES,
    "a word again and again": b"changeme" * (SECRET_BYTES // 8),
    "digits": b"0123456789" * 3 + b"01",
    "a text": b"please-change-this-secret-key-00",
}


@pytest.mark.parametrize("kind", WEAK)
@cases("WEB-ADMIN-004")
def test_a_weak_secret_is_not_taken(tmp_path: Path, case: Case, kind: str) -> None:
    """A secret file that is not 32 random bytes refuses to start and says why; nothing is made with it."""
    (tmp_path / "secret.key").write_bytes(WEAK[kind])
    (tmp_path / "secret.key").chmod(0o600)
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match=r"secret"):
        open_gateway(settings_in(tmp_path))
    assert not (tmp_path / FILE).exists()
    case.proves("refuses_to_start")


@pytest.mark.parametrize("name", ["admin_token", "token", "password", "admin_password", "secret", "api_key", "debug"])
@cases("WEB-ADMIN-004")
def test_no_secret_can_be_set_at_all(tmp_path: Path, case: Case, name: str) -> None:
    """Tokens and passwords are no settings: one in the file refuses to start, so none can be weak or a default."""
    file = tmp_path / "gateway.toml"
    file.write_text(f'{name} = "admin"\n')
    with pytest.raises(SettingsError, match=name):
        load(file)
    assert name not in Settings.model_fields
    assert not any(re.search(r"token|password|api_key", known) for known in Settings.model_fields)
    case.proves("refuses_to_start")


def test_a_new_gateway_knows_nobody(tmp_path: Path) -> None:
    """There is no account, token, app or password before somebody makes one, and no two secrets are alike."""
    secrets = set()
    for name in ("one", "two"):
        made = open_gateway(settings_in(tmp_path / name))
        database = made.kit.store.database
        for table in ("token", "oauth_client", "oauth_code", "sign_in"):
            assert database.rows(f"SELECT * FROM {table}") == [], table  # noqa: S608 - our own tables
        assert made.kit.store.accounts.all() == []
        secrets.add(made.kit.settings.secret_path.read_bytes())
        made.kit.store.close()
    assert len(secrets) == 2


def versions() -> dict[str, tuple[int, ...]]:
    """Return the versions that are installed, by name."""
    lock = (CHECKOUT / "requirements.lock").read_text("utf-8")
    found = re.findall(r"^([a-z0-9._-]+)==([0-9][0-9.]*)", lock, re.MULTILINE)
    return {name: tuple(int(part) for part in version.split(".")) for name, version in found}


NEWEST_FLAWED = {
    "starlette": ((1, 3, 1), "CVE-2026-48710, -48817, -54283"),
    "h11": ((0, 16), "CVE-2025-43859"),
    "idna": ((3, 7), "CVE-2024-3651"),
    "python-multipart": ((0, 0, 31), "CVE-2026-24486, CVE-2026-42561, GHSA-v9pg-7xvm-68hf"),
    "jinja2": ((3, 1, 6), "CVE-2025-27516"),
    "cryptography": ((44, 0, 1), "CVE-2024-12797"),
    "uvicorn": ((0, 11, 7), "CVE-2020-7694"),
    "httpx": ((0, 23), "CVE-2021-41945"),
    "certifi": ((2024, 7, 4), "CVE-2024-39689"),
}  # fmt: skip


@pytest.mark.parametrize("name", NEWEST_FLAWED)
@cases("WEB-ADMIN-023")
def test_the_lock_has_no_version_with_a_known_flaw(case: Case, name: str) -> None:
    """Every library whose old versions had flaws that matter here is locked at one that has none, with its hashes."""
    least, why = NEWEST_FLAWED[name]
    assert versions()[name] >= least, why
    lock = (CHECKOUT / "requirements.lock").read_text("utf-8")
    assert lock.count("\n") > 100
    for entry in re.split(r"\n(?=[a-z])", lock.partition("\n\n")[2] or lock)[1:]:
        assert "--hash=sha256:" in entry, entry[:80]
    case.proves("zero")


@cases("WEB-ADMIN-023")
def test_no_older_version_is_asked_for(case: Case) -> None:
    """The lower bounds of the project itself leave no room for the flawed versions, where it names the library."""
    project = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    for name, (least, why) in NEWEST_FLAWED.items():
        for bound in re.findall(rf'"{name}>=([0-9.]+)', project):
            assert tuple(int(part) for part in bound.split(".")) >= least, (name, why)
    assert not re.search(
        r"(git\+|file:|http:)", project.partition("[dependency-groups]")[0].partition("dependencies")[2]
    )
    case.proves("zero")


def modes(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield every file and directory with its mode."""
    for path in (root, *root.rglob("*")):
        yield path, stat.S_IMODE(path.stat().st_mode)


def check_modes(root: Path) -> None:
    """Fail for anything in a data directory that somebody else may read."""
    found = {str(path.relative_to(root)): (oct(mode), path.is_dir()) for path, mode in modes(root)}
    loose = {name: mode for name, (mode, is_dir) in found.items() if mode != ("0o700" if is_dir else "0o600")}
    assert loose == {}, loose


@pytest.mark.parametrize("mask", [0o022, 0o000, 0o077], ids=oct)
@cases("WEB-ADMIN-024")
def test_files_are_their_owners_alone(tmp_path: Path, case: Case, mask: int) -> None:
    """Database, journal, secret, lock and media are 0600, directories 0700, whatever umask the admin has."""
    before = os.umask(mask)
    try:
        made = open_gateway(settings_in(tmp_path / "data"))
        person = account(made)
        attach.keep(made.kit, person, attach.store(made.kit, BytesIO(PNG)), "a.png", "", f"{BASE}/posts/x")
        check_modes(tmp_path / "data")
        made.kit.store.close()
    finally:
        os.umask(before)
    check_modes(tmp_path / "data")
    case.proves("modes")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o604], ids=oct)
@cases("WEB-ADMIN-024")
async def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, case: Case, mode: int) -> None:
    """A secret file that group or world may read starts no server, and the message says how to mend it."""
    data = tmp_path / "data"
    for closed in (True, False, True):
        gateway = open_gateway(settings_in(data))
        (data / "secret.key").chmod(0o600 if closed else mode)
        if closed:
            await gateway.start()
        else:
            with pytest.raises(SettingsError, match=r"secret\.key.*chmod 600"):
                await gateway.start()
        await gateway.stop()
    case.proves("modes")


@pytest.mark.parametrize(("name", "mode"), [(".", 0o755), (".", 0o777), (FILE, 0o644), ("media", 0o755)])
@cases("WEB-ADMIN-024")
def test_what_became_looser_is_mended_or_refused(tmp_path: Path, case: Case, name: str, mode: int) -> None:
    """A data directory that was opened up since is refused at the next start, or closed again: never used as it is."""
    data = tmp_path / "data"
    made = open_gateway(settings_in(data))
    attach.keep(made.kit, account(made), attach.store(made.kit, BytesIO(PNG)), "a.png", "", f"{BASE}/posts/x")
    made.kit.store.close()
    (data / name).chmod(mode)
    try:
        open_gateway(settings_in(data)).kit.store.close()
    except (SettingsError, StoreError):
        pass
    else:
        assert stat.S_IMODE((data / name).stat().st_mode) == (0o600 if name == FILE else 0o700)
    case.proves("modes")


def parameters() -> Iterator[tuple[str, Any]]:
    """Yield every parameter of every command."""
    waiting = [("gateway", get_command(command_line))]
    while waiting:
        name, command = waiting.pop()
        waiting += [(f"{name} {key}", inner) for key, inner in getattr(command, "commands", {}).items()]
        yield from ((name, parameter) for parameter in command.params)


# What is called so and is none: the id of a token, files of public keys.
NO_SECRETS = {("gateway token revoke", "token"), ("gateway verify", "keys"), ("gateway inspect", "fetch_keys")}


@cases("WEB-ADMIN-024")
def test_no_command_takes_a_secret_as_an_argument(case: Case) -> None:
    """Arguments are seen by every process of the machine: no command has one for a token, password or key."""
    found = list(parameters())
    assert len(found) > 100
    suspicious = {
        (command, str(parameter.name))
        for command, parameter in found
        if re.search(r"token|secret|passw|key|code|credential|auth", str(parameter.name))
    }
    assert suspicious <= NO_SECRETS
    case.proves("modes")


@cases("WEB-ADMIN-024")
def test_a_running_gateway_shows_no_secret(tmp_path: Path, case: Case) -> None:
    """Neither the arguments nor the environment of the process hold a secret, and its files are its own."""
    with served(tmp_path) as made:
        made.cli("account", "create", "alice")
        token = made.cli("token", "create", "alice")["token"]
        link = made.cli("account", "sign-in", "alice")["link"]
        assert made.process is not None
        process = Path(f"/proc/{made.process.pid}")
        if not process.exists():
            pytest.skip("missing: /proc")
        secret = (made.data / "secret.key").read_bytes()
        for shown in ("cmdline", "environ", "comm"):
            content = (process / shown).read_bytes()
            for word in (token.encode(), link.partition("code=")[2].encode(), secret, secret.hex().encode()):
                assert word not in content
        check_modes(made.data)
    for sources in ((), ("--sources",)):
        told = made.run("config", "show", *sources)
        assert token not in told.out
        assert secret.hex() not in told.out
    for listing in (("token", "list"), ("account", "list"), ("keys", "list"), ("account", "keys", "alice")):
        told = made.run(*listing, "--json")
        assert token not in told.out
        assert "PRIVATE" not in told.out
    case.proves("modes")


NODEINFO = {
    "version", "software", "software.name", "software.version", "software.homepage", "software.repository", "usage",
    "protocols", "services", "services.inbound", "services.outbound", "openRegistrations", "usage.users",
    "usage.users.total", "usage.localPosts", "metadata", "metadata.nodeName", "metadata.nodeDescription",
    "metadata.federation", "metadata.federation.enabled", "metadata.federationNotes", "metadata.usagePreferences",
}  # fmt: skip
OPEN = (
    "/nodeinfo/2.1", "/.well-known/nodeinfo", "/", "/about", "/about/policy", "/about/federation", "/about/software",
    "/about/developers", "/actor", "/@alice", "/@alice.atom", "/robots.txt", "/users/alice", "/readyz", "/livez",
    "/.well-known/webfinger?resource=acct:alice@gw.example", "/.well-known/host-meta", "/openapi.json",
)  # fmt: skip


def names(document: dict[str, Any], before: str = "") -> Iterator[str]:
    """Yield the name of every member, with those it is in."""
    for name, value in document.items():
        yield f"{before}{name}"
        if isinstance(value, dict) and name != "usagePreferences":
            yield from names(value, f"{before}{name}.")


@cases("WEB-ADMIN-025")
async def test_the_public_learns_what_is_documented(site: Site, case: Case) -> None:
    """NodeInfo and the pages name counts, versions and policies: no peer, token, follower, path or hidden post."""
    assert set(names((await site.get("/nodeinfo/2.1")).json)) <= NODEINFO
    hidden = ("peer.example", "direct words", "followers words", str(site.gateway.kit.settings.data))
    for target in OPEN:
        for accept in ("text/html", "application/json"):
            text = (await site.get(target, accept=accept)).text
            assert not any(word in text for word in (*hidden, *site.tokens.values())), target
    case.proves("documented")


async def test_hidden_posts_are_not_counted_in_public(site: Site) -> None:
    """Whoever watches the count of posts does not learn when somebody writes to a friend."""
    before = (await site.get("/nodeinfo/2.1")).json["usage"]["localPosts"]
    await site.send({"type": "Note", "content": "hush", "to": [site.bob.me.id]})
    await site.send({"type": "Note", "content": "hush", "to": [f"{ALICE}/followers"]})
    assert (await site.get("/nodeinfo/2.1")).json["usage"]["localPosts"] == before
    await site.send({"type": "Note", "content": "hello, everybody"})
    assert (await site.get("/nodeinfo/2.1")).json["usage"]["localPosts"] == before + 1


HEAD = "ffd8ffe1002245786966000049492a0008000000010012010300010000000600000000000000ffd9"
EXIF = bytes.fromhex(HEAD) + b"GPSLatitude 35.6812"


@cases("WEB-ADMIN-025")
async def test_a_picture_is_kept_as_it_was_and_that_is_said(site: Site, case: Case) -> None:
    """Files go out byte for byte, also what a camera wrote into them: the page for software says so."""
    uploaded = (await site.upload(EXIF, 'filename="a.jpg"')).json
    await site.send({"type": "Note", "content": "x", "attachment": [uploaded]})
    assert (await site.get(uploaded["url"].removeprefix(BASE))).body == EXIF
    for language in ("en", "ja"):
        assert "EXIF" in (await site.get(f"/about/software?lang={language}")).text.upper()
    case.proves("documented")


def test_nothing_is_written_as_csv() -> None:
    """There is no export for spreadsheets: as soon as there is, WEB-INJ-008 has to be run."""
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        assert not re.search(r"import csv|text/csv|\.csv\b", path.read_text("utf-8")), path


def test_no_case_is_left_out() -> None:
    """Every case of the catalogue is run by some module, or put off by name; none is both, and none is made up."""
    for name in MODULES:
        importlib.import_module(f"attacks.test_web_{name}")
    put_off = ELSEWHERE.keys() | LATER.keys()
    assert set(CATALOGUE) == RUN | put_off
    assert not RUN & put_off
    shared = json.loads((Path(__file__).parent / "data" / "web_admin.json").read_text("utf-8"))
    assert len(CATALOGUE) == shared["count"] == 42

"""Settings: precedence, sources, every problem at once, local defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import SettingsError
from gateway.policy.decide import Mode
from gateway.preferences import AI_USES, Preference, Preferences
from gateway.settings import DEFAULT_PREFS, LOOPBACK, Settings, load
from gateway.urls import Origin

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(f"GATEWAY_{name}", raising=False)


def toml(path: Path, text: str) -> Path:
    """Write a settings file."""
    path.write_text(text, "utf-8")
    return path


def made(**values: Any) -> Settings:
    """Return settings with these values."""
    return Settings(**values)


def problem(**flags: Any) -> str:
    """Return what is wrong with these flags."""
    with pytest.raises(SettingsError) as refused:
        load(flags=flags)
    return str(refused.value)


def test_defaults_are_those_of_a_local_gateway() -> None:
    """Without anything set the gateway is one to try out, and every value is a default."""
    found, sources = load()
    assert (found.base_url, found.host, found.port) == ("http://localhost:8000", "127.0.0.1", 8000)
    assert (found.peer_mode, found.authorized_fetch) == (Mode.STANDARD, True)
    assert set(sources) == set(Settings.model_fields)
    assert set(sources.values()) == {"default"}


def test_flags_beat_the_environment_and_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value says where it came from; a flag that was not given changes nothing."""
    toml(tmp_path / "gateway.toml", 'port = 1\nhost = "file"\nlog_level = "debug"\ncontact = "file"\n')
    monkeypatch.setenv("GATEWAY_PORT", "2")
    monkeypatch.setenv("GATEWAY_HOST", "environment")
    found, sources = load(flags={"port": 3, "log_level": None})
    assert (found.port, found.host, found.log_level, found.contact) == (3, "environment", "debug", "file")
    assert {name: sources[name] for name in ("port", "host", "log_level", "contact", "data")} == {
        "port": "--port", "host": "GATEWAY_HOST", "log_level": "gateway.toml", "contact": "gateway.toml",
        "data": "default",
    }  # fmt: skip


def test_which_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named file must be there; the one named by the environment, or gateway.toml, may be missing."""
    named = toml(tmp_path / "named.toml", "port = 7")
    other = toml(tmp_path / "other.toml", "port = 8")
    monkeypatch.setenv("GATEWAY_CONFIG", str(other))
    assert load()[0].port == 8
    assert load(named)[0].port == 7
    monkeypatch.setenv("GATEWAY_CONFIG", str(tmp_path / "nothing.toml"))
    assert load()[0].port == 8000
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path / "nothing.toml")


@pytest.mark.parametrize("content", [b"port =", b"\xff\xfe", b"[x", b"port = 1\nport = 2"])
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    """The file is named, with where it breaks."""
    (tmp_path / "gateway.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"gateway\.toml: "):
        load()


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """What cannot be read is named too."""
    with pytest.raises(SettingsError, match="Is a directory"):
        load(tmp_path)


def test_every_problem_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One start shows everything that is wrong, each with where it was set."""
    toml(tmp_path / "gateway.toml", 'peer_mode = "kind"\nnonsense = 1\n')
    monkeypatch.setenv("GATEWAY_PORT", "many")
    found = problem(base_url="gw.example", instance_prefs="train-gen=maybe")
    for part in ("gateway.toml: peer_mode", "gateway.toml: nonsense", "GATEWAY_PORT: port", "--base-url: base_url: ",
                 "must be an http(s) origin", "--instance-prefs", "train-gen"):  # fmt: skip
        assert part in found


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("base_url", "https://gw.example/path", "must not have a path"),
        ("base_url", "ftp://gw.example", "must be an http(s) origin"),
        ("base_url", "https://user@gw.example", "must be an http(s) origin"),
        ("port", 70000, "port"),
        ("log_level", "loud", "log_level"),
        ("account_domain", "ex ample", "account_domain"),
        ("trusted_proxies", "10.0.0.0/33", "trusted_proxies"),
        ("allow_private_addresses", "localhost", "allow_private_addresses"),
        ("retention_jobs", 0, "retention_jobs"),
        ("database_url", "mysql://x", "postgresql:// URL"),
    ],
)
def test_values_that_cannot_be_used(flag: str, value: object, words: str) -> None:
    """Each names its setting and what would do."""
    assert words in problem(**{flag: value})


def test_origins_and_networks_have_a_normal_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trailing slash, capitals and host bits are tidied up; lists come with commas from the environment."""
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "10.1.2.3/8, ::1 ,")
    found, _ = load(flags={"base_url": "HTTPS://GW.Example/", "account_domain": "Bücher.example"})
    assert (found.base_url, found.account_domain) == ("https://gw.example", "xn--bcher-kva.example")
    assert found.trusted_proxies == ["10.0.0.0/8", "::1/128"]
    assert found.origin == Origin("https", "gw.example", 443)


def test_lists_come_with_commas_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are listed like networks; one that is no number is told with where it was set."""
    monkeypatch.setenv("GATEWAY_ALLOWED_PORTS", "8443, 9443")
    assert load()[0].allowed_ports == [8443, 9443]
    monkeypatch.setenv("GATEWAY_ALLOWED_PORTS", "8443, many")
    assert "GATEWAY_ALLOWED_PORTS: allowed_ports.1" in problem()


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://127.0.0.1:1", "http://[::1]:1"])
def test_a_local_gateway_takes_http_and_loopback(base: str) -> None:
    """With a localhost base URL plain http and loopback addresses are on, for trying things out."""
    found = made(base_url=base)
    assert (found.is_local, found.takes_http, found.private_networks) == (True, True, LOOPBACK)


def test_a_public_gateway_takes_neither() -> None:
    """Elsewhere both stay off until an admin opens them."""
    found = made(base_url="https://gw.example")
    assert (found.is_local, found.takes_http, found.private_networks) == (False, False, ())
    opened = made(base_url="https://gw.example", allow_http=True, allow_private_addresses=["10.0.0.0/8"])
    assert (opened.takes_http, opened.private_networks) == (True, ("10.0.0.0/8",))


def test_the_domain_of_handles() -> None:
    """Handles end in the account domain, or in the host with its port."""
    assert made(base_url="https://gw.example").domain == "gw.example"
    assert made(base_url="http://localhost:8000").domain == "localhost:8000"
    assert made(base_url="https://gw.example", account_domain="example").domain == "example"


def test_what_the_operator_asks_for() -> None:
    """The default refuses every AI use and leaves search alone; an empty text asks for nothing."""
    found = made()
    assert found.instance_preferences == Preferences(dict.fromkeys(AI_USES, Preference.DISALLOW))
    assert found.instance_prefs == DEFAULT_PREFS
    assert made(instance_prefs="").instance_preferences == Preferences()


def test_where_things_are(tmp_path: Path) -> None:
    """The secret lies in the data directory and the appeal on the policy page, unless set otherwise."""
    found = made(base_url="https://gw.example", data=tmp_path)
    assert (found.secret_path, found.appeal) == (tmp_path / "secret.key", "https://gw.example/about/policy")
    other = made(secret_file=tmp_path / "s", contact="mailto:a@gw.example")
    assert (other.secret_path, other.appeal) == (tmp_path / "s", "mailto:a@gw.example")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    """Each field's description is its documentation."""
    assert str(Settings.model_fields[name].description).endswith(".")

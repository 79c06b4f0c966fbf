"""Every knob, its default and where its value came from: gateway.toml < GATEWAY_* < flags."""

from __future__ import annotations

import functools
import ipaddress
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.carriers.ai_usage import parse_prefs, unknown_words
from gateway.errors import BadUrl, SettingsError
from gateway.policy.decide import Mode
from gateway.preferences import Preferences
from gateway.urls import Origin, normalise_host, origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "GATEWAY_"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LOOPBACK = ("127.0.0.0/8", "::1/128")
DEFAULT_PREFS = "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n"


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[list[str], NoDecode, BeforeValidator(_listed)]
Ports = Annotated[list[int], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """All settings of one gateway; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    base_url: str = Field("http://localhost:8000", description="Public origin. Ids contain it, so it can never change.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    data: Path = Field(Path("./data"), description="Directory of the database, media and secret file.")
    database_url: str = Field(
        "",
        description="Empty: SQLite in the data directory; postgresql://...: PostgreSQL, for any number of processes.",
    )
    media_bucket: str = Field(
        "",
        description="Bucket of an S3-compatible store for media; empty: the data directory, shared by all processes.",
    )
    media_endpoint: str = Field(
        "", pattern=r"^(|https?://[^/?#@]+/?)$", description="Origin of that store; empty: Amazon's."
    )
    media_region: str = Field("us-east-1", description="Region of that bucket.")
    media_access_key: str = Field("", description="Access key id for that bucket.")
    media_secret_key: SecretStr = Field(SecretStr(""), description="Secret access key for that bucket.")
    secret_file: Path | None = Field(
        None,
        description="32 random bytes that wrap private keys; made at first start as secret.key in the data directory.",
    )
    account_domain: str = Field("", description="Domain of handles when it is not the host of the base URL.")
    trusted_proxies: Networks = Field(
        [], description="CIDR list: proxies whose X-Forwarded-For gives the client address."
    )
    peer_mode: Mode = Field(Mode.STANDARD, description="observe, standard or pledge-required.")
    instance_prefs: str = Field(
        DEFAULT_PREFS, description="What the operator asks for where an author left a category unstated."
    )
    authorized_fetch: bool = Field(True, description="Objects are readable only with a signature.")
    allow_private_addresses: Networks = Field(
        [], description="CIDR list of otherwise forbidden addresses that may be contacted."
    )
    allow_http: bool = Field(False, description="Take peers that speak plain http.")
    allowed_ports: Ports = Field([], description="Ports besides 443 that peers may use.")
    ca_file: Path | None = Field(None, description="PEM file of further certificate authorities.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve; about one a core.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    metrics_address: str = Field(
        "", pattern=r"^(|[^:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5})$",
        description="host:port of a listener for /metrics alone; empty: none.",
    )  # fmt: skip
    retention_arrivals: int = Field(30, ge=1, description="Days that the bytes of settled arrivals are kept.")
    retention_jobs: int = Field(7, ge=1, description="Days that finished jobs are kept.")
    limit_network: int = Field(
        3000,
        ge=0,
        description="Unverified requests in five minutes from one network (/24, /56); 0: no limit.",
    )
    limit_peer: int = Field(
        3000, ge=0, description="Verified requests in five minutes from one peer's domain; 0: no limit."
    )
    limit_peer_mebibytes: int = Field(
        512, ge=0, description="MiB that one peer's domain may send in a day to be kept; 0: no limit."
    )
    contact: str = Field(
        "", description="Where a refused peer can appeal: a URL or mail address; default /about/policy."
    )

    @field_validator("base_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        try:
            origin = origin_of(value)
        except BadUrl as error:
            raise ValueError("must be an http(s) origin, like https://gw.example") from error
        if value.rstrip("/").count("/") > 2:  # noqa: PLR2004 - scheme://host
            raise ValueError("must not have a path")
        return str(origin)

    @field_validator("account_domain")
    @classmethod
    def _domain(cls, value: str) -> str:
        try:
            return normalise_host(value) if value else value
        except BadUrl as error:
            raise ValueError("must be a domain name, like example.org") from error

    @field_validator("instance_prefs")
    @classmethod
    def _preferences(cls, value: str) -> str:
        if unknown := unknown_words(value):
            raise ValueError(f"not a category with y or n: {', '.join(unknown)}")
        return value

    @field_validator("trusted_proxies", "allow_private_addresses")
    @classmethod
    def _cidr(cls, value: list[str]) -> list[str]:
        return [str(ipaddress.ip_network(item, strict=False)) for item in value]

    @model_validator(mode="after")
    def _engine(self) -> Settings:
        if self.database_url and not self.database_url.startswith(("postgresql://", "postgres://")):
            raise ValueError("database_url: leave it empty for SQLite, or give a postgresql:// URL")
        if self.media_bucket and not (self.media_access_key and self.media_secret_key.get_secret_value()):
            raise ValueError("media_bucket: give media_access_key and media_secret_key with it")
        return self

    @functools.cached_property
    def origin(self) -> Origin:
        """Return the base URL as an origin."""
        return origin_of(self.base_url)

    @property
    def is_local(self) -> bool:
        """Tell whether the base URL names this machine."""
        return self.origin.host in LOCAL_HOSTS

    @property
    def domain(self) -> str:
        """Return the domain of handles: ``example.org`` or ``localhost:8000``."""
        return self.account_domain or self.origin.authority

    @property
    def takes_http(self) -> bool:
        """Tell whether plain-http peers are taken."""
        return self.allow_http or self.is_local

    @functools.cached_property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Return ``trusted_proxies`` as networks."""
        return tuple(ipaddress.ip_network(network) for network in self.trusted_proxies)

    @property
    def private_networks(self) -> tuple[str, ...]:
        """Return the networks that may be contacted although they are not public."""
        return (*self.allow_private_addresses, *(LOOPBACK if self.is_local else ()))

    @functools.cached_property
    def instance_preferences(self) -> Preferences:
        """Return ``instance_prefs`` as a value."""
        return parse_prefs(self.instance_prefs) or Preferences()

    @property
    def secret_path(self) -> Path:
        """Return where the secret file is."""
        return self.secret_file or self.data / "secret.key"

    @property
    def appeal(self) -> str:
        """Return where a refused peer can appeal."""
        return self.contact or f"{self.base_url}/about/policy"


def load(config: Path | None = None, flags: dict[str, Any] | None = None) -> tuple[Settings, dict[str, str]]:
    """Return the settings and, per field, where its value came from.

    ``config`` defaults to GATEWAY_CONFIG or ``gateway.toml`` when that exists. Raises SettingsError
    with every problem at once.
    """
    path = config or Path(os.environ.get(f"{PREFIX}CONFIG", "gateway.toml"))
    from_file = _read_file(path, must_exist=config is not None)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environment = {
        name: os.environ[key] for name in Settings.model_fields if (key := f"{PREFIX}{name.upper()}") in os.environ
    }
    sources = dict.fromkeys(Settings.model_fields, "default")
    sources |= dict.fromkeys(from_file, str(path))
    sources |= {name: f"{PREFIX}{name.upper()}" for name in environment}
    sources |= {name: f"--{name.replace('_', '-')}" for name in given}
    try:
        return Settings(**{**from_file, **environment, **given}), sources
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(item, sources) for item in error.errors())) from error


def _problem(item: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Return one problem as ``where it was set: which setting: what is wrong``."""
    where = [str(part) for part in item["loc"]]
    source = sources.get(where[0], "unknown") if where else "settings"
    return f"{source}: {'.'.join(where)}: {item['msg']}" if where else f"{source}: {item['msg']}"


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    if not path.exists():
        if must_exist:
            raise SettingsError(f"{path} does not exist")
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: {error}") from error

"""schemas/settings.json is what ``gateway config schema`` prints, and fits a gateway.toml."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.runtime import schemas_directory
from gateway.settings import Settings

TEXT = (schemas_directory() / "settings.json").read_text("utf-8")
SCHEMA: dict[str, Any] = json.loads(TEXT)
SAMPLE = """
base_url = "https://gw.example"
host = "::"
port = 8443
data = "/srv/gateway"
secret_file = "/run/secrets/gateway"
account_domain = "example.org"
trusted_proxies = ["10.0.0.0/8", "::1"]
peer_mode = "pledge-required"
instance_prefs = "train-gen=n, search=y"
authorized_fetch = false
allow_private_addresses = []
allow_http = true
allowed_ports = [8443, 9443]
log_level = "warning"
retention_arrivals = 14
contact = "mailto:admin@example.org"
"""


def test_the_file_is_what_the_command_prints() -> None:
    """The file in the checkout has every setting of the code, sorted and indented."""
    result = CliRunner().invoke(app, ["config", "schema"])
    assert result.exit_code == 0
    printed = json.dumps(json.loads(result.stdout), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert printed == TEXT, (
        "renew it: gateway config schema"
        " | python -m json.tool --indent 2 --sort-keys --no-ensure-ascii > schemas/settings.json"
    )


def test_a_settings_file_fits() -> None:
    """What the schema takes the gateway takes, too."""
    sample = tomllib.loads(SAMPLE)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(sample)
    assert Settings(**sample).port == 8443


def test_the_defaults_fit() -> None:
    """Each default is a value that could be written into the file, except where null says that nothing is set."""
    defaults = {name: described["default"] for name, described in SCHEMA["properties"].items()}
    assert set(defaults) == set(Settings.model_fields)
    Draft202012Validator(SCHEMA).validate(defaults)
    Draft202012Validator(SCHEMA).validate({})


@pytest.mark.parametrize(
    "line",
    ["prot = 1", "port = 70000", 'port = "many"', 'peer_mode = "kind"', "authorized_fetch = 3", 'log_level = "loud"',
     'allowed_ports = ["https"]', "retention_jobs = 0", "[base_url]"],
)  # fmt: skip
def test_what_cannot_be_used_does_not_fit(line: str) -> None:
    """A misspelt name, a value out of range and one of the wrong type are found before the gateway starts."""
    assert not Draft202012Validator(SCHEMA).is_valid(tomllib.loads(line))

"""Reads the vectors in this folder into values."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from gateway.signatures.keys import PrivateKey, PublicKey, load_private_pem, load_public_pem
from gateway.signatures.request import SignedRequest

HERE = Path(__file__).parent
ORIGIN = "https://gw.test"
_KEY_SECTION = re.compile(r"^### Example .*?(?=^### |^## )", re.MULTILINE | re.DOTALL)
_CASE_SECTION = re.compile(r"^### (?!Example )(.*?)$(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^~~~ ?[a-z-]*\n(.*?)^~~~$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`(test-[a-z0-9-]+)`?")
_PUBLIC = re.compile(r"-----BEGIN (?:RSA )?PUBLIC KEY-----.*?-----END (?:RSA )?PUBLIC KEY-----\n", re.DOTALL)
_PRIVATE = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----.*?-----END (?:RSA )?PRIVATE KEY-----\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One request of the corpus and the moment it came in."""

    at: datetime
    request: SignedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case of RFC 9421, Appendix B."""

    label: str
    base: str
    signature_input: str
    signature: str


@cache
def captured() -> tuple[Captured, ...]:
    """Return the 40 captured requests."""
    lines = (HERE / "corpus" / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_captured(json.loads(line)) for line in lines)


def _captured(row: dict[str, Any]) -> Captured:
    request = SignedRequest(
        method=row["method"],
        target=ORIGIN + row["path"],
        headers=tuple((name, value) for name, value in row["headers"]),
        body=base64.b64decode(row["body_b64"]),
    )
    return Captured(at=datetime.fromtimestamp(row["t"], UTC), request=request)


@cache
def captured_keys() -> dict[str, PublicKey]:
    """Return the keys of the corpus by key id."""
    listed = json.loads((HERE / "corpus" / "public-keys.json").read_text(encoding="utf-8"))
    return {key_id: load_public_pem(pem) for key_id, pem in listed.items()}


@cache
def fep_8b32() -> dict[str, Any]:
    """Return the vector of FEP-8b32."""
    found: dict[str, Any] = json.loads((HERE / "fep-8b32.json").read_text(encoding="utf-8"))
    return found


def _appendix() -> str:
    return (HERE / "rfc9421" / "appendix-b.md").read_text(encoding="utf-8")


def unwrapped(block: str) -> str:
    """Return a block without the line wrapping of RFC 8792 and the note about it."""
    text = block.removeprefix("NOTE: '\\' line wrapping per RFC 8792\n\n")
    return re.sub(r"\\\n[ ]*", "", text).rstrip("\n")


@cache
def rfc9421_public_pems() -> dict[str, str]:
    """Return the public keys of Appendix B.1 by name, as they are printed."""
    found = {}
    for section in _KEY_SECTION.findall(_appendix()):
        name, pem = _NAME.search(section), _PUBLIC.search(section)
        if name is not None and pem is not None:
            found[name[1]] = pem[0]
    return found


@cache
def rfc9421_private_key(name: str) -> PrivateKey:
    """Return one private RSA or Ed25519 key of Appendix B.1."""
    for section in _KEY_SECTION.findall(_appendix()):
        found, pem = _NAME.search(section), _PRIVATE.search(section)
        if found is not None and pem is not None and found[1] == name:
            return load_private_pem(pem[0].encode("ascii"))
    raise KeyError(name)


@cache
def rfc9421_request() -> SignedRequest:
    """Return ``test-request`` of Appendix B.2."""
    block = next(unwrapped(b) for b in _BLOCK.findall(_appendix()) if "POST /foo" in b)
    head, _, body = block.partition("\n\n")
    request_line, *lines = head.split("\n")
    method, path, _ = request_line.split(" ")
    headers = tuple((line.partition(": ")[0].lower(), line.partition(": ")[2]) for line in lines)
    return SignedRequest(method=method, target=f"https://example.com{path}", headers=headers, body=body.encode())


@cache
def rfc9421_cases() -> dict[str, Case]:
    """Return the test cases of Appendix B.2 by label."""
    cases = {}
    for _, section in _CASE_SECTION.findall(_appendix().partition("## Test Cases")[2]):
        base, message = (unwrapped(block) for block in _BLOCK.findall(section))
        found = dict(line.partition(": ")[::2] for line in message.split("\n"))
        label = found["Signature-Input"].partition("=")[0]
        cases[label] = Case(
            label=label, base=base, signature_input=found["Signature-Input"], signature=found["Signature"]
        )
    return cases

"""draft-cavage-http-signatures-12, the form most of the fediverse speaks: parse, sign, check.

Inbound rules are Mastodon's (4.5 to 4.7), with ``host`` demanded on POST too (CVE-2023-49079).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import MalformedSignature
from gateway.signatures import window
from gateway.signatures.digest import check_digest, digest_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.signatures.keys import PrivateKey, PublicKey
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Checks

SCHEME = "cavage"
MAX_HEADER = 8192
MAX_COVERED = 64
MAX_KEY_ID = 2048
_PARAMETER = re.compile(r'[ \t]*([A-Za-z]+)=(?:"([^"\\]*)"|([0-9]{1,15}))[ \t]*(?:,|$)')
_BLANKS = re.compile(r"[ \t]+")  # HTTP knows no others
_ALGORITHMS = {"rsa-sha256", "hs2019"}
_DERIVED = {"(request-target)", "(created)", "(expires)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cavage:
    """The parameters of one Signature header."""

    key_id: str
    signature: bytes
    algorithm: str
    covered: tuple[str, ...]
    created: str | None
    expires: str | None


def parse(request: SignedRequest) -> Cavage:
    """Return the one Signature header of ``request``; raise MalformedSignature for anything else."""
    lines = request.lines("signature")
    if len(lines) != 1 or len(lines[0]) > MAX_HEADER:
        raise MalformedSignature(f"{len(lines)} Signature lines, or one too long")
    parameters = _parameters(lines[0])
    if not parameters.get("keyId") or "signature" not in parameters:
        raise MalformedSignature("keyId or signature is missing")
    if len(parameters["keyId"]) > MAX_KEY_ID:
        raise MalformedSignature("keyId is too long")
    try:
        signature = base64.b64decode(parameters["signature"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedSignature("the signature is not base64") from error
    algorithm = parameters.get("algorithm", "hs2019").lower()
    default = "(created)" if algorithm == "hs2019" else "date"
    covered = tuple(name for name in _BLANKS.split(parameters.get("headers", default).lower()) if name)
    if not covered or len(covered) > MAX_COVERED or len(set(covered)) != len(covered):
        raise MalformedSignature("headers= is empty, too long or repeats a name")
    return Cavage(
        key_id=parameters["keyId"],
        signature=signature,
        algorithm=algorithm,
        covered=covered,
        created=parameters.get("created"),
        expires=parameters.get("expires"),
    )


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None or match[1] in found:
            raise MalformedSignature('Signature is not a list of distinct key="value" pairs')
        found[match[1]] = match[2] if match[2] is not None else match[3]
        position = match.end()
    return found


def judge(parsed: Cavage, request: SignedRequest, now: datetime, checks: Checks) -> None:
    """Record every check that needs no key."""
    names = set(parsed.covered)
    wanted = {"(request-target)", "host"} | ({"digest"} if request.method == "POST" else set())
    checks.check("algorithm", "rsa-sha256 or hs2019", parsed.algorithm, ok=parsed.algorithm in _ALGORITHMS)
    checks.check("coverage", " ".join(sorted(wanted)), " ".join(parsed.covered), ok=wanted <= names)
    timed = "date" in names or "(created)" in names
    checks.check("time-covered", "date or (created)", " ".join(parsed.covered), ok=timed)
    pairing = parsed.algorithm != "rsa-sha256" or not names & {"(created)", "(expires)"}
    checks.check("pairing", "(created) and (expires) only with hs2019", parsed.algorithm, ok=pairing)
    missing = [n for n in parsed.covered if n not in _DERIVED and len(request.lines(n)) != 1]
    checks.check("present", "each covered field once", " ".join(missing) or "all", ok=not missing)
    _judge_time(parsed, request, now, checks)
    if request.method == "POST" or "digest" in names:
        wrong = check_digest(request.lines("digest"), request.body)
        checks.check("digest", "the digest of the body", wrong or "matches", ok=wrong is None)


def _judge_time(parsed: Cavage, request: SignedRequest, now: datetime, checks: Checks) -> None:
    stated = parsed.created is not None or "(created)" in parsed.covered
    created = window.from_epoch(parsed.created) if stated else window.from_http_date(request.value("date"))
    expires = window.from_epoch(parsed.expires)
    readable = created is not None and (parsed.expires is None or expires is not None)
    # A Date that is signed must be fresh too, even beside (created).
    is_dated = "date" in parsed.covered
    date = window.from_http_date(request.value("date")) if is_dated else created
    # An expiry that nobody signed may shorten the life, never prolong it.
    signed_expiry = expires if "(expires)" in parsed.covered else None
    wrong = "not a time"
    if created is not None and date is not None and readable:
        wrong = (
            window.problem(created, expires, now)
            or window.problem(date, None if is_dated else signed_expiry, now)
            or ""
        )
    checks.check("time", "within the window", wrong or "fresh", ok=not wrong)


def signing_string(parsed: Cavage, request: SignedRequest, target: str | None = None) -> str:
    """Return the text that is signed; ``target`` replaces path and query."""
    lines = []
    for name in parsed.covered:
        if name == "(request-target)":
            lines.append(f"{name}: {request.method.lower()} {target or request.path_and_query}")
        elif name in ("(created)", "(expires)"):
            lines.append(f"{name}: {parsed.created if name == '(created)' else parsed.expires}")
        else:
            lines.append(f"{name}: {request.value(name) or ''}")
    return "\n".join(lines)


def holds(parsed: Cavage, request: SignedRequest, key: PublicKey, *, without_query: bool = False) -> bool:
    """Tell whether the signature fits ``key``; ``without_query`` also tries the bare path (collections)."""
    algorithm = {"rsa": "rsa-v1_5-sha256", "ed25519": "ed25519"}.get(key.kind, "")
    targets = [request.path_and_query]
    if without_query and "?" in targets[0]:
        targets.append(targets[0].partition("?")[0])
    return any(
        key.verify(algorithm, parsed.signature, signing_string(parsed, request, target).encode("utf-8"))
        for target in targets
    )


def sign(
    request: SignedRequest, key: PrivateKey, key_id: str, now: datetime, extra: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the headers to add: Host, Date, Digest (POST) and Signature, in the form everyone takes.

    ``extra`` names further fields of ``request`` to cover.
    """
    added = [("host", request.authority), ("date", window.http_date(now))]
    covered = ["(request-target)", "host", "date"]
    if request.method == "POST":
        added.append(("digest", digest_header(request.body)))
        covered.append("digest")
    whole = request.with_headers(*added)
    covered += [name for name in extra if whole.lines(name)]
    parsed = Cavage(
        key_id=key_id, signature=b"", algorithm="rsa-sha256", covered=tuple(covered), created=None, expires=None
    )
    signature = base64.b64encode(key.sign(signing_string(parsed, whole).encode())).decode()
    value = f'keyId="{key_id}",algorithm="rsa-sha256",headers="{" ".join(covered)}",signature="{signature}"'
    return [*added, ("signature", value)]

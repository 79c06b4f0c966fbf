"""HTTP Message Signatures (RFC 9421) for requests: parse, signature base, sign, check.

Inbound: exactly one signature; ``created`` and ``keyid``; covers ``@method`` and the target, and
``content-digest`` on POST. The algorithm is what the key can do; ``alg`` may only agree with it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

import http_sf

from gateway.errors import MalformedSignature
from gateway.signatures import window
from gateway.signatures.digest import check_content_digest, content_digest_header
from gateway.signatures.keys import DEFAULT_ALGORITHM
from gateway.urls import without_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from gateway.signatures.keys import PrivateKey, PublicKey
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Checks

SCHEME = "rfc9421"
ADVERTISED = "https://datatracker.ietf.org/doc/html/rfc9421"
ADVERTISED_ED25519 = f"{ADVERTISED}#name-eddsa-using-curve-edwards25"
TAG = "activitypub"
MAX_HEADER = 8192
MAX_COVERED = 64
LIFE = window.DEFAULT_LIFE
_FIELD = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_TARGET = frozenset({"@target-uri"})
_TARGET_PARTS = frozenset({"@authority", "@path", "@query"})
_TEXTS = frozenset({"nonce", "alg", "keyid", "tag"})  # strings, and no tokens (section 2.3)
_ALLOWED_PARAMETERS = frozenset({"created", "expires", "nonce", "alg", "keyid", "tag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One covered component: a field name or a derived ``@name``, with its parameters."""

    name: str
    parameters: tuple[tuple[str, object], ...] = ()

    @property
    def identifier(self) -> str:
        """Return the serialised identifier, e.g. ``"@query-param";name="Pet"``."""
        return str(http_sf.ser((self.name, dict(self.parameters))))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSignature:
    """One label of Signature-Input with its signature."""

    label: str
    covered: tuple[Component, ...]
    parameters: Mapping[str, Any]
    signature: bytes

    @property
    def key_id(self) -> str:
        """Return ``keyid``, or an empty string."""
        return str(self.parameters.get("keyid", ""))

    @property
    def names(self) -> frozenset[str]:
        """Return the names of components that are covered whole."""
        return frozenset(c.name for c in self.covered if not c.parameters)


def parse_all(request: SignedRequest) -> tuple[MessageSignature, ...]:
    """Return every signature of ``request``; raise MalformedSignature when they cannot be read."""
    inputs = _dictionary(request.lines("signature-input"), "Signature-Input")
    signatures = _dictionary(request.lines("signature"), "Signature")
    if inputs.keys() != signatures.keys():
        raise MalformedSignature("Signature and Signature-Input name different labels")
    return tuple(_one(label, inputs[label], signatures[label]) for label in inputs)


def parse(request: SignedRequest) -> MessageSignature:
    """Return the only signature of ``request``; raise MalformedSignature when there are more or none."""
    found = parse_all(request)
    if len(found) != 1:
        raise MalformedSignature(f"{len(found)} signatures where one is taken")
    return found[0]


def _dictionary(lines: list[str], name: str) -> dict[str, Any]:
    text = ", ".join(lines)
    duplicates: list[str] = []
    if not text or len(text) > MAX_HEADER:
        raise MalformedSignature(f"{name} is missing or too long")
    try:
        parsed = http_sf.parse(
            text.encode("ascii"), tltype="dictionary", on_duplicate_key=lambda key, _context: duplicates.append(key)
        )
    except (http_sf.StructuredFieldError, ValueError) as error:
        raise MalformedSignature(f"{name}: {error}") from error
    if duplicates or not isinstance(parsed, dict):
        raise MalformedSignature(f"{name} repeats {duplicates}")
    return parsed


def _one(label: str, described: Any, signed: Any) -> MessageSignature:
    if not isinstance(described, tuple) or not isinstance(described[0], list):
        raise MalformedSignature("Signature-Input is not an inner list")
    if not isinstance(signed, tuple) or not isinstance(signed[0], bytes):
        raise MalformedSignature("Signature is not a byte sequence")
    covered = []
    for item in described[0]:
        name, parameters = item
        if not isinstance(name, str) or isinstance(name, http_sf.Token):
            raise MalformedSignature("a component identifier is not a string")
        covered.append(Component(name=name, parameters=tuple(parameters.items())))
    identifiers = {(c.name, c.parameters) for c in covered}
    if len(identifiers) != len(covered) or len(covered) > MAX_COVERED:
        raise MalformedSignature("a component identifier is repeated, or there are too many")
    return MessageSignature(label=label, covered=tuple(covered), parameters=described[1], signature=signed[0])


def component_value(component: Component, request: SignedRequest) -> str:
    """Return the value of one component (RFC 9421, section 2); raise MalformedSignature for unknown ones."""
    if component.name.startswith("@"):
        return _derived(component, request)
    if not _FIELD.fullmatch(component.name):
        raise MalformedSignature(f"not a field name: {component.name}")
    if component.parameters:
        # sf, key, bs, req and tr need knowledge of the field, or other messages; nobody federates with them.
        raise MalformedSignature(f"parameters on {component.name} are not taken")
    value = request.value(component.name)
    if value is None:
        raise MalformedSignature(f"{component.name} is covered but missing")
    return value


def _derived(component: Component, request: SignedRequest) -> str:
    parts = urlsplit(request.target)
    if component.name == "@query-param":
        wanted = dict(component.parameters).get("name")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        values = [value for name, value in pairs if _percent_encoded(name) == wanted]
        if len(values) != 1 or len(component.parameters) != 1:
            raise MalformedSignature("@query-param must name exactly one parameter")
        return _percent_encoded(values[0])
    if component.parameters:
        raise MalformedSignature(f"parameters on {component.name} are not taken")
    simple = {
        "@method": request.method,
        "@target-uri": request.target,
        "@authority": request.authority,
        "@scheme": parts.scheme,
        "@request-target": request.path_and_query,
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
    }
    if component.name not in simple:
        raise MalformedSignature(f"unknown derived component {component.name}")
    return simple[component.name]


def _percent_encoded(text: str) -> str:
    # The form-urlencoded percent-encode set, with spaces as %20 (RFC 9421, section 2.2.8).
    return quote(text, safe="*").replace("~", "%7E")


def signature_base(covered: Sequence[Component], parameters: Mapping[str, object], request: SignedRequest) -> str:
    """Return the signature base (RFC 9421, section 2.5)."""
    lines = [f"{component.identifier}: {component_value(component, request)}" for component in covered]
    return "\n".join([*lines, f'"@signature-params": {_signature_params(covered, parameters)}'])


def _signature_params(covered: Sequence[Component], parameters: Mapping[str, object]) -> str:
    inner = [(component.name, dict(component.parameters)) for component in covered]
    return str(http_sf.ser([(inner, dict(parameters))]))  # type: ignore[list-item]


def judge(parsed: MessageSignature, request: SignedRequest, now: datetime, checks: Checks) -> None:
    """Record every check that needs no key."""
    names = parsed.names
    target = names >= _TARGET or _TARGET_PARTS - (set() if "?" in request.target else {"@query"}) <= names
    shown = " ".join(component.identifier for component in parsed.covered)
    checks.check("coverage", "@method and @target-uri", shown, ok="@method" in names and target)
    if request.method == "POST":
        checks.check("digest-covered", "content-digest", shown, ok="content-digest" in names)
    tag = parsed.parameters.get("tag", TAG)
    checks.check("tag", f"{TAG} or none", tag, ok=tag != "web-bot-auth")
    unknown = parsed.parameters.keys() - _ALLOWED_PARAMETERS
    unknown |= {name for name in _TEXTS & parsed.parameters.keys() if type(parsed.parameters[name]) is not str}
    checks.check("parameters", "those of RFC 9421", " ".join(sorted(unknown)) or "known", ok=not unknown)
    checks.check("key-id", "a keyid", parsed.key_id or "none", ok=bool(parsed.key_id))
    _judge_components(parsed, request, checks)
    created = _epoch(parsed.parameters.get("created"))
    expires = _epoch(parsed.parameters.get("expires"))
    # A Date that is signed must be fresh too.
    date = window.from_http_date(request.value("date")) if "date" in names else created
    wrong = "not a time"
    if created is not None and date is not None and ("expires" not in parsed.parameters or expires is not None):
        wrong = window.problem(created, expires, now) or ""
        wrong = wrong or ("date" in names and window.problem(date, None, now)) or ""
    checks.check("time", "within the window", wrong or "fresh", ok=not wrong)
    if request.method == "POST" or "content-digest" in names:
        bad = check_content_digest(request.lines("content-digest"), request.body)
        checks.check("digest", "the digest of the body", bad or "matches", ok=bad is None)


def _epoch(value: object) -> datetime | None:
    return window.from_epoch(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _judge_components(parsed: MessageSignature, request: SignedRequest, checks: Checks) -> None:
    try:
        signature_base(parsed.covered, parsed.parameters, request)
        wrong = ""
    except MalformedSignature as error:
        wrong = str(error)
    checks.check("components", "each component has one value", wrong or "all", ok=not wrong)


def holds(parsed: MessageSignature, request: SignedRequest, key: PublicKey) -> bool:
    """Tell whether the signature fits ``key``."""
    algorithm = str(parsed.parameters.get("alg", DEFAULT_ALGORITHM[key.kind]))
    base = signature_base(parsed.covered, parsed.parameters, request)
    return key.verify(algorithm, parsed.signature, base.encode("utf-8"))


def sign(  # noqa: PLR0913 - one keyword a signature parameter
    request: SignedRequest,
    key: PrivateKey,
    key_id: str,
    now: datetime,
    extra: Sequence[str] = (),
    *,
    nonce: str | None = None,
    label: str = "sig1",
    life: timedelta = LIFE,
) -> list[tuple[str, str]]:
    """Return the headers to add: Host, Date, Content-Digest (POST), Signature-Input and Signature."""
    # A key id such as .../actor#main-key is fetched as .../actor.
    request = replace(request, target=without_fragment(request.target))
    added = [("host", request.authority), ("date", window.http_date(now))]
    names = ["@method", "@target-uri", "@authority"]
    if request.method == "POST":
        added.append(("content-digest", content_digest_header(request.body)))
        names.append("content-digest")
    names += [name for name in extra if request.lines(name)]
    whole = request.with_headers(*added)
    created = int(now.timestamp())
    parameters: dict[str, object] = {"created": created, "expires": created + int(life.total_seconds())}
    if nonce is not None:
        parameters["nonce"] = nonce
    parameters |= {"keyid": key_id, "alg": DEFAULT_ALGORITHM[key.kind], "tag": TAG}
    covered = [Component(name=name) for name in names]
    signature = key.sign(signature_base(covered, parameters, whole).encode())
    encoded = base64.b64encode(signature).decode()
    return [
        *added,
        ("signature-input", f"{label}={_signature_params(covered, parameters)}"),
        ("signature", f"{label}=:{encoded}:"),
    ]

"""Signed requests changed on the way, and what makes two requests one: the rule by which a change does not count.

``changed`` draws one change, or two in a row; ``meaning`` is what a signature is about, read without our own
parsers. A change that leaves the meaning as it was is the same request in another spelling.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import http_sf
from world import START

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from gateway.signatures.request import SignedRequest

Lines = list[tuple[str, str]]
_PAIR = re.compile(r'[ \t]*([A-Za-z]+)=(?:"([^"\\]*)"|([0-9]+))[ \t]*(?:,|$)')
_SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.IGNORECASE | re.ASCII)
_BLANKS = " \t"  # RFC 9110: what may stand around a value
_PLAIN = ("rsa-sha256", "hs2019")  # with neither (created) nor (expires) both mean: as the key does it


def can_be_sent(request: SignedRequest) -> bool:
    """Tell whether HTTP can carry a request at all: names are tokens, values hold no controls."""
    named = all(_TOKEN.fullmatch(name) and _SENDABLE.fullmatch(value) for name, value in request.headers)
    return named and re.fullmatch(r"[A-Z]+", request.method) is not None and request.target.isascii()


def meaning(request: SignedRequest) -> object:
    """Return everything a signature is about, in one form; None when there is no telling."""
    new, old = _lines(request, "signature-input"), _lines(request, "signature")
    try:
        return _of_message(request, new, old) if new else _of_cavage(request, old)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _lines(request: SignedRequest, name: str) -> list[str]:
    return [value.strip(_BLANKS) for key, value in request.headers if key.lower() == name]


def _path(request: SignedRequest) -> str:
    return request.target.partition("#")[0]


def _of_cavage(request: SignedRequest, lines: list[str]) -> object:
    (line,) = lines
    given: dict[str, str] = {}
    at = 0
    while at < len(line):
        match = _PAIR.match(line, at)
        if match is None or match[1] in given:
            return None
        given[match[1]] = match[2] if match[2] is not None else match[3]
        at = match.end()
    covered = re.split(r"[ \t]+", given["headers"].lower().strip(_BLANKS))
    algorithm = given.get("algorithm", "hs2019").lower()
    values = [
        (name, given.get(name.strip("()")) if name.startswith("(") else tuple(_lines(request, name)))
        for name in covered
    ]
    plain = algorithm in _PLAIN and not {"(created)", "(expires)"} & set(covered)
    signed = base64.b64decode(given["signature"], validate=True)
    body = _body(request, covered)
    return (request.method, _path(request), body, given["keyId"], "" if plain else algorithm, values, signed)


def _of_message(request: SignedRequest, described: list[str], signatures: list[str]) -> object:
    (one,) = _dictionary(described).items()
    (other,) = _dictionary(signatures).items()
    (label, (components, parameters)), (same, (signature, _)) = one, other
    if label != same or not isinstance(components, list):
        return None
    names = [(str(name), type(name), list(more.items())) for name, more in components]
    values = [", ".join(_lines(request, name)) for name, _, _ in names if not name.startswith("@")]
    ordered = [(name, type(value), value) for name, value in parameters.items()]
    body = _body(request, [name for name, _, _ in names])
    return (request.method, _path(request), body, names, values, ordered, bytes(signature))


def _body(request: SignedRequest, covered: Sequence[str]) -> bytes:
    """Return the body; one that a GET carries along, and no digest covers, is nobody's and is never looked at."""
    is_signed = request.method == "POST" or not {"digest", "content-digest"}.isdisjoint(covered)
    return request.body if is_signed else b""


def _dictionary(lines: list[str]) -> dict[str, Any]:
    twice: list[str] = []
    parsed: Any = http_sf.parse(
        ", ".join(lines).encode("ascii"), tltype="dictionary", on_duplicate_key=lambda key, _: twice.append(key)
    )
    if twice:
        raise ValueError(twice)
    return dict(parsed)


def _put(text: str, at: int, new: str, gone: int = 0) -> str:
    return text[:at] + new + text[at + gone :]


def _at(chance: Random, text: Sequence[object]) -> int:
    return chance.randrange(len(text) + 1)


def _one_line(chance: Random, request: SignedRequest, change: Callable[[str, str], Lines]) -> SignedRequest:
    """Put what ``change`` makes of one header line, mostly one of the signature, in its place."""
    lines = list(request.headers)
    weights = [3 if name.lower() in ("signature", "signature-input", "date") else 1 for name, _ in lines]
    index = chance.choices(range(len(lines)), weights)[0]
    return replace(request, headers=(*lines[:index], *change(*lines[index]), *lines[index + 1 :]))


def _flip_value(chance: Random, request: SignedRequest) -> SignedRequest:
    def flip(name: str, value: str) -> Lines:
        raw = bytearray(value.encode("latin-1"))
        if raw:
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return [(name, raw.decode("latin-1"))]

    return _one_line(chance, request, flip)


def _flip_body(chance: Random, request: SignedRequest) -> SignedRequest:
    raw = bytearray(request.body or b"{}")
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return replace(request, body=bytes(raw))


def _rewrite_body(chance: Random, request: SignedRequest) -> SignedRequest:
    """Change the body, and often make the digests fit again, as whoever sits between can."""
    old = request.body
    raw = chance.choice([old + b" ", b" " + old, old.replace(b'": ', b'":'), old + old, b"", old[:-1], b"{}",
                         old.replace(b"alice", b"dora"), old.replace(b"Like", b"Undo"), old + b"\n"])  # fmt: skip
    hashed = base64.b64encode(hashlib.sha256(raw).digest()).decode()
    fresh = {"digest": f"SHA-256={hashed}", "content-digest": f"sha-256=:{hashed}:"}
    fits = chance.random() < 0.7
    lines = tuple((name, fresh.get(name.lower(), value) if fits else value) for name, value in request.headers)
    return replace(request, body=raw, headers=lines)


def _rename(chance: Random, request: SignedRequest) -> SignedRequest:
    def rename(name: str, value: str) -> Lines:
        at = chance.randrange(len(name))
        known = ["host", "date", "digest", "signature", "content-digest", "x"]
        mangled = [_put(name, at, chance.choice("-_xs")), _put(name, at, "", 1)]
        return [(chance.choice([name.upper(), name.title(), *mangled, chance.choice(known)]), value)]

    return _one_line(chance, request, rename)


def _drop(chance: Random, request: SignedRequest) -> SignedRequest:
    return _one_line(chance, request, lambda _name, _value: [])


def _double(chance: Random, request: SignedRequest) -> SignedRequest:
    def double(name: str, value: str) -> Lines:
        other = chance.choice([value, value.lower(), "", "x", value[: _at(chance, value)], value + ", " + value])
        return chance.choice([[(name, value), (name, other)], [(name, other), (name, value)]])

    return _one_line(chance, request, double)


def _reorder(chance: Random, request: SignedRequest) -> SignedRequest:
    return replace(request, headers=tuple(chance.sample(request.headers, len(request.headers))))


def _split(chance: Random, request: SignedRequest) -> SignedRequest:
    """Cut one value into two lines: at a comma, where HTTP allows it, or anywhere."""

    def split(name: str, value: str) -> Lines:
        commas = [match.start() for match in re.finditer(",", value)]
        if commas and chance.random() < 0.7:
            at = chance.choice(commas)
            return [(name, value[:at]), (name, value[at + 1 :].strip())]
        at = _at(chance, value)
        return [(name, value[:at]), (name, value[at:])]

    return _one_line(chance, request, split)


def _space(chance: Random, request: SignedRequest) -> SignedRequest:
    def space(name: str, value: str) -> Lines:
        blank = chance.choice([" ", "  ", "\t", "\xa0", "\x85", "\u00ad"])
        spots = [0, len(value), *(match.start() for match in re.finditer(r"[ ,;=\"()]", value))]
        at = chance.choice([_at(chance, value), *spots])
        gone = chance.choice([0, 0, 1])
        return [(name, _put(value, at, blank, gone) if chance.random() < 0.8 else value.replace(" ", blank))]

    return _one_line(chance, request, space)


def _case(chance: Random, request: SignedRequest) -> SignedRequest:
    def case(name: str, value: str) -> Lines:
        at = _at(chance, value)
        return [
            (name, chance.choice([value.upper(), value.lower(), _put(value, at, value[at : at + 1].swapcase(), 1)]))
        ]

    return _one_line(chance, request, case)


def _spell_base64(chance: Random, request: SignedRequest) -> SignedRequest:
    """Write one base64 text another way: spare bits, padding, other alphabets, blanks, more bytes."""

    def spell(name: str, value: str) -> Lines:
        found = [match for match in re.finditer(r"[A-Za-z0-9+/]{20,}={0,2}", value) if len(match[0]) % 4 == 0]
        if not found:
            return [(name, value)]
        match = chance.choice(found)
        text = match[0]
        at = _at(chance, text)
        spelled = chance.choice([
            text.rstrip("="), text + "=", text.replace("+", "-").replace("/", "_"), _spare_bits(text), text + "AAAA",
            _put(text, at, chance.choice(" \t=-_")), "AAAA" + text, text[4:], text[:-4], text + text,
            _put(text, at, "====", 0),
        ])  # fmt: skip
        return [(name, value[: match.start()] + spelled + value[match.end() :])]

    return _one_line(chance, request, spell)


def _spare_bits(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + "=" * (len(text) - len(body))


def _cover(chance: Random, request: SignedRequest) -> SignedRequest:
    """Change the list of what is covered: fewer, more, others, another order, other parameters."""

    def cover(name: str, value: str) -> Lines:
        match = re.search(r'headers="([^"]*)"' if name == "signature" else r"=\(([^)]*)\)", value)
        if match is None:
            return [(name, value)]
        listed = match[1].split(" ")
        more = ["(request-target)", "host", "date", "digest", "(created)", "content-length", "accept", "x", ""]
        more += ['"@method"', '"@path"', '"@authority"', '"date"', '"@query"', '"@target-uri";req', '"host";sf']
        at = chance.randrange(len(listed))
        changed: list[str] = chance.choice([
            listed[:at] + listed[at + 1 :], [*listed, chance.choice(more)], [chance.choice(more), *listed],
            chance.sample(listed, len(listed)), [*listed, listed[at]], [one.upper() for one in listed],
            [*listed[:at], chance.choice(more), *listed[at + 1 :]], listed[:at], [f"{one};x=1" for one in listed],
        ])  # fmt: skip
        return [(name, value[: match.start(1)] + " ".join(changed) + value[match.end(1) :])]

    return _one_line(chance, request, cover)


def _parameter(chance: Random, request: SignedRequest) -> SignedRequest:
    """Change, add or take away one parameter of the signature: key, algorithm, times, nonce, tag."""

    def parameter(name: str, value: str) -> Lines:
        match = chance.choice([*re.finditer(r'([A-Za-z]+)=("[^"]*"|[0-9]+)', value), None])
        separator = "," if name == "signature" else ";"
        if match is None:
            extra = ["created=1", "expires=9999999999", 'algorithm="none"', 'alg="none"', 'nonce="x"', 'tag="x"', "x=1"]
            extra += [f"created={_near(chance)}", f"expires={_near(chance)}", 'algorithm="hs2019"']
            more = chance.choice(extra)
            return [(name, chance.choice([f"{value}{separator}{more}", f"{more}{separator}{value}"]))]
        key, old = match[1], match[2]
        new = old
        if old.isdigit():
            steps = [1, -1, 60, -60, 3600, -3600, 86400, 10**9]
            new = chance.choice(
                [str(int(old) + chance.choice(steps)), f'"{old}"', f"{old}.0", f"-{old}", f"0{old}", ""]
            )
        elif key in ("keyId", "keyid"):
            new = chance.choice([
                old.replace("main-key", "ed25519-key"), old.replace("ed25519-key", "main-key"),
                old.replace("bob", "eve"), old.replace("peer", "evil"), old.replace("https", "http"),
                old.replace("#", "%23"), old.replace("#", "?#"),
                old.replace(".example", ".EXAMPLE"), old.replace(".example", ".example:443"), old.split("#")[0] + '"',
                old.replace("/users", "//users"), old.replace("/users", "/./users"), '"acct:bob@peer.example"', '""',
            ])  # fmt: skip
        elif key in ("algorithm", "alg"):
            names = ["rsa-sha256", "hs2019", "ed25519", "rsa-v1_5-sha256", "rsa-pss-sha512", "rsa-v1_5-sha512", "none"]
            new = f'"{chance.choice([*names, "hmac-sha256", "rsa-sha1", "ecdsa-p256-sha256", "", old[1:-1].upper()])}"'
        elif key not in ("signature", "headers"):
            new = chance.choice(['""', '"x"', "1", "x", "?1"])
        if chance.random() < 0.15:
            return [(name, value[: match.start()] + value[match.end() :].lstrip(separator))]
        return [(name, value[: match.start(2)] + new + value[match.end(2) :])]

    return _one_line(chance, request, parameter)


def _near(chance: Random) -> int:
    return int(START.timestamp()) + chance.choice([-4000, -60, -1, 0, 1, 60, 4000, 90_000])


def _date(chance: Random, request: SignedRequest) -> SignedRequest:
    """Give Date, and whatever else is a time, another moment or another spelling."""

    def date(name: str, value: str) -> Lines:
        try:
            moment = parsedate_to_datetime(value).astimezone(UTC)
        except (ValueError, OverflowError):
            return [(name, value)]
        step = timedelta(seconds=chance.choice([-7200, -60, -1, 1, 60, 7200]))
        return [(name, chance.choice([
            format_datetime(moment + step, usegmt=True), value.replace("GMT", "+0000"), value.replace("GMT", "UTC"),
            value.replace("GMT", "Z"), moment.isoformat(), str(int(moment.timestamp())), value[5:], value.upper(),
            value + ", " + value, value.replace(" 0", " "),
        ]))]  # fmt: skip

    return _one_line(chance, request, date)


def _method(chance: Random, request: SignedRequest) -> SignedRequest:
    others = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "QUERY", "GETX", "POS"]
    return replace(request, method=chance.choice(others))


def _target(chance: Random, request: SignedRequest) -> SignedRequest:
    """Change path or query; scheme and host come from our own settings, whatever a request says."""
    base, slash, rest = request.target.partition("example/")
    path, mark, query = rest.partition("?")
    at = _at(chance, path)
    letter = path[at : at + 1] or "x"
    path = chance.choice([
        path, path, path + "/", "/" + path, "./" + path, "x/../" + path, path.upper(), "inbox",
        _put(path, at, f"%{ord(letter):02x}", 1), _put(path, at, letter.swapcase(), 1), path.replace("alice", "dora"),
        path.replace("users/alice/", ""),
        _put(path, at, chance.choice("/.%;x")), path + "%00", path + "%20", _put(path, at, "", 1), path + ";x=1",
    ])  # fmt: skip
    query, mark = chance.choice([
        (query, mark), ("", ""), ("", "?"), (query + "&x=1", "?"), ("x=1&" + query, "?"), (query.upper(), mark),
        (query.replace("=", "%3D"), mark), ("&".join(reversed(query.split("&"))), mark), (query + "?", mark),
        (query.replace("&", "&&"), mark), (query + "=", mark),
    ])  # fmt: skip
    return replace(request, target=f"{base}{slash}{path}{mark}{query}")


def _host(chance: Random, request: SignedRequest) -> SignedRequest:
    new = chance.choice([
        "gw.example:443", "GW.example", "gw.example.", "evil.example", "gw.example:8443", "peer.example", "", "x",
        "gw.example, evil.example", "evil.example, gw.example", "bob@gw.example", "gw.example/", "[gw.example]",
    ])  # fmt: skip
    lines = tuple((name, new if name.lower() == "host" else value) for name, value in request.headers)
    more = chance.choice([(), (("host", new),), (("x-forwarded-host", new), ("x-original-url", "/inbox"))])
    return replace(request, headers=(*more, *lines) if chance.random() < 0.5 else (*lines, *more))


def _other_scheme(chance: Random, request: SignedRequest) -> SignedRequest:
    """Put lines of the other scheme beside, or in place of, those that are there."""
    beside: tuple[tuple[str, str], ...] = chance.choice([
        (("signature-input", 'sig1=("@method" "@target-uri");created=1;keyid="https://peer.example/users/bob#main-key"'),),
        (("signature-input", ""),), (("signature-input", "sig1=()"),), (("signature", "sig1=:AAAA:"),),
        (("signature", 'keyId="https://peer.example/users/bob#main-key",headers="host",signature="AAAA"'),),
        (("authorization", 'Signature keyId="x"'),), (("authorization", "Bearer x"),), (("digest", "SHA-256=AAAA"),),
        (("content-digest", "sha-256=:AAAA:"),), (("content-encoding", "gzip"),), (("transfer-encoding", "chunked"),),
    ])  # fmt: skip
    lines = list(request.headers)
    at = _at(chance, lines)
    return replace(request, headers=(*lines[:at], *beside, *lines[at:]))


def _splice(chance: Random, request: SignedRequest, others: Sequence[SignedRequest]) -> SignedRequest:
    """Take a part of another request that was signed, by the same or by somebody else."""
    other = chance.choice(others)
    theirs = {name.lower(): value for name, value in other.headers}
    taken: tuple[str, ...] = chance.choice([
        ("signature",), ("signature", "signature-input"), ("date",), ("digest", "content-digest"), (),
        ("signature", "date"), ("digest", "content-digest", "signature", "signature-input"),
    ])  # fmt: skip
    lines = tuple((name, theirs.get(name.lower(), value) if name.lower() in taken else value)
                  for name, value in request.headers)  # fmt: skip
    body = other.body if not taken or "digest" in taken else request.body
    target = other.target if chance.random() < 0.2 else request.target
    return replace(request, headers=lines, body=body, target=target)


_CHANGES: tuple[Callable[[Random, SignedRequest], SignedRequest], ...] = (
    _flip_value, _flip_value, _flip_body, _rewrite_body, _rename, _drop, _double, _reorder, _split, _space, _case,
    _spell_base64, _cover, _cover, _parameter, _parameter, _date, _method, _target, _host, _other_scheme,
)  # fmt: skip


def changed(chance: Random, request: SignedRequest, others: Sequence[SignedRequest]) -> tuple[SignedRequest, str]:
    """Return ``request`` with one or two changes, and their names; ``others`` are requests that hold, too."""
    names = []
    for _ in range(chance.choice((1, 1, 1, 2))):
        change = chance.choice((*_CHANGES, None))
        request = _splice(chance, request, others) if change is None else change(chance, request)
        names.append("_splice" if change is None else change.__name__)
    return request, " ".join(names)

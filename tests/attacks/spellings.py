"""Every way to write one IPv4 address where a host stands in a URL: what some resolver or URL parser reads as it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOTS = ("\u3002", "\uff0e", "\uff61")
# First digits of scripts and styles that IDNA or Unicode folds to 0 to 9.
_DIGITS = {"full-width": 0xFF10, "bold": 0x1D7CE, "double-struck": 0x1D7D8, "monospace": 0x1D7F6, "arabic": 0x0660,
           "persian": 0x06F0, "devanagari": 0x0966}  # fmt: skip
_CIRCLED = "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468"
_SUPERSCRIPT = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
_INVISIBLE = {"soft-hyphen": "\u00ad", "zero-width-space": "\u200b", "zero-width-joiner": "\u200d", "bom": "\ufeff",
              "word-joiner": "\u2060", "variation-selector": "\ufe0f"}  # fmt: skip

_TAILS = {
    "dot": ".", "two-dots": "..", "wide-dot": "\u3002", "space": " ", "tab": "\t", "nul": "\x00", "escaped-nul": "%00",
    "colon": ":", "port-80": ":80", "port-443": ":443", "long-port": ":00443", "backslash": "\\", "semicolon": ";",
    "zone": "%25lo", "bare-zone": "%lo", "slash-at": "/@x.example", "hash-at": "#@x.example",
    "query-at": "?@x.example", "backslash-at": "\\@x.example",
}  # fmt: skip
_HEADS = {
    "userinfo": "peer.example@", "password": "peer.example:443@", "empty-userinfo": "@", "two-ats": "a@peer.example@",
    "escaped-at": "peer.example%40", "backslash": "peer.example\\@", "space": " ", "tab": "\t", "newline": "\r\n",
    "slash": "/", "slashes": "//", "backslashes": "\\\\",
}  # fmt: skip
_BRACKETS = {
    "plain": "[{}]", "port": "[{}]:443", "zone": "[{}%25lo]", "bare-zone": "[{}%lo]", "number-zone": "[{}%251]",
    "dot": "[{}].", "port-zero": "[{}]:0", "userinfo": "a@[{}]", "after": "[{}]x", "before": "x[{}]",
    "two": "[{0}][{0}]", "bare": "{}", "escaped": "%5b{}%5d", "future": "[v6.{}]", "prefix": "[{}/128]",
    "space": "[ {} ]", "inner-dot": "[{}.]", "open": "[{}", "closed": "{}]",
}  # fmt: skip


def _bases(number: int) -> dict[str, str]:
    return {"dec": str(number), "oct": f"0{number:o}", "hex": f"0x{number:x}", "HEX": f"0X{number:X}",
            "long-oct": f"00000{number:o}", "long-hex": f"0x000000{number:x}", "c-oct": f"0o{number:o}"}  # fmt: skip


def numeric(address: str) -> Iterator[tuple[str, str]]:
    """Yield (name, spelling) of every number that inet_aton or a kind parser reads as the address."""
    a, b, c, d = (int(part) for part in address.split("."))
    shapes = {
        "whole": [(a << 24) | (b << 16) | (c << 8) | d],
        "two": [a, (b << 16) | (c << 8) | d],
        "three": [a, b, (c << 8) | d],
        "four": [a, b, c, d],
    }
    for (shape, parts), base in itertools.product(shapes.items(), _bases(0)):
        yield f"{shape}-{base}", ".".join(_bases(part)[base] for part in parts)
    for first, rest in itertools.permutations(("dec", "oct", "hex"), 2):
        mixed = [_bases(a)[first], *(_bases(part)[rest] for part in (b, c, d))]
        yield f"mixed-{first}-{rest}", ".".join(mixed)
    yield "last-hex", f"{a}.{b}.{c}.0x{d:x}"
    yield "last-octal", f"{a}.{b}.{c}.0{d:o}"
    yield "overflow", str((1 << 32) + ((a << 24) | (b << 16) | (c << 8) | d))
    yield "part-overflow", f"{a + 256}.{b}.{c}.{d}"
    yield "negative", f"-{a}.{b}.{c}.{d}"
    yield "plus", f"+{a}.{b}.{c}.{d}"
    yield "underscore", f"{a}.{b}.{c}.{d}_0"
    yield "exponent", f"{a}e0.{b}.{c}.{d}"
    yield "five", f"{a}.{b}.{c}.{d}.1"
    yield "empty-part", f"{a}..{c}.{d}"


def written(address: str) -> Iterator[tuple[str, str]]:
    """Yield (name, host part) of every other way to write the address: dots, digits, escapes, decoration."""
    for name, dot in zip(("ideographic", "full-width-dot", "half-width-dot"), _DOTS, strict=True):
        yield name, address.replace(".", dot)
    for name, zero in _DIGITS.items():
        yield name, address.translate({48 + digit: zero + digit for digit in range(10)})
    yield "circled", address.translate({48 + digit: _CIRCLED[digit] for digit in range(10)})
    yield "superscript", address.translate({48 + digit: _SUPERSCRIPT[digit] for digit in range(10)})
    yield "full-width-hex", "0\uff58" + "".join(f"{int(part):02x}" for part in address.split("."))
    for name, mark in _INVISIBLE.items():
        yield name, mark.join((address[:1], address[1:]))
    yield "escaped", "".join(f"%{ord(letter):02x}" for letter in address)
    yield "escaped-dots", address.replace(".", "%2e")
    yield "escaped-wide-dots", address.replace(".", "%e3%80%82")
    for name, tail in _TAILS.items():
        yield f"then-{name}", f"{address}{tail}"
    for name, head in _HEADS.items():
        yield f"after-{name}", f"{head}{address}"


def bracketed(address: str) -> Iterator[tuple[str, str]]:
    """Yield (name, host part) of every way to write an IPv6 address that stands in brackets."""
    for name, form in _BRACKETS.items():
        yield name, form.format(address)
    yield "upper", f"[{address.upper()}]"

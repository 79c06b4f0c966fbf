"""Every parser that meets a stranger's bytes, by name: what it promises is asserted inside.

``WORDS`` are pieces of each grammar, so that mutations get past its first gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz import carriers, content, headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "cavage": headers.cavage,
    "message": headers.message,
    "digest": headers.digest,
    "times": headers.times,
    "key": headers.key,
    "capture": headers.capture,
    "proof": headers.proof,
    "json": content.strict_json,
    "activity": content.activity,
    "html": content.html,
    "text": content.text,
    "url": content.url,
    "line": carriers.line,
    "words": carriers.words,
    "headers": carriers.headers,
    "page": carriers.page,
    "robots": carriers.robots,
    "terms": carriers.terms,
}


def BROKEN(data: bytes) -> None:  # noqa: N802 - stands beside the table, and is no part of it
    """What every engine must find within seconds, or it finds nothing."""
    assert b"n=" not in data


_TIMES = (b"Sun, 22 Nov 2026 13:38:54 GMT", b"2026-11-22T13:38:54Z", b"1795354734", b"+00:00", b"-2300", b"9" * 20)
_LABELS = (
    b"train-ai", b"ai-use", b"search", b"=n", b"=y", b"=no", b"=yes", b"train-gen", b"tdm", b"bots", b"ai-train", b"*",
    b"noai", b"noindex", b"none", b"?0", b"@1", b'%"', b";", b", ", b"(", b")", b":AA==:", b"1.5",
)  # fmt: skip
_JSON = (b"{", b"}", b"[", b"]", b'":', b'","', b"null", b"true", b"NaN", b"-0", b"1e400", b"\\ud800", b"\\u0000")
_FIELDS = (b"content-usage", b"ai-usage", b"tdm-reservation", b"x-robots-tag", b"content-signal")

WORDS: Mapping[str, tuple[bytes, ...]] = {
    "cavage": (
        b'keyId="', b'signature="', b'algorithm="hs2019"', b'headers="', b"created=", b"expires=", b"(request-target)",
        b"(created)", b"(expires)", b"host", b"date", b"digest", b'",', b"SHA-256=", *_TIMES,
    ),
    "message": (
        b"sig1=(", b'"@method"', b'"@target-uri"', b'"@query-param";name="a"', b'"@query"', b'"content-digest"',
        b";created=", b";expires=", b';keyid="', b';alg="', b';nonce="', b";sf", b";req", b"sha-256=:", b"sig1=:",
        b";x=?1", b";x=@1", b';x=%"%c3%a9"', b";x=:AA==:", b";x=1.50", *_TIMES,
    ),
    "digest": (b"SHA-256=", b"sha-512=", b"sha-256=:", b"sha-512=:", b":, ", b",", b"==", b"=:"),
    "times": _TIMES,
    "key": (
        b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----", b"-----BEGIN RSA PUBLIC KEY-----", b"\x02\x03",
        b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", b"\x06\x03\x2b\x65\x70", b"\x30\x82\x01\x22", b"\x03\x82",
    ),
    "capture": (
        b"POST /inbox HTTP/1.1\r\n", b"Host: ", b"Content-Length: ", b"Signature: ", b"\r\n\r\n", b'"headers"',
        b'"log"',
        b'"entries"', b'"request"', b'"postData"', b'"text"', b'"body_b64"', b'"target"', b'"at"', b'"received"',
        *_JSON,
    ),
    "proof": (b'"proof":{', b'"proofValue":"z', b'"publicKey":{', b'"assertionMethod":[', b'"@context"', *_JSON),
    "json": (*_JSON, b"\xef\xbb\xbf", b"1E5", b"0.1", b"\\\\", b"\\u00e9", b"\xc3\xa9", b"9223372036854775808"),
    "activity": (
        b'"@context"', b'"object":{', b'"attributedTo"', b'"contentUsage"', b'"aiUsage"', b'"https://peer.example/',
        b'"@graph"', b'"@id"', b'"@type"', b'"@vocab"', b'"@reverse"', b'"Announce"', b'"Undo"', *_JSON,
    ),
    "html": (
        b"<a href=", b"javascript:", b"<script", b"<p>", b"<!--", b"-->", b"<![CDATA[", b"</", b"<svg", b"<math",
        b"<style", b"onclick=", b"&#x", b"&lt;", b"<span class=", b"@bob@peer.example", b"#tag", b"https://a.example/",
        b"<template>", b"<noscript>", b"<ruby><rt>", b"\n\n",
    ),
    "text": (
        b"@bob@peer.example", b"#tag", b"https://a.example/", b"\n\n", b"\r\n", b"<b>", b"&amp;", b":8443", b"@",
        b"#", b"://",
    ),
    "url": (
        b"https://", b"http://", b"acct:", b"@", b":443", b"[::1]", b"xn--", b"%2f", b"?", b"#", b"..", b"127.0.0.1",
        b"\xe3\x80\x82", b"\xc3\x9f", b"\xe2\x80\x8d", b"::ffff:", b"application/ld+json", b";profile=", b";q=",
        b"text/html",
    ),
    "line": _LABELS,
    "words": (*_LABELS, b"googlebot:", b"unavailable_after:", b"/x*y$", b"%c3%a9", b"\n", b"1", b"0"),
    "headers": (*(name + b":" for name in _FIELDS), b"0:", b"1:", b"\n", *_LABELS),
    "page": (
        b"<meta name=", b'"content-usage"', b'"ai-usage"', b'"robots"', b'"tdm-reservation"', b" content=", b"<!--",
        b"-->", b"<![", b"]]>", b"<script>", b"</script>", b"<style>", b"<title>", b"<plaintext>", b"&quot;", b"<?",
        *_LABELS,
    ),
    "robots": (
        b"User-agent: ", b"Content-Usage: ", b"Content-Signal: ", b"Allow: ", b"Disallow: ", b"Sitemap: ", b"/a*b$",
        b"\xef\xbb\xbf", b"\r", b"#", b"nobody-else", *_LABELS,
    ),
    "terms": (b'"aiUsage":{"v":1', b'"prefs":{', b'"statements":[', b'"n"', b'"y"', b'"train-gen"', *_JSON),
}  # fmt: skip

"""Digest and Content-Digest against the body that arrived."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gateway.signatures import digest

BODY = b'{"type":"Create"}'


def _b64(name: str, body: bytes = BODY) -> str:
    return base64.b64encode(hashlib.new(name, body).digest()).decode()


RIGHT_256, RIGHT_512, WRONG_256 = _b64("sha256"), _b64("sha512"), _b64("sha256", b"other")
SHORT = base64.b64encode(hashlib.sha256(BODY).digest()[:31]).decode()


def test_a_digest_is_written_in_the_spelling_everyone_takes() -> None:
    """Digest is SHA-256 in upper case, Content-Digest a structured dictionary."""
    assert digest.digest_header(b"") == "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert digest.content_digest_header(b"") == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert digest.check_digest([digest.digest_header(BODY)], BODY) is None
    assert digest.check_content_digest([digest.content_digest_header(BODY)], BODY) is None


@pytest.mark.parametrize(
    "line",
    [
        f"SHA-256={RIGHT_256}",
        f"sha-256={RIGHT_256}",
        f"Sha-256={RIGHT_256}",
        f"SHA-512={RIGHT_512}",
        f"SHA-256={RIGHT_256},SHA-512={RIGHT_512}",
        f" SHA-256={RIGHT_256} , sha-512={RIGHT_512} ",
        f"MD5={_b64('md5')}, SHA-256={RIGHT_256}",
    ],
)
def test_a_right_digest_is_taken(line: str) -> None:
    """The name is case-insensitive, SHA-512 counts, and an unknown algorithm beside a known one does no harm."""
    assert digest.check_digest([line], BODY) is None
    assert digest.check_digest([line], BODY + b" ") is not None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["garbage"],
        [f"SHA-256={WRONG_256}"],
        [f"MD5={_b64('md5')}"],
        [f"SHA-256={WRONG_256},SHA-512={RIGHT_512}"],
        [f"SHA-256={RIGHT_256},SHA-512={_b64('sha512', b'other')}"],
        [f"SHA-256={WRONG_256},SHA-256={RIGHT_256}"],
        [f"SHA-256={RIGHT_256},sha-256={RIGHT_256}"],
        [f"SHA-256={SHORT}"],
        [f"SHA-256={RIGHT_256},"],
        [f"SHA-256={RIGHT_256}=="],
        ["SHA-256=abc"],
        [f"SHA-256=:{RIGHT_256}:"],
        [f"SHA-256={RIGHT_256[:20]}\n{RIGHT_256[20:]}"],
        [f"SHA-256={RIGHT_256}", f"SHA-256={RIGHT_256}"],
        [f"SHA-256={RIGHT_256}", f"SHA-256={WRONG_256}"],
    ],
)
def test_a_digest_that_does_not_fit_is_refused(lines: list[str]) -> None:
    """Missing, wrong, short, repeated, unparsable or unknown digests are refused with a reason."""
    assert digest.check_digest(lines, BODY)


@pytest.mark.parametrize(
    "lines",
    [
        [f"sha-256=:{RIGHT_256}:"],
        [f"sha-512=:{RIGHT_512}:"],
        [f"sha-256=:{RIGHT_256}:, sha-512=:{RIGHT_512}:"],
        [f"sha-256=:{RIGHT_256}:", f"sha-512=:{RIGHT_512}:"],
        [f"md5=:{_b64('md5')}:, sha-256=:{RIGHT_256}:"],
    ],
)
def test_a_right_content_digest_is_taken(lines: list[str]) -> None:
    """SHA-256 and SHA-512 count, together or alone, on one line or several."""
    assert digest.check_content_digest(lines, BODY) is None
    assert digest.check_content_digest(lines, BODY + b" ") is not None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["sha-256=::"],
        [f"sha-256={RIGHT_256}"],
        [f"SHA-256=:{RIGHT_256}:"],
        [f"sha-256=:{WRONG_256}:"],
        [f"sha-256=:{SHORT}:"],
        [f"md5=:{_b64('md5')}:"],
        [f"unixsum=1, crc32c=:{RIGHT_256}:"],
        [f"sha-256=:{WRONG_256}:, sha-512=:{RIGHT_512}:"],
        [f"sha-256=:{WRONG_256}:, sha-256=:{RIGHT_256}:"],
        [f"sha-256=:{RIGHT_256}:", f"sha-256=:{RIGHT_256}:"],
        [f"sha-256=1, sha-512=:{RIGHT_512}:"],
        [f"sha-256=(:{RIGHT_256}:), sha-512=:{RIGHT_512}:"],
        [f"sha-256, sha-512=:{RIGHT_512}:"],
        [f"sha-256=:{RIGHT_256}:;é"],
    ],
)
def test_a_content_digest_that_does_not_fit_is_refused(lines: list[str]) -> None:
    """Missing, wrong, repeated, mistyped or unknown digests are refused with a reason."""
    assert digest.check_content_digest(lines, BODY)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "0 Digest lines"),
        ([f"SHA-256={RIGHT_256}", f"SHA-256={RIGHT_256}"], "2 Digest lines"),
        (["garbage"], "a Digest that cannot be parsed"),
        ([f"SHA-256={RIGHT_256},sha-256={RIGHT_256}"], "a Digest that cannot be parsed"),
        (["SHA-256=abc"], "a Digest that is not base64"),
        ([f"MD5={_b64('md5')}"], "no sha-256 or sha-512 digest"),
        ([f"SHA-256={WRONG_256}"], "a sha-256 digest of another body"),
        ([f"SHA-512={_b64('sha512', b'other')}"], "a sha-512 digest of another body"),
    ],
)
def test_a_digest_is_refused_with_its_reason(lines: list[str], reason: str) -> None:
    """What is wrong with a Digest is said in the same words every time."""
    assert digest.check_digest(lines, BODY) == reason


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no Content-Digest"),
        (["sha-256=:é:"], "a Content-Digest that cannot be parsed"),
        (["sha-256="], "a Content-Digest that cannot be parsed"),
        ([f"sha-256=:{RIGHT_256}:, sha-256=:{RIGHT_256}:"], "a Content-Digest with a repeated algorithm"),
        (["sha-256=1"], "a Content-Digest that is not a byte sequence"),
        ([f"sha-256=(:{RIGHT_256}:)"], "a Content-Digest that is not a byte sequence"),
        ([f"md5=:{_b64('md5')}:"], "no sha-256 or sha-512 digest"),
        ([f"sha-256=:{WRONG_256}:"], "a sha-256 digest of another body"),
    ],
)
def test_a_content_digest_is_refused_with_its_reason(lines: list[str], reason: str) -> None:
    """What is wrong with a Content-Digest is said in the same words every time."""
    assert digest.check_content_digest(lines, BODY) == reason

"""Which signature is tried, and in which order."""

from __future__ import annotations

import itertools

import pytest

from gateway.signatures import knock
from gateway.signatures.knock import Knock

PLAIN_CHALLENGE = 'sig1=("@method" "@target-uri" "@authority" "content-digest");created'


def _all(first: Knock, status: int = 401, challenge: str | None = None) -> list[Knock]:
    tried = [first]
    while (following := knock.after(tuple(tried), status, challenge)) is not None:
        tried.append(following)
    return tried


def _short(tried: list[Knock]) -> list[tuple[str, bool]]:
    return [(k.scheme, k.content_usage) for k in tried]


def test_a_stranger_gets_cavage_first() -> None:
    """RFC 9421 comes first only for an origin that showed it."""
    assert knock.first(speaks_rfc9421=False, takes_content_usage=True) == Knock(scheme="cavage", content_usage=True)
    assert knock.first(speaks_rfc9421=True, takes_content_usage=False) == Knock(scheme="rfc9421", content_usage=False)


@pytest.mark.parametrize(
    ("first", "order"),
    [
        (("cavage", True), [("cavage", True), ("cavage", False), ("rfc9421", False)]),
        (("cavage", False), [("cavage", False), ("rfc9421", False)]),
        (("rfc9421", True), [("rfc9421", True), ("rfc9421", False), ("cavage", False)]),
        (("rfc9421", False), [("rfc9421", False), ("cavage", False)]),
    ],
)
def test_the_header_goes_first_then_the_scheme(first: tuple[str, bool], order: list[tuple[str, bool]]) -> None:
    """A refused knock is tried without Content-Usage, then in the other scheme."""
    assert _short(_all(Knock(scheme=first[0], content_usage=first[1]))) == order


@pytest.mark.parametrize("challenge", [None, PLAIN_CHALLENGE, "garbage", 'a=();nonce="n"', 'b=("@method");nonce="n"'])
def test_there_are_at_most_three_different_knocks(challenge: str | None) -> None:
    """Whatever the server asks for, no knock is repeated and there is no fourth."""
    for speaks, takes, status in itertools.product((True, False), (True, False), (400, 401)):
        tried = _all(knock.first(speaks_rfc9421=speaks, takes_content_usage=takes), status, challenge)
        assert len(tried) <= 3
        assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_signature_is_tried_again(status: int) -> None:
    """Both statuses that servers refuse a signature with lead to the next knock."""
    tried = _short(_all(Knock(scheme="cavage", content_usage=True), status))
    assert tried == [("cavage", True), ("cavage", False), ("rfc9421", False)]


@pytest.mark.parametrize("status", [200, 202, 301, 403, 404, 405, 410, 413, 421, 429, 500, 503])
def test_only_400_and_401_are_tried_again(status: int) -> None:
    """Any other status is an answer, not a question of the signature."""
    assert knock.after((Knock(scheme="cavage", content_usage=True),), status, PLAIN_CHALLENGE) is None


def test_a_challenge_is_answered_with_rfc9421() -> None:
    """Accept-Signature turns the next knock to RFC 9421 with the label and nonce that it names."""
    tried = (Knock(scheme="cavage", content_usage=True),)
    assert knock.after(tried, 401, PLAIN_CHALLENGE) == Knock(scheme="rfc9421", content_usage=True)
    challenge = 'proof=("@method" "@target-uri");created;nonce="b3k2-7z";tag="activitypub"'
    expected = Knock(scheme="rfc9421", content_usage=True, nonce="b3k2-7z", label="proof")
    assert knock.after(tried, 401, challenge) == expected


def test_a_nonce_is_answered_once() -> None:
    """After one knock with a nonce a fresh nonce is not chased."""
    first = Knock(scheme="rfc9421", content_usage=True)
    second = knock.after((first,), 401, 'sig1=();nonce="one"')
    assert second == Knock(scheme="rfc9421", content_usage=True, nonce="one")
    third = knock.after((first, second), 401, 'sig1=();nonce="two"')
    assert third == Knock(scheme="rfc9421", content_usage=False)


@pytest.mark.parametrize(
    ("challenge", "nonce", "label"),
    [
        ("", None, "sig1"),
        ("Sig1=()", None, "sig1"),
        (f"{'x' * 33}=()", None, "sig1"),
        (f"{'x' * 32}=()", None, "x" * 32),
        ('sig1=();nonce="a\\"b"', None, "sig1"),
        (f'sig1=();nonce="{"n" * 201}"', None, "sig1"),
        (f'sig1=();nonce="{"n" * 200}"', "n" * 200, "sig1"),
    ],
)
def test_a_challenge_that_cannot_be_written_back_is_left_out(challenge: str, nonce: str | None, label: str) -> None:
    """Labels and nonces that are too long or need escaping are not copied."""
    found = knock.after((Knock(scheme="cavage", content_usage=True),), 401, challenge)
    assert found == Knock(scheme="rfc9421", content_usage=True, nonce=nonce, label=label)

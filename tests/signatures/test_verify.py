"""From headers to verdict: the choice of scheme, the actor, and what happens without a key."""

from __future__ import annotations

import pytest
from signatures.crafting import ACTOR, ED25519, KEY_ID, NOW, cavage, failures, listed, message, plain

from gateway.errors import MalformedSignature
from gateway.signatures import verify
from gateway.signatures.request import SignedRequest
from gateway.signatures.verdict import Checks

SIGNED = {"cavage": cavage(plain()), "rfc9421": message(plain())}


@pytest.mark.parametrize("scheme", SIGNED)
def test_a_good_request_names_its_actor(scheme: str) -> None:
    """The verdict holds the scheme, the key id, and the owner of the key as the actor."""
    opened = verify.open_request(SIGNED[scheme], NOW)
    assert (opened.ok, opened.scheme, opened.key_id) == (True, scheme, KEY_ID)
    verdict = verify.close(opened, listed(), ACTOR)
    assert (verdict.ok, verdict.scheme, verdict.key_id, verdict.actor) == (True, scheme, KEY_ID, ACTOR)
    assert [step.name for step in verdict.steps][-3:] == ["key", "actor", "signature"]


@pytest.mark.parametrize("scheme", SIGNED)
def test_nobody_named_is_the_owner_of_the_key(scheme: str) -> None:
    """Where no document names an actor, the owner of the key is who asks."""
    verdict = verify.close(verify.open_request(SIGNED[scheme], NOW), listed(), None)
    assert (verdict.ok, verdict.actor) == (True, ACTOR)
    assert "actor" not in {step.name for step in verdict.steps}


@pytest.mark.parametrize("actor", ["https://peer.example/users/mallory", "https://victim.example/users/bob", ""])
@pytest.mark.parametrize("scheme", SIGNED)
def test_a_key_speaks_only_for_its_owner(scheme: str, actor: str) -> None:
    """A valid signature of somebody else's key does not make the actor, and names nobody."""
    verdict = verify.close(verify.open_request(SIGNED[scheme], NOW), listed(), actor)
    assert failures(verdict) == {"actor"}
    assert verdict.actor == ""


@pytest.mark.parametrize("scheme", SIGNED)
def test_without_a_key_nothing_holds(scheme: str) -> None:
    """A key that was not found fails the key, the actor and the signature."""
    verdict = verify.close(verify.open_request(SIGNED[scheme], NOW), None, ACTOR)
    assert failures(verdict) == {"key", "actor", "signature"}
    assert verdict.actor == ""


@pytest.mark.parametrize("scheme", SIGNED)
def test_the_wrong_key_holds_nothing(scheme: str) -> None:
    """A listed key that did not sign fails the signature alone."""
    verdict = verify.close(verify.open_request(SIGNED[scheme], NOW), listed(ED25519), ACTOR)
    assert failures(verdict) == {"signature"}


def test_a_query_is_not_forgiven_unless_a_collection_is_asked_for() -> None:
    """A page signed without its query does not hold where nobody says that it is a collection's."""
    signed = cavage(plain("GET", "https://gw.example/users/alice/outbox"))
    page = SignedRequest(method="GET", target=f"{signed.target}?page=true", headers=signed.headers)
    assert failures(verify.close(verify.open_request(page, NOW), listed(), ACTOR)) == {"signature"}


def test_an_unsigned_request_is_a_verdict() -> None:
    """No signature header is an expected no, not an exception."""
    opened = verify.open_request(plain(), NOW)
    assert (opened.ok, opened.key_id, verify.is_signed(plain())) == (False, "", False)
    assert opened.request == plain()
    verdict = verify.close(opened, listed(), ACTOR)
    assert (verdict.ok, verdict.scheme, verdict.actor) == (False, "none", "")
    assert [step.name for step in verdict.steps] == ["signed"]


def test_what_failed_before_the_key_is_not_checked_with_it() -> None:
    """A request that covers too little stays refused, and no key step is added."""
    opened = verify.open_request(cavage(plain(), ("(request-target)", "host", "date")), NOW)
    assert not opened.ok
    verdict = verify.close(opened, listed(), ACTOR)
    assert failures(verdict) == {"coverage"}
    assert "signature" not in {step.name for step in verdict.steps}


def test_closing_twice_gives_the_same_verdict() -> None:
    """Closing leaves the opened request as it was, so that a refetched key can be tried."""
    opened = verify.open_request(SIGNED["cavage"], NOW)
    assert not verify.close(opened, listed(ED25519), ACTOR).ok
    assert verify.close(opened, listed(), ACTOR).ok
    assert verify.close(opened, listed(), ACTOR) == verify.close(opened, listed(), ACTOR)


def test_the_steps_do_not_tell_where_the_key_came_from() -> None:
    """The verdict shows no key material."""
    verdict = verify.close(verify.open_request(SIGNED["rfc9421"], NOW), listed(ED25519), ACTOR)
    shown = repr([step.as_json() for step in verdict.steps])
    assert ED25519.public.multikey() not in shown
    assert "BEGIN" not in shown


def test_signature_input_selects_rfc9421() -> None:
    """With both forms present the old Signature line is not a way around the new rules."""
    both = cavage(plain()).with_headers(("signature-input", message(plain()).lines("signature-input")[0]))
    with pytest.raises(MalformedSignature):
        verify.open_request(both, NOW)


@pytest.mark.parametrize("name", ["signature", "signature-input"])
def test_half_an_rfc9421_signature_is_malformed(name: str) -> None:
    """Signature-Input without Signature, or Signature alone, cannot be parsed."""
    kept = tuple(line for line in SIGNED["rfc9421"].headers if line[0] != name)
    request = SignedRequest(method="POST", target=SIGNED["rfc9421"].target, headers=kept, body=b"")
    assert verify.is_signed(request)
    with pytest.raises(MalformedSignature):
        verify.open_request(request, NOW)


def test_a_signature_that_cannot_be_rebuilt_does_not_hold() -> None:
    """Closing never raises, even over a component that has no value."""
    good = verify.open_request(SIGNED["rfc9421"], NOW)
    bare = SignedRequest(method="POST", target=good.request.target, headers=(), body=b"")
    broken = verify.Opened(scheme="rfc9421", request=bare, signature=good.signature, checks=Checks())
    assert failures(verify.close(broken, listed(), ACTOR)) == {"signature"}

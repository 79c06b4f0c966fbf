"""What happens to a request after it was signed: lines added, changed and doubled, and signatures beside it."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

from attacks.signature_draft import Draft, b64, digests

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacks.signature_draft import Request, Scene

ORDER_ED25519 = 2**252 + 27742317777372353535851937790883648493


# On the wire


def _after(change: Callable[[Scene, Request], None]) -> Callable[[Draft], None]:
    return lambda draft: draft.after.append(change)


def _append_headers(_scene: Scene, request: Request) -> None:
    request.set("signature", request.value("signature") + ',headers="date"')


def _second_signature(scene: Scene, request: Request) -> None:
    other = Draft(scheme="cavage", method="POST", actor=scene.evil.me, document={}, raw=request.body).make(scene)
    request.lines.append(("signature", other.value("signature")))


def _junk(_scene: Scene, request: Request) -> None:
    head, mark, value = request.value("signature").partition('signature="')
    request.set("signature", f"{head}{mark}{value[:20]}!\n {value[20:]}")


def _gzip(_scene: Scene, request: Request) -> None:
    request.body = gzip.compress(request.body)


def _second_digest(_scene: Scene, request: Request) -> None:
    request.lines.append(("digest", digests("SHA-256=<wrong>", b"")))


def _to(path: str) -> Callable[[Draft], None]:
    def change(_scene: Scene, request: Request) -> None:
        request.path = path

    return _after(change)


def _query_after(query: str) -> Callable[[Draft], None]:
    def change(_scene: Scene, request: Request) -> None:
        request.path = request.path.partition("?")[0] + query

    return _after(change)


def _query_before(draft: Draft) -> None:
    draft.path += "?page=1"


def _created_twice(_scene: Scene, request: Request) -> None:
    request.set("signature-input", request.value("signature-input").replace(";created=", ";created=1;created=", 1))


def _with_broken(first: str) -> Callable[[Draft], None]:
    """Return two signatures: one that holds by ``first``, and a broken one that claims to be bob's, with a nonce."""

    def change(draft: Draft) -> None:
        def add(scene: Scene, request: Request) -> None:
            bob = scene.peer.me
            broken = Draft(scheme="rfc9421", method="POST", actor=bob, document={}, parameters={"nonce": "challenge"})
            broken.sign = lambda _base: b"\x00" * 256
            given = dict(request.lines)
            if first == "mallory":
                other = Draft(scheme="rfc9421", method="POST", actor=scene.evil.me, document={})
                for name, value in other._message(given, int(scene.now().timestamp())):
                    request.set(name, value)
            for name, value in broken._message(given, int(scene.now().timestamp()), "sig2"):
                request.set(name, f"{request.value(name)}, {value}")

        draft.after.append(add)

    return change


def _both_schemes(scene: Scene, request: Request) -> None:
    """Put a weak cavage signature that holds beside a Signature-Input."""
    weak = Draft(scheme="cavage", method="POST", actor=scene.peer.me, document={}, raw=request.body)
    weak.covered = ["(request-target)", "host", "date"]
    made = weak.make(scene)
    for name in ("date", "digest", "signature"):
        request.set(name, made.value(name))


def _malleable(_scene: Scene, request: Request) -> None:
    label, _, value = request.value("signature").partition("=")
    raw = base64.b64decode(value.strip(":"))
    shifted = int.from_bytes(raw[32:], "little") + ORDER_ED25519
    request.set("signature", f"{label}=:{b64(raw[:32] + shifted.to_bytes(32, 'little'))}:")


WIRE: dict[str, Callable[[Draft], None]] = {
    'append ,headers="date"': _after(_append_headers),
    "add second Signature line made by another actor": _after(_second_signature),
    "insert '!\\n ' into the base64": _after(_junk),
    "send gzip body; Digest over the decoded bytes": _after(_gzip),
    "add second Digest line": _after(_second_digest),
    "POST /users/carol/inbox": _to("/users/carol/inbox"),
    "POST /users/alice/inbox?x=1": _to("/users/alice/inbox?x=1"),
    "?page=1": _query_before,
    "?page=2": _query_after("?page=2"),
    ";created=1;created=now": _after(_created_twice),
    "add sig2 by bob broken": _with_broken("mallory"),
    "two signatures": _with_broken("bob"),
    "both headers": _after(_both_schemes),
    "S := S+L": _after(_malleable),
}

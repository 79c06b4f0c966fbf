"""Signed requests made by hand from the vocabulary of ``data/signatures.json``, so that they may be malformed.

A case is a base and a list of operations. ``Draft`` collects what happens before signing, ``Draft.make``
signs and applies what happens afterwards. Operations in free words are looked up in the tables at the
end; a word that stands in none of them is a ``KeyError``, so that no case passes unread.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric import rsa
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC, Actor, PlainPeer, Served, keys_for
from pyld import jsonld
from world import BASE

from gateway.signatures.keys import ED25519_PREFIX, PublicKey, base58_encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from world import World

    from gateway.runtime import Gateway

HOST = "gw.example"
INBOX = "/users/alice/inbox"
ALICE = f"{BASE}/users/alice"
ORDER_ED25519 = 2**252 + 27742317777372353535851937790883648493
# Mersenne primes: with them a key of 16,384 bits and a signature that holds take no search.
LARGE_PRIMES = tuple(2**power - 1 for power in (4423, 4253, 3217, 2281, 2203, 7))
NEW_KEY = "https://peer.example/users/bob (rotated)"
WRONG_KEY = "https://peer.example/users/bob (never published)"
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(slots=True, kw_only=True)
class Scene:
    """The gateway under attack and everybody around it."""

    world: World
    gateway: Gateway
    peer: PlainPeer
    evil: PlainPeer
    relay: PlainPeer

    def now(self) -> datetime:
        return self.world.clock.now()

    def serve_actor(self, **changes: Any) -> None:
        """Let the peer show its actor's document with ``changes``."""
        self.peer.serve_document(self.peer.me.id, self.peer.me.document(**changes))

    def rotate(self) -> None:
        """Give the peer's actor a new RSA key, a day later."""
        self.world.clock.forward(days=1)
        self.peer.me.rsa = keys_for(NEW_KEY)[0]
        self.serve_actor()

    def heal(self) -> None:
        """Let the peer answer as it should again."""
        self.world.board.apps["peer.example"] = self.peer.app
        self.serve_actor()

    def valid(self) -> dict[str, Any]:
        """Return a Create that the gateway has a reason to keep."""
        note = self.peer.note("hello @alice", cc=[ALICE])
        return self.peer.activity("Create", note, cc=[ALICE])


@dataclass(slots=True, kw_only=True)
class Request:
    """What goes on the wire."""

    method: str
    path: str
    lines: list[tuple[str, str]]
    body: bytes

    def value(self, name: str) -> str:
        return next(value for key, value in self.lines if key == name)

    def set(self, name: str, value: str | None) -> None:
        """Replace every line of a field by one, or (None) by none."""
        kept = [(key, old) for key, old in self.lines if key != name]
        self.lines = kept if value is None else [*kept, (name, value)]


@dataclass(slots=True, kw_only=True)
class Draft:
    """A request before it is signed. ``headers`` and ``parameters`` override what ``make`` would choose."""

    scheme: str
    method: str
    actor: Actor
    document: dict[str, Any]
    path: str = INBOX
    raw: bytes | None = None
    ed25519: bool = False
    covered: list[str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str | None] = field(default_factory=dict)
    sign_target: str | None = None
    sign_method: str | None = None
    sign: Callable[[bytes], bytes] | None = None
    clock: int = 0
    after: list[Callable[[Scene, Request], None]] = field(default_factory=list)
    sends: int = 1
    parallel: bool = False

    def make(self, scene: Scene) -> Request:
        """Sign, then change what the case changes after signing."""
        body = b"" if self.method == "GET" else self.raw or json.dumps(self.document).encode()
        now = scene.now() + timedelta(seconds=self.clock)
        given = self._fields(body, now)
        lines = list(given.items())
        if self.scheme == "cavage":
            lines.append(("signature", self._cavage(given, int(now.timestamp()))))
        elif self.scheme == "rfc9421":
            lines += self._message(given, int(now.timestamp()))
        request = Request(method=self.method, path=self.path, lines=lines, body=body)
        for change in self.after:
            change(scene, request)
        return request

    def _fields(self, body: bytes, now: datetime) -> dict[str, str]:
        given = {"host": HOST, "date": http_date(now)}
        if self.method == "GET":
            given["accept"] = ACTIVITY_JSON
        else:
            name = "content-digest" if self.scheme == "rfc9421" else "digest"
            given |= {name: digests("sha-256=:<right>:" if self.scheme == "rfc9421" else "SHA-256=<right>", body)}
            given |= {"content-type": ACTIVITY_JSON}
        for name, value in self.headers.items():
            given[name] = http_date(now - timedelta(days=1)) if value == "now-1d" else digests(value, body)
        return given

    def _signature(self, base: str) -> bytes:
        if self.parameters.get("algorithm") == "none":
            return b""
        key = self.actor.ed25519 if self.ed25519 else self.actor.rsa
        return (self.sign or key.sign)(base.encode("utf-8", "surrogateescape"))

    def _cavage(self, given: dict[str, str], now: int) -> str:
        usual = ["(request-target)", "host", "date"]
        covered = self.covered or (usual if self.method == "GET" else [*usual, "digest", "content-type"])
        parameters: dict[str, str | None] = {"keyId": self.actor.key_id, "algorithm": "rsa-sha256"}
        if "(created)" in covered:
            parameters["created"] = "now"
        if "(expires)" in covered:
            parameters["expires"] = "now+300"
        parameters |= self.parameters
        parameters = {name: moment(value, now) for name, value in parameters.items()}
        values = {
            "(request-target)": f"{(self.sign_method or self.method).lower()} {self.sign_target or self.path}",
            "(created)": str(parameters.get("created")),
            "(expires)": str(parameters.get("expires")),
        }
        base = "\n".join(f"{n.lower()}: {values.get(n.lower(), given.get(n.lower(), ''))}" for n in covered)
        parameters |= {"headers": " ".join(covered), "signature": b64(self._signature(base))}
        return ",".join(
            f"{name}={value}" if name in ("created", "expires") and str(value).isdigit() else f'{name}="{value}"'
            for name, value in parameters.items()
            if value is not None
        )

    def _message(self, given: dict[str, str], now: int, label: str = "sig1") -> list[tuple[str, str]]:
        usual = ["@method", "@target-uri"]
        covered = self.covered or (usual if self.method == "GET" else [*usual, "content-digest", "content-type"])
        key_id = f"{self.actor.id}#ed25519-key" if self.ed25519 else self.actor.key_id
        algorithm = "ed25519" if self.ed25519 else "rsa-v1_5-sha256"
        parameters: dict[str, str | None] = {"created": "now", "keyid": key_id, "alg": algorithm, **self.parameters}
        target = self.sign_target or f"{BASE}{self.path}"
        values = {
            "@method": self.sign_method or self.method,
            "@target-uri": target,
            "@authority": HOST,
            "@path": self.path.partition("?")[0],
            "@query": f"?{self.path.partition('?')[2]}",
            "@status": "200",
            "@foo": "foo",
        }
        names = [name.partition(";") for name in covered]
        written = [f'"{name}"{mark}{flag}' for name, mark, flag in names]
        lines = [
            f"{shown}: {values.get(name, given.get(name.lower(), ''))}"
            for shown, (name, _, _) in zip(written, names, strict=True)
        ]
        described = f"({' '.join(written)})"
        for name, value in parameters.items():
            if value is not None:
                said = moment(value, now)
                described += f";{name}={said}" if name in ("created", "expires") else f';{name}="{said}"'
        signature = self._signature("\n".join([*lines, f'"@signature-params": {described}']))
        return [("signature-input", f"{label}={described}"), ("signature", f"{label}=:{b64(signature)}:")]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def http_date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)


def moment(value: str | None, now: int) -> str | None:
    """Return ``now``, ``now-10``, ``now+300`` in seconds; anything else as it is."""
    found = re.fullmatch(r"now([+-]\d+)?", value or "")
    return str(now + int(found[1] or 0)) if found else value


def digests(template: str, body: bytes) -> str:
    """Fill in a digest field: ``SHA-256=<right>``, ``<wrong>``, ``<31 bytes>``, ``<b64>`` or dots."""

    def filled(found: re.Match[str]) -> str:
        content = b"another body" if found[3] == "<wrong>" else body
        digest = hashlib.new(found[1].lower().replace("-", ""), content, usedforsecurity=False).digest()
        return f"{found[1]}={found[2]}{b64(digest[:31] if found[3] == '<31 bytes>' else digest)}{found[4]}"

    return re.sub(r"([A-Za-z0-9-]+)=(:?)(<[^>]+>|\.{2,3})(:?)", filled, template)


def start(base: str, scene: Scene) -> Draft:
    """Return the draft of one of the bases."""
    bob = scene.peer.me
    if base in ("C-POST", "R-POST", "R-POST-ED"):
        scheme = "cavage" if base == "C-POST" else "rfc9421"
        return Draft(scheme=scheme, method="POST", actor=bob, document=scene.valid(), ed25519=base == "R-POST-ED")
    if base in ("C-GET", "R-GET"):
        scheme = "cavage" if base == "C-GET" else "rfc9421"
        return Draft(scheme=scheme, method="GET", actor=bob, document={}, path="/users/alice")
    if base == "LD":
        return Draft(scheme="none", method="POST", actor=bob, document=linked_data_signed(scene, scene.valid()))
    if base == "PROOF":
        document = proven({**scene.valid(), "@context": [AS2, "https://w3id.org/security/data-integrity/v1"]}, bob)
        return Draft(scheme="cavage", method="POST", actor=scene.relay.me, document=document)
    raise KeyError(base)


async def apply(op: Sequence[Any], scene: Scene, draft: Draft) -> None:
    """Apply one operation of a case to the draft (and the scene)."""
    name, *rest = op
    if name == "cover":
        draft.covered = COVER[rest[0]] if isinstance(rest[0], str) else list(rest[0])
    elif name == "hdr":
        draft.headers[rest[0].lower()] = rest[1]
    elif name == "hdr_after":
        draft.after.append(lambda _, request: request.set(rest[0].lower(), rest[1]))
    elif name == "param":
        draft.parameters[rest[0]] = rest[1]
    elif name == "param_after":
        draft.after.append(lambda _, request: _parameter(request, rest[0], rest[1]))
    elif name == "sign_target":
        draft.sign_target = rest[0]
    elif name == "sign_method":
        draft.sign_method = rest[0]
    elif name == "clock":
        draft.clock = rest[0]
    elif name in ("body", "body_after"):
        BODY[rest[0]](scene, draft)
    elif name == "key":
        draft.sign = KEY[rest[0]](scene)
    elif name == "serve":
        SERVE[rest[0], rest[1]](scene, draft)
    elif name == "wire":
        WIRE[rest[0]](draft)
    elif name == "gw":
        await HISTORY[rest[0]](scene, draft)
    elif name == "resend":
        await RESEND[rest[0]](scene, draft)
    else:
        raise KeyError(name)


def _parameter(request: Request, name: str, value: str | None) -> None:
    changed = re.sub(rf',?{name}="[^"]*"', "" if value is None else f',{name}="{value}"', request.value("signature"))
    request.set("signature", changed)


# Keys


def _hmac(scene: Scene) -> Callable[[bytes], bytes]:
    secret = scene.peer.me.rsa.public.pem().encode()
    return lambda base: hmac.digest(secret, base, "sha256")


def _forged_padding(_scene: Scene) -> Callable[[bytes], bytes]:
    """Return Bleichenbacher's forgery for e = 3: a cube whose first bytes are a correct padding."""

    def forge(base: bytes) -> bytes:
        head = b"\x00\x01\xff\x00" + SHA256_INFO + hashlib.sha256(base).digest()
        highest = int.from_bytes(head + b"\xff" * (256 - len(head)), "big")
        low, high = 0, 1 << 700
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**3 <= highest else (low, middle - 1)
        return low.to_bytes(256, "big")

    return forge


def _large_key(_scene: Scene) -> Callable[[bytes], bytes]:
    """Return a signer with a key of 16,384 bits whose signatures do hold."""

    def sign(base: bytes) -> bytes:
        digest = SHA256_INFO + hashlib.sha256(base).digest()
        padded = int.from_bytes(b"\x00\x01" + b"\xff" * (2048 - 3 - len(digest)) + b"\x00" + digest, "big")
        result, modulus = 0, 1
        for prime in LARGE_PRIMES:
            residue = pow(padded, pow(65537, -1, prime - 1), prime)
            result += modulus * ((residue - result) * pow(modulus, -1, prime) % prime)
            modulus *= prime
        return result.to_bytes(2048, "big")

    return sign


def rsa_pem(modulus: int, exponent: int = 65537) -> str:
    return PublicKey("rsa", rsa.RSAPublicNumbers(exponent, modulus).public_key()).pem()


def modulus_of(actor: Actor) -> int:
    key = actor.rsa.key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key().public_numbers().n


# Bodies


def linked_data_signed(scene: Scene, document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with an RsaSignature2017 that holds."""
    document = {**document, "@context": [AS2, "https://w3id.org/security/v1"]}
    options = {"creator": scene.peer.me.key_id, "created": scene.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
    parts = [{"@context": "https://w3id.org/identity/v1", **options}, document]
    how = {
        "algorithm": "URDNA2015",
        "format": "application/n-quads",
        "documentLoader": scene.gateway.kit.contexts,
    }
    hashed = "".join(hashlib.sha256(str(jsonld.normalize(part, how)).encode()).hexdigest() for part in parts)
    value = b64(scene.peer.me.rsa.sign(hashed.encode()))
    return {**document, "signature": {"type": "RsaSignature2017", **options, "signatureValue": value}}


def proven(document: dict[str, Any], actor: Actor, **changes: Any) -> dict[str, Any]:
    """Return ``document`` with an eddsa-jcs-2022 proof by ``actor``; ``changes`` are signed options."""
    options = {
        "@context": document["@context"],
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": f"{actor.id}#ed25519-key",
        "proofPurpose": "assertionMethod",
        "created": "2026-11-23T09:00:00Z",
        **changes,
    }
    bare = {name: value for name, value in document.items() if name != "proof"}
    hashed = b"".join(hashlib.sha256(rfc8785.dumps(part)).digest() for part in (options, bare))
    return {**bare, "proof": {**options, "proofValue": "z" + base58_encode(actor.ed25519.sign(hashed))}}


def _wrap_in_graph(_scene: Scene, draft: Draft) -> None:
    document = draft.document
    kept = {name: document.pop(name) for name in ("@context", "signature", "id", "type", "actor")}
    draft.document = {**kept, "@graph": [document]}


def _two_nodes(scene: Scene, draft: Draft) -> None:
    draft.document |= {"@graph": [draft.document["object"], scene.valid()["object"]]}


def _clique(_scene: Scene, draft: Draft) -> None:
    nodes = [f"_:b{index}" for index in range(8)]
    graph = [{"id": node, "to": [other for other in nodes if other != node]} for node in nodes]
    draft.document["object"] = {**draft.document["object"], "tag": graph}


def _foreign_method(scene: Scene, draft: Draft) -> None:
    draft.document = proven(draft.document, scene.evil.me)


def _two_proofs(scene: Scene, draft: Draft) -> None:
    broken = {**draft.document["proof"], "proofValue": "z" + base58_encode(b"\x01" * 64)}
    draft.document["proof"] = [proven(draft.document, scene.evil.me)["proof"], broken]


def _other_purpose(scene: Scene, draft: Draft) -> None:
    draft.document = proven(draft.document, scene.peer.me, proofPurpose="authentication")


def _big_number(_scene: Scene, draft: Draft) -> None:
    numbers = b', "large": 1e400, "zero": -0, "odd": 9007199254740993}'
    draft.raw = json.dumps(draft.document).encode().removesuffix(b"}") + numbers


def _expires_added(scene: Scene, draft: Draft) -> None:
    draft.document["proof"] |= {"expires": (scene.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _context_changed(_scene: Scene, draft: Draft) -> None:
    draft.document["@context"] = [*draft.document["@context"], {"content": "as:summary"}]


def _delete_self(scene: Scene, draft: Draft) -> None:
    draft.document = scene.peer.activity("Delete", scene.peer.me.id)


def _content_changed(_scene: Scene, draft: Draft) -> None:
    _body_after(draft, object={**draft.document["object"], "content": "<p>something else</p>"})


def _new_id(scene: Scene, draft: Draft) -> None:
    _body_after(draft, id=scene.peer.id())


def _body_after(draft: Draft, **changes: Any) -> None:
    def change(_scene: Scene, request: Request) -> None:
        request.body = json.dumps({**draft.document, **changes}).encode()

    draft.after.append(change)


# What the peer shows


def _key(**changes: Any) -> Callable[[Scene, Draft], None]:
    def serve(scene: Scene, _draft: Draft) -> None:
        key = {"id": scene.peer.me.key_id, "owner": scene.peer.me.id, "publicKeyPem": scene.peer.me.rsa.public.pem()}
        scene.serve_actor(publicKey={**key, **changes})

    return serve


def _multikey(raw: bytes) -> Callable[[Scene, Draft], None]:
    def serve(scene: Scene, _draft: Draft) -> None:
        entry = scene.peer.me.document()["assertionMethod"][0]
        scene.serve_actor(assertionMethod=[{**entry, "publicKeyMultibase": "z" + base58_encode(ED25519_PREFIX + raw)}])

    return serve


def _small_order(scene: Scene, draft: Draft) -> None:
    """Publish the identity as the key: with it the signature R = identity, S = 0 fits every message."""
    identity = b"\x01" + b"\x00" * 31
    _multikey(identity)(scene, draft)
    draft.sign = lambda _base: identity + b"\x00" * 32


def _serve_large_key(scene: Scene, draft: Draft) -> None:
    modulus = 1
    for prime in LARGE_PRIMES:
        modulus *= prime
    _key(publicKeyPem=rsa_pem(modulus))(scene, draft)
    draft.sign = _large_key(scene)


def _small_exponent(scene: Scene, draft: Draft) -> None:
    _key(publicKeyPem=rsa_pem(modulus_of(scene.peer.me), 3))(scene, draft)


def _two_pems(scene: Scene, draft: Draft) -> None:
    both = scene.peer.me.rsa.public.pem() + keys_for(WRONG_KEY)[0].public.pem()
    _key(publicKeyPem=both)(scene, draft)


def _long_pem(scene: Scene, draft: Draft) -> None:
    _key(publicKeyPem=scene.peer.me.rsa.public.pem() + " " * 1024 * 1024)(scene, draft)


def _many_keys(scene: Scene, _draft: Draft) -> None:
    key = {"id": scene.peer.me.key_id, "owner": scene.peer.me.id, "publicKeyPem": scene.peer.me.rsa.public.pem()}
    others = [{"id": f"{scene.peer.me.id}#{index}", "owner": scene.peer.me.id} for index in range(9_999)]
    scene.serve_actor(publicKey=[key, *others])


def _redirected_actor(scene: Scene, draft: Draft) -> None:
    """Let the victim's own host lead to a document elsewhere that lists the attacker's key for the victim."""
    victim = Actor("https://victim.example/u/v", "v", *keys_for(scene.evil.me.id))
    host = scene.world.peer("victim.example", "somebody")
    host.pages["/u/v"] = Served(302, {"location": "https://evil.example/u/v"}, b"")
    scene.evil.serve_document("https://evil.example/u/v", victim.document())
    draft.actor = victim
    note = {**draft.document["object"], "id": f"{victim.id}/notes/1", "attributedTo": victim.id}
    draft.document |= {"id": f"{victim.id}/activities/1", "actor": victim.id, "object": note}


def _wrong_type(scene: Scene, _draft: Draft) -> None:
    scene.peer.serve_document(scene.peer.me.id, scene.peer.me.document(), content_type="application/json")


def _status(code: int) -> Callable[[Scene, Draft], None]:
    def serve(scene: Scene, _draft: Draft) -> None:
        scene.peer.serve(scene.peer.me.id, "", status=code)

    return serve


def _hang(scene: Scene, _draft: Draft) -> None:
    async def never(*_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    scene.world.board.apps["peer.example"] = never


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


# What went before


async def deliver(scene: Scene, document: dict[str, Any]) -> None:
    answer = await scene.peer.post(f"{BASE}{INBOX}", document)
    assert answer.status_code == 202, answer.text
    await scene.world.drain()


async def _created_then_deleted(scene: Scene, draft: Draft) -> None:
    await deliver(scene, draft.document)
    assert scene.gateway.kit.store.objects.get(draft.document["object"]["id"]) is not None
    tombstone = {"id": draft.document["object"]["id"], "type": "Tombstone"}
    await deliver(scene, scene.peer.activity("Delete", tombstone))


async def _followed_and_undone(scene: Scene, draft: Draft) -> None:
    draft.document = scene.peer.activity("Follow", ALICE)
    await deliver(scene, draft.document)
    assert scene.gateway.kit.store.relations.followers(ALICE) == [scene.peer.me.id]
    await deliver(scene, scene.peer.activity("Undo", draft.document))
    assert scene.gateway.kit.store.relations.followers(ALICE) == []


async def _new_key_cached(scene: Scene, _draft: Draft) -> None:
    await deliver(scene, scene.valid())
    scene.rotate()
    await deliver(scene, scene.valid())


async def _old_key(scene: Scene, _draft: Draft) -> None:
    await deliver(scene, scene.valid())
    scene.rotate()


async def _many_times(_scene: Scene, draft: Draft, times: int) -> None:
    draft.sends += times


async def _update_in_parallel(scene: Scene, draft: Draft) -> None:
    await deliver(scene, scene.valid())
    draft.sign = scene.peer.me.rsa.sign
    scene.rotate()
    draft.document = scene.peer.activity("Update", scene.peer.me.document())
    draft.sends, draft.parallel = 8, True


async def _nothing(_scene: Scene, _draft: Draft) -> None:
    return


COVER: dict[str, list[str]] = {"10000 repeated names": ["host", "date"] * 5_000}

KEY: dict[str, Callable[[Scene], Callable[[bytes], bytes]]] = {
    "HMAC keyed with bob's public PEM": _hmac,
    "forged padding": _forged_padding,
    "old": lambda scene: keys_for(scene.peer.me.id)[0].sign,
    "new": lambda _scene: keys_for(NEW_KEY)[0].sign,
    "wrong": lambda _scene: keys_for(WRONG_KEY)[0].sign,
}

BODY: dict[str, Callable[[Scene, Draft], None]] = {
    "wrap in @graph": _wrap_in_graph,
    "two nodes": _two_nodes,
    "K8 clique": _clique,
    "verificationMethod of mallory": _foreign_method,
    "proof: [..]": _two_proofs,
    "proofPurpose": _other_purpose,
    "big number": _big_number,
    "proof.expires": _expires_added,
    "@context": _context_changed,
    "Delete self": _delete_self,
    "same JSON with object.content changed": _content_changed,
    "new id": _new_id,
}

SERVE: dict[tuple[str, str], Callable[[Scene, Draft], None]] = {
    ("key", "RSA-16384"): _serve_large_key,
    ("key", "e=3"): _small_exponent,
    ("key", "victim PEM + attacker PEM"): _two_pems,
    ("key", "1 MiB of text"): _long_pem,
    ("actor", "publicKey: 10000 entries"): _many_keys,
    ("https://victim.example/u/v", "302 -> https://evil.example/u/v"): _redirected_actor,
    ("key", "content-type application/json"): _wrong_type,
    ("key", "hang"): _hang,
    ("key", "500"): _status(500),
    ("key", "410"): _status(410),
    ("key", "Multikey of 0100..00"): _small_order,
    ("key", "short"): _multikey(b"\x07" * 31),
}

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

HISTORY: dict[str, Callable[[Scene, Draft], Awaitable[None]]] = {
    "object created then Delete processed": _created_then_deleted,
    "Follow, Undo processed": _followed_and_undone,
    "new key cached": _new_key_cached,
    "old key": _old_key,
}

RESEND: dict[Any, Callable[[Scene, Draft], Awaitable[None]]] = {
    1: lambda scene, draft: _many_times(scene, draft, 1),
    100: lambda scene, draft: _many_times(scene, draft, 99),
    "the Follow, same id": _nothing,
    "parallel x8": _update_in_parallel,
}

__all__ = ["ALICE", "INBOX", "PUBLIC", "Draft", "Request", "Scene", "apply", "start"]

"""Keys that are wrong, forged, huge or weak, and what a peer shows where its key is looked for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from attacks.signature_draft import NEW_KEY
from cryptography.hazmat.primitives.asymmetric import rsa
from peers.plain import Actor, Served, keys_for

from gateway.signatures.keys import ED25519_PREFIX, PublicKey, base58_encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacks.signature_draft import Draft, Scene

# Mersenne primes: with them a key of 16,384 bits and a signature that holds take no search.
LARGE_PRIMES = tuple(2**power - 1 for power in (4423, 4253, 3217, 2281, 2203, 7))
WRONG_KEY = "https://peer.example/users/bob (never published)"
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


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
    """Return a public RSA key of these numbers as PEM."""
    return PublicKey("rsa", rsa.RSAPublicNumbers(exponent, modulus).public_key()).pem()


def modulus_of(actor: Actor) -> int:
    """Return the modulus of an actor's RSA key."""
    key = actor.rsa.key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key().public_numbers().n


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


KEY: dict[str, Callable[[Scene], Callable[[bytes], bytes]]] = {
    "HMAC keyed with bob's public PEM": _hmac,
    "forged padding": _forged_padding,
    "old": lambda scene: keys_for(scene.peer.me.id)[0].sign,
    "new": lambda _scene: keys_for(NEW_KEY)[0].sign,
    "wrong": lambda _scene: keys_for(WRONG_KEY)[0].sign,
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

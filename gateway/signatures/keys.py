"""Keys: made, written, read and refused when weak. The only users of ``cryptography`` are in this room.

RSA-2048 is what every ActivityPub server takes; Ed25519 Multikeys are FEP-521a. Refused: RSA below
2048 or above 8192 bits or with a small exponent, Ed25519 points of small order (with those one
signature fits many messages, so their owner could later deny every promise).
"""

from __future__ import annotations

import functools
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

RSA_BITS = 2048
MAX_RSA_BITS = 8192
MIN_EXPONENT = 65537
REMEMBERED_KEYS = 4_096  # parsed ones; whoever sends something sends more
MAX_PEM = 8192
NONCE = 12
P256_SIGNATURE = 64  # r and s, 32 bytes each (RFC 9421, section 3.3.4)
ED25519_PREFIX = b"\xed\x01"
RSA_PREFIX = b"\x85\x24"  # varint of multicodec 0x1205
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PEM = re.compile(r"\s*-----BEGIN (PUBLIC KEY|RSA PUBLIC KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*")
_P25519 = 2**255 - 19
_PKCS1, _SHA256 = padding.PKCS1v15(), hashes.SHA256()
# The y coordinates of the eight points of small order, with and without the sign bit, and their
# non-canonical twins. Source: https://eprint.iacr.org/2020/1244 table 1.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        _P25519 - 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    }
)

type_of_private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class WeakKey(ValueError):
    """A key that cannot be read, or that proves nothing."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that passed the checks; ``kind`` is ``rsa``, ``ed25519`` or ``p256``."""

    kind: str
    key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    def verify(self, algorithm: str, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` over ``message`` holds under an algorithm that this kind of key may use."""
        check = _VERIFIERS.get((self.kind, algorithm))
        if check is None:
            return False
        try:
            check(self.key, signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> str:
        """Return the key as SPKI PEM."""
        encoded = self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return encoded.decode("ascii")

    def multikey(self) -> str:
        """Return an Ed25519 key as a multibase Multikey (FEP-521a)."""
        raw = self.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return "z" + base58_encode(ED25519_PREFIX + raw)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """One of our own keys."""

    kind: str
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature: RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, _PKCS1, _SHA256)

    @property
    def public(self) -> PublicKey:
        """Return the public half."""
        return PublicKey(self.kind, self.key.public_key())

    def wrapped(self, secret: bytes) -> bytes:
        """Return the key encrypted under ``secret`` (32 bytes, AES-256-GCM)."""
        encoded = self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        nonce = secrets.token_bytes(NONCE)
        return nonce + AESGCM(secret).encrypt(nonce, encoded, self.kind.encode())


def generate(kind: str) -> PrivateKey:
    """Return a new key of ``kind`` ``rsa`` or ``ed25519``."""
    if kind == "ed25519":
        return PrivateKey(kind, ed25519.Ed25519PrivateKey.generate())
    return PrivateKey("rsa", rsa.generate_private_key(public_exponent=MIN_EXPONENT, key_size=RSA_BITS))


def unwrap(kind: str, wrapped: bytes, secret: bytes) -> PrivateKey:
    """Return a key wrapped by ``PrivateKey.wrapped``; raise StoreError when the secret is another one."""
    try:
        encoded = AESGCM(secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], kind.encode())
    except InvalidTag as error:
        raise StoreError("a private key does not open with this secret file") from error
    # Validated when it was made; validating again costs 38 ms a key.
    key = serialization.load_der_private_key(encoded, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, type_of_private):
        raise StoreError("a stored private key is of an unknown kind")
    return PrivateKey(kind, key)


def load_private_pem(pem: bytes) -> PrivateKey:
    """Return a private key from PEM (tests and imports)."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, type_of_private):
        raise WeakKey("not an RSA or Ed25519 private key")
    return PrivateKey("rsa" if isinstance(key, rsa.RSAPrivateKey) else "ed25519", key)


def load_public_pem(pem: object) -> PublicKey:
    """Return the key in exactly one PEM block; raise WeakKey otherwise."""
    if not isinstance(pem, str) or len(pem) > MAX_PEM:
        raise WeakKey("not exactly one public key in PEM")
    return _from_pem(pem)


@functools.lru_cache(maxsize=REMEMBERED_KEYS)
def _from_pem(pem: str) -> PublicKey:
    if not _PEM.fullmatch(pem):
        raise WeakKey("not exactly one public key in PEM")
    try:
        key = serialization.load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WeakKey(str(error)) from error
    if isinstance(key, rsa.RSAPublicKey):
        return _checked_rsa(key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _checked_ed25519(key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey("p256", key)
    raise WeakKey("not an RSA, Ed25519 or P-256 key")


def load_multikey(text: object) -> PublicKey:
    """Return the key in a Multikey (base58btc; Ed25519 or RSA); raise WeakKey otherwise."""
    if not isinstance(text, str) or not text.startswith("z") or len(text) > MAX_PEM:
        raise WeakKey("not a base58btc multikey")
    return _from_multikey(text)


@functools.lru_cache(maxsize=REMEMBERED_KEYS)
def _from_multikey(text: str) -> PublicKey:
    decoded = base58_decode(text[1:])
    if decoded.startswith(ED25519_PREFIX):
        return _checked_ed25519(decoded[len(ED25519_PREFIX) :])
    if decoded.startswith(RSA_PREFIX):
        try:
            key = serialization.load_der_public_key(decoded[len(RSA_PREFIX) :])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise WeakKey(str(error)) from error
        if isinstance(key, rsa.RSAPublicKey):
            return _checked_rsa(key)
    raise WeakKey("not an Ed25519 or RSA multikey")


def _checked_rsa(key: rsa.RSAPublicKey) -> PublicKey:
    exponent = key.public_numbers().e
    if not RSA_BITS <= key.key_size <= MAX_RSA_BITS or exponent < MIN_EXPONENT or exponent % 2 == 0:
        raise WeakKey(f"RSA key of {key.key_size} bits with exponent {exponent}"[:80])
    return PublicKey("rsa", key)


def _checked_ed25519(raw: bytes) -> PublicKey:
    if len(raw) != 32:  # noqa: PLR2004 - RFC 8032
        raise WeakKey("an Ed25519 key has 32 bytes")
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    if y % _P25519 in _SMALL_ORDER_Y or y >= _P25519:
        raise WeakKey("an Ed25519 point of small order, or not canonical")
    try:
        return PublicKey("ed25519", ed25519.Ed25519PublicKey.from_public_bytes(raw))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WeakKey(str(error)) from error


def _rsa_pkcs1(digest: hashes.HashAlgorithm) -> Callable[..., None]:
    def check(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> None:
        key.verify(signature, message, _PKCS1, digest)

    return check


def _rsa_pss(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())


def _ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)


def _p256(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    if len(signature) != P256_SIGNATURE:
        raise InvalidSignature
    half = P256_SIGNATURE // 2
    encoded = encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    key.verify(encoded, message, ec.ECDSA(hashes.SHA256()))


# (kind of key, algorithm) -> check: the key decides which algorithms may be asked for at all.
_VERIFIERS: dict[tuple[str, str], Callable[..., None]] = {
    ("rsa", "rsa-v1_5-sha256"): _rsa_pkcs1(hashes.SHA256()),
    ("rsa", "rsa-v1_5-sha512"): _rsa_pkcs1(hashes.SHA512()),
    ("rsa", "rsa-pss-sha512"): _rsa_pss,
    ("ed25519", "ed25519"): _ed25519,
    ("p256", "ecdsa-p256-sha256"): _p256,
}
DEFAULT_ALGORITHM = {"rsa": "rsa-v1_5-sha256", "ed25519": "ed25519", "p256": "ecdsa-p256-sha256"}


MAX_BASE58 = 2_000  # an RSA key of 8192 bits has 1,420


def base58_encode(data: bytes) -> str:
    """Return base58btc without a multibase prefix."""
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, remainder = divmod(number, 58)
        text = _BASE58[remainder] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def base58_decode(text: str) -> bytes:
    """Return the bytes of base58btc; raise WeakKey for other characters, or more than any key or signature has.

    The time it takes grows with the square of the length.
    """
    if len(text) > MAX_BASE58:
        raise WeakKey(f"{len(text)} characters of base58btc")
    number = 0
    for character in text:
        value = _BASE58.find(character)
        if value < 0:
            raise WeakKey("not base58btc")
        number = number * 58 + value
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return b"\0" * (len(text) - len(text.lstrip("1"))) + body

"""Keys: made, written, read, and refused when weak."""

from __future__ import annotations

import base64
import os
import random
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from signatures.crafting import ED25519, OTHER_RSA, RSA

from gateway.errors import StoreError
from gateway.signatures import keys
from gateway.signatures.keys import PublicKey, WeakKey

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")


def _added(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def _times(scalar: int, point: Point) -> Point:
    result: Point = (0, 1)
    while scalar:
        if scalar & 1:
            result = _added(result, point)
        point = _added(point, point)
        scalar >>= 1
    return result


def _point_at(y: int) -> Point | None:
    """Return a point of the curve with this y, or None when there is none."""
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == x2 else None


@cache
def _torsion() -> tuple[Point, ...]:
    """Return the eight points whose order divides eight."""
    y = 2
    while True:
        point = _point_at(y)
        small = None if point is None else _times(ORDER, point)
        if small is not None and _times(4, small) != (0, 1):
            return tuple(_times(k, small) for k in range(8))
        y += 1


def _encodings(point: Point) -> set[bytes]:
    """Return every 32 bytes that some decoder reads as ``point``: canonical, y + p, and a sign on x = 0."""
    x, y = point
    ys = [value for value in (y, y + P) if value < 2**255]
    signs = [x & 1] if x else [0, 1]
    return {(value | sign << 255).to_bytes(32, "little") for value in ys for sign in signs}


def _small_order() -> list[bytes]:
    return sorted({encoding for point in _torsion() for encoding in _encodings(point)})


def _multikey(raw: bytes, prefix: bytes = keys.ED25519_PREFIX) -> str:
    return "z" + keys.base58_encode(prefix + raw)


def _pem(der: bytes, label: str = "PUBLIC KEY") -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def _rsa(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    """Return an RSA key of exactly ``bits``; its modulus need not be the product of two primes."""
    modulus = random.Random(bits).getrandbits(bits) | 1 | 1 << (bits - 1)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | x25519.X25519PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _pkcs1(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)


def test_there_are_eight_points_of_small_order() -> None:
    """The arithmetic of these tests finds the whole torsion group and its fourteen encodings."""
    assert len(set(_torsion())) == 8
    assert all(_times(8, point) == (0, 1) for point in _torsion())
    assert bytes(32) in _small_order()
    assert (1).to_bytes(32, "little") in _small_order()
    assert len(_small_order()) == 14


@pytest.mark.parametrize("raw", _small_order(), ids=bytes.hex)
def test_a_point_of_small_order_is_refused(raw: bytes) -> None:
    """No encoding of a point of small order is a key, as Multikey or as PEM."""
    with pytest.raises(WeakKey, match="small order"):
        keys.load_multikey(_multikey(raw))
    with pytest.raises(WeakKey):
        keys.load_public_pem(_pem(SPKI_ED25519 + raw))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", range(P, 2**255))
def test_a_non_canonical_point_is_refused(y: int, sign: int) -> None:
    """A y coordinate of p or more is refused, whatever point it stands for."""
    with pytest.raises(WeakKey, match="not canonical"):
        keys.load_multikey(_multikey((y | sign << 255).to_bytes(32, "little")))


def test_an_honest_point_is_taken() -> None:
    """The same 32 bytes of a good key pass as Multikey and as PEM."""
    raw = ED25519.public.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    for key in (keys.load_multikey(_multikey(raw)), keys.load_public_pem(_pem(SPKI_ED25519 + raw))):
        assert (key.kind, key.multikey()) == ("ed25519", ED25519.public.multikey())
    assert ED25519.public.multikey().startswith("z6Mk")


@pytest.mark.parametrize("seed", range(16))
def test_honest_points_all_over_the_field_are_taken(seed: int) -> None:
    """Keys with large and small y coordinates and both signs pass, for what they are."""
    public = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)).public_key()
    assert keys.load_multikey(_multikey(public.public_bytes_raw())).pem() == PublicKey("ed25519", public).pem()


@pytest.mark.parametrize(
    "text",
    [
        _multikey(bytes(range(1, 32))),
        _multikey(bytes(range(1, 34))),
        _multikey(b""),
        _multikey(bytes(range(32)), b"\xec\x01"),
        _multikey(b"not der", keys.RSA_PREFIX),
        _multikey(_pkcs1(_rsa(1024)), keys.RSA_PREFIX),
        ED25519.public.multikey()[1:],
        "u" + ED25519.public.multikey()[1:],
        ED25519.public.multikey() + "0",
        ED25519.public.multikey().replace("M", "l"),
        ED25519.public.multikey() + " ",
        "z",
        "",
        "z" + "2" * 8192,
        None,
        5,
        b"z6Mk",
        ["z6Mk"],
    ],
)
def test_what_is_no_multikey_is_refused(text: object) -> None:
    """Short, long, foreign, weak or unreadable multikeys are WeakKey, never another exception."""
    with pytest.raises(WeakKey):
        keys.load_multikey(text)


def test_a_multikey_of_another_kind_of_key_is_refused() -> None:
    """The RSA prefix in front of an elliptic curve key is no RSA key."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(WeakKey):
        keys.load_multikey(_multikey(der, keys.RSA_PREFIX))


def test_an_rsa_multikey_is_read() -> None:
    """A Multikey with an RSA key in PKCS #1 is that key."""
    key = RSA.public.key
    assert isinstance(key, rsa.RSAPublicKey)
    written = _multikey(_pkcs1(key), bytes([0x85, 0x24]))
    assert written.startswith("z4MX")  # as every did:key of an RSA key does
    found = keys.load_multikey(written)
    assert (found.kind, found.pem()) == ("rsa", RSA.public.pem())


@pytest.mark.parametrize(
    ("bits", "exponent", "taken"),
    [
        (512, 65537, False),
        (1024, 65537, False),
        (2047, 65537, False),
        (2048, 65537, True),
        (2048, 3, False),
        (2048, 17, False),
        (2048, 65535, False),
        (2048, 65539, True),
        (2048, 65541, True),
        (3072, 65537, True),
        (4096, 65537, True),
        (8192, 65537, True),
        (8193, 65537, False),
        (16384, 65537, False),
    ],
)
def test_rsa_keys_have_a_sane_size_and_exponent(bits: int, exponent: int, *, taken: bool) -> None:
    """2048 to 8192 bits with an exponent of at least 65537 pass, everything else is weak."""
    key = _rsa(bits, exponent)
    for pem in (_spki(key), _pem(_pkcs1(key), "RSA PUBLIC KEY")):
        if taken:
            assert keys.load_public_pem(pem).kind == "rsa"
        else:
            with pytest.raises(WeakKey):
                keys.load_public_pem(pem)


@pytest.mark.parametrize(
    "pem",
    [
        RSA.public.pem() + OTHER_RSA.public.pem(),
        RSA.public.pem() + RSA.public.pem(),
        RSA.public.pem() + "x",
        "x" + RSA.public.pem(),
        RSA.public.pem() + " " * 1024 * 1024,
        "A" * 1024 * 1024,
        RSA.public.pem().replace("PUBLIC", "PRIVATE"),
        RSA.public.pem().replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC"),
        RSA.public.pem().replace("\n", "\u2003"),
        _pem(b"garbage"),
        _pem(SPKI_ED25519 + bytes(range(31))),
        _pem(b""),
        "",
        None,
        5,
        RSA.public.pem().encode(),
        [RSA.public.pem()],
    ],
)
def test_what_is_not_exactly_one_public_key_is_refused(pem: object) -> None:
    """Two blocks, a megabyte, text around, a private key or no string at all are WeakKey."""
    with pytest.raises(WeakKey):
        keys.load_public_pem(pem)


def test_white_space_around_a_pem_does_no_harm() -> None:
    """Servers pad and wrap their PEM differently, and it is the same key."""
    padded = "\r\n " + RSA.public.pem().replace("\n", "\r\n") + "\n\n"
    assert keys.load_public_pem(padded).pem() == RSA.public.pem()


@pytest.mark.parametrize(("length", "taken"), [(keys.MAX_PEM, True), (keys.MAX_PEM + 1, False)])
def test_a_pem_has_at_most_8192_characters(length: int, *, taken: bool) -> None:
    """The limit itself passes, white space included, and one character more does not."""
    assert keys.MAX_PEM == 8192
    padded = RSA.public.pem().ljust(length)
    if taken:
        assert keys.load_public_pem(padded).kind == "rsa"
    else:
        with pytest.raises(WeakKey):
            keys.load_public_pem(padded)


def test_a_p256_key_from_pem_checks() -> None:
    """A P-256 key that was read from PEM holds for what its owner signed, and for nothing else."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = keys.load_public_pem(_spki(private.public_key()))
    r, s = decode_dss_signature(private.sign(b"m", ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert public.verify("ecdsa-p256-sha256", signature, b"m")
    assert not public.verify("ecdsa-p256-sha256", signature, b"n")


def test_other_curves_and_kinds_are_refused() -> None:
    """P-256 is taken for checking; P-384 and X25519 are not keys here."""
    assert keys.load_public_pem(_spki(ec.generate_private_key(ec.SECP256R1()).public_key())).kind == "p256"
    for key in (ec.generate_private_key(ec.SECP384R1()).public_key(), x25519.X25519PrivateKey.generate().public_key()):
        with pytest.raises(WeakKey):
            keys.load_public_pem(_spki(key))


def test_the_key_decides_which_algorithms_exist() -> None:
    """A signature holds under the algorithms of its own kind of key and under no other name."""
    message = b"message"
    signed = {"rsa": RSA.sign(message), "ed25519": ED25519.sign(message)}
    public = {"rsa": RSA.public, "ed25519": ED25519.public}
    names = ["rsa-v1_5-sha256", "rsa-v1_5-sha512", "rsa-pss-sha512", "ed25519", "ecdsa-p256-sha256", "hmac-sha256", ""]
    held = {(kind, name) for kind, key in public.items() for name in names if key.verify(name, signed[kind], message)}
    assert held == {("rsa", "rsa-v1_5-sha256"), ("ed25519", "ed25519")}


def test_every_rsa_algorithm_of_the_table_checks() -> None:
    """SHA-512 in both paddings holds where it was signed so, and not for another message."""
    key = RSA.key
    assert isinstance(key, rsa.RSAPrivateKey)
    pss = key.sign(b"m", padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
    old = key.sign(b"m", padding.PKCS1v15(), hashes.SHA512())
    for name, signature in (("rsa-pss-sha512", pss), ("rsa-v1_5-sha512", old)):
        assert RSA.public.verify(name, signature, b"m")
        assert not RSA.public.verify(name, signature, b"n")


def test_an_ecdsa_signature_is_exactly_64_bytes() -> None:
    """A P-256 signature holds as r and s of 32 bytes each, and in no padded or shortened form."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = PublicKey("p256", private.public_key())
    r, s = decode_dss_signature(private.sign(b"m", ec.ECDSA(hashes.SHA256())))
    assert public.verify("ecdsa-p256-sha256", r.to_bytes(32, "big") + s.to_bytes(32, "big"), b"m")
    padded = [r.to_bytes(size, "big") + s.to_bytes(size, "big") for size in (33, 40, 512)]
    padded.append(r.to_bytes(32, "big") + s.to_bytes(33, "big"))
    for signature in [*padded, b"", b"\0", bytes(63), bytes(64), bytes(65)]:
        assert not public.verify("ecdsa-p256-sha256", signature, b"m")


def test_an_ed25519_signature_is_not_malleable() -> None:
    """The same signature with S + L does not hold."""
    signature = ED25519.sign(b"m")
    s = int.from_bytes(signature[32:], "little")
    assert ED25519.public.verify("ed25519", signature, b"m")
    assert not ED25519.public.verify("ed25519", signature[:32] + (s + ORDER).to_bytes(32, "little"), b"m")


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_new_key_signs_and_reads_back(kind: str) -> None:
    """A generated key has its kind, its public PEM loads, and its wrapped form opens to the same key."""
    key = keys.generate(kind)
    secret = os.urandom(32)
    opened = keys.unwrap(kind, key.wrapped(secret), secret)
    assert key.kind == opened.kind == keys.load_public_pem(key.public.pem()).kind == kind
    assert keys.load_public_pem(key.public.pem()).verify(keys.DEFAULT_ALGORITHM[kind], opened.sign(b"m"), b"m")


def test_a_wrapped_key_needs_its_secret_and_its_kind() -> None:
    """Another secret, another kind or one changed byte is a StoreError."""
    secret = bytes(32)
    wrapped = ED25519.wrapped(secret)
    damaged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for kind, content, key in (("ed25519", wrapped, b"1" * 32), ("rsa", wrapped, secret), ("ed25519", damaged, secret)):
        with pytest.raises(StoreError):
            keys.unwrap(kind, content, key)
    assert ED25519.wrapped(secret) != wrapped


def test_a_wrapped_key_of_an_unknown_kind_is_refused() -> None:
    """A key that is neither RSA nor Ed25519 does not come out of the store."""
    encoded = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wrapped = bytes(12) + AESGCM(bytes(32)).encrypt(bytes(12), encoded, b"rsa")
    with pytest.raises(StoreError, match="unknown kind"):
        keys.unwrap("rsa", wrapped, bytes(32))


def test_a_private_pem_is_rsa_or_ed25519() -> None:
    """Private PEM of the two kinds loads, another kind is refused."""
    for key in (RSA, ED25519):
        pem = key.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        assert (keys.load_private_pem(pem).kind, keys.load_private_pem(pem).public.pem()) == (
            key.kind,
            key.public.pem(),
        )
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(WeakKey):
        keys.load_private_pem(pem)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "1"),
        (b"\0\0\x01", "112"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_base58_is_the_published_one(data: bytes, text: str) -> None:
    """The vectors of the base58 draft encode and decode."""
    assert keys.base58_encode(data) == text
    assert keys.base58_decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "2 ", "é", "２", "+"])
def test_base58_has_no_look_alikes(text: str) -> None:
    """Characters outside the alphabet are refused."""
    with pytest.raises(WeakKey):
        keys.base58_decode(text)


def test_base58_longer_than_any_key_is_not_read() -> None:
    """What no key or signature is as long as is refused unread: reading takes the square of its length."""
    assert keys.base58_decode("z" * keys.MAX_BASE58)
    with pytest.raises(WeakKey, match="characters"):
        keys.base58_decode("z" * (keys.MAX_BASE58 + 1))

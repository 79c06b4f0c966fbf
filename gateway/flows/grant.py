"""Who may act for an account: bearer tokens, one-time sign-in links, and what an app is given (OAuth 2.1).

Every secret is 32 random bytes, returned once and kept as its SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.store.accounts import Token
from gateway.store.apps import App, Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

READ, WRITE, SESSION = "read", "write", "session"
SCOPES: Mapping[str, str] = {
    READ: "read inbox, outbox and collections; look documents up",
    WRITE: "publish, edit, delete, follow, and upload files",
}
CODE_LIFE = timedelta(minutes=5)
SIGN_IN_LIFE = timedelta(minutes=10)
SESSION_LIFE = timedelta(days=30)
SESSION_IDLE = timedelta(days=14)  # a browser that nobody came back to
MAX_WAITING_APPS = 1_000  # anybody may register


def hash_secret(secret: str) -> str:
    """Return how a secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    kit: Kit, account: Account, label: str, scopes: Sequence[str] = tuple(SCOPES), client: str | None = None
) -> tuple[Token, str]:
    """Make a token; its secret is returned here and never again."""
    secret = f"gw_{secrets.token_urlsafe(32)}"
    token = Token(
        id=kit.tids.next(), account=account.id, label=label, created=kit.clock.now(), last_used=None, revoked=None,
        scopes=tuple(scopes), client=client,
    )  # fmt: skip
    kit.store.accounts.save_token(token, hash_secret(secret))
    return token, secret


def token_behind(kit: Kit, secret: str) -> Token | None:
    """Return the living token of a secret and note its use; None for unknown, revoked and outdated ones.

    Looked up by hash, so that the comparison's timing says nothing about a secret.
    """
    now = kit.clock.now()
    token = kit.store.accounts.token_by_hash(hash_secret(secret), now, unused_since=(SESSION, now - SESSION_IDLE))
    if token is None or (SESSION in token.scopes and now - token.created > SESSION_LIFE):
        return None
    account = kit.store.accounts.by_id(token.account)
    return token if account is not None and account.deleted is None else None


def sign_in_link(kit: Kit, account: Account) -> tuple[str, datetime]:
    """Return an address that signs a browser in as ``account``, once, and until when."""
    secret = secrets.token_urlsafe(32)
    expires = kit.clock.now() + SIGN_IN_LIFE
    kit.store.apps.save_sign_in(hash_secret(secret), account.id, expires)
    return f"{kit.base}/sign-in?code={secret}", expires


def sign_in(kit: Kit, secret: str) -> tuple[Account, str] | None:
    """Use a sign-in code up; return the account and the secret of a new session, or None."""
    with kit.store.transaction():
        who = kit.store.apps.use_sign_in(hash_secret(secret), kit.clock.now())
        account = kit.store.accounts.by_id(who) if who is not None else None
        if account is None or account.deleted is not None:
            return None
        return account, create_token(kit, account, "browser", (SESSION,))[1]


def register(
    kit: Kit, name: str, website: str, redirect_uris: Sequence[str], scopes: Sequence[str], *, confidential: bool
) -> tuple[App, str | None]:
    """Register an app (RFC 7591); return it with its secret, if it can keep one.

    When too many wait for their first user, the one that waits longest goes.
    """
    if kit.store.apps.count_unused() >= MAX_WAITING_APPS:
        kit.store.apps.forget_longest_waiting()
    secret = secrets.token_urlsafe(32) if confidential else None
    app = App(
        id=f"app_{secrets.token_urlsafe(16)}", secret_hash=hash_secret(secret) if secret is not None else None,
        name=name, website=website, redirect_uris=tuple(redirect_uris), scopes=tuple(scopes), created=kit.clock.now(),
    )  # fmt: skip
    kit.store.apps.save(app)
    return app, secret


def give_code(
    kit: Kit, app: App, account: Account, *, redirect_uri: str, scopes: Sequence[str], challenge: str
) -> str:  # fmt: skip
    """Return an authorization code, bound to the app, its address and its PKCE challenge."""
    secret = secrets.token_urlsafe(32)
    kit.store.apps.save_code(
        Code(
            hash=hash_secret(secret), client=app.id, account=account.id, redirect_uri=redirect_uri,
            scopes=tuple(scopes), challenge=challenge, expires=kit.clock.now() + CODE_LIFE,
        )
    )  # fmt: skip
    return secret


def exchange(kit: Kit, app: App, secret: str, *, redirect_uri: str, verifier: str) -> tuple[Token, str] | None:
    """Exchange a code for a token, once; None when anything about it is wrong.

    A code that comes twice was stolen from somebody: the token it gave is revoked (OAuth 2.1, section 4.1.3).
    """
    code, now = kit.store.apps.code(hash_secret(secret)), kit.clock.now()
    if code is None or code.client != app.id:
        return None
    if code.used is not None:
        kit.store.accounts.revoke_token(code.token or "", now)
        return None
    account = kit.store.accounts.by_id(code.account)
    fits = hmac.compare_digest(challenge_of(verifier), code.challenge) and redirect_uri == code.redirect_uri
    if not fits or code.expires <= now or account is None or account.deleted is not None:
        return None
    with kit.store.transaction():
        token, given = create_token(kit, account, app.name, code.scopes, app.id)
        kit.store.apps.use_code(code.hash, token.id, now)
    return token, given


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()

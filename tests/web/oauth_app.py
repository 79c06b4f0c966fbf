"""An app as its developer wrote it: registers, asks for consent, exchanges codes, posts and revokes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from peers.plain import ACTIVITY_JSON
from web.asking import Answer, ask

from gateway.flows import grant

if TYPE_CHECKING:
    from web.conftest import Site

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CALLBACK = "https://app.example/cb"
LOOPBACK = "http://127.0.0.1/cb"
VERIFIER = "v" * 43
NOTE = {"type": "Note", "content": "<p>from an app</p>"}
SAME = {"sec-fetch-site": "same-origin"}


async def send_form(site: Site, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
    """Submit a form as a browser on our own page does, or with other headers."""
    lines = {"content-type": FORM, **(SAME if headers is None else headers)}
    return await ask(site.app, "POST", path, lines.items(), urlencode(fields).encode())


async def register(site: Site, **metadata: Any) -> Answer:
    """Ask to register an app, whatever its metadata."""
    document = {"redirect_uris": [CALLBACK], "client_name": "An app", **metadata}
    return await ask(site.app, "POST", "/oauth/register", [("content-type", JSON)], json.dumps(document).encode())


@dataclass(slots=True, kw_only=True)
class App:
    """A registered app as its developer wrote it."""

    site: Site
    client_id: str
    secret: str = ""
    redirect_uri: str = CALLBACK

    def request(self, **changes: str | None) -> dict[str, str]:
        """Return the fields of an authorization request; None leaves one out."""
        fields = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "state": "s&=1",
            "scope": "read write", "code_challenge": grant.challenge_of(VERIFIER), "code_challenge_method": "S256",
            **changes,
        }  # fmt: skip
        return {name: value for name, value in fields.items() if value is not None}

    async def asks(self, accept_language: str = "en", cookie: str = "", **changes: Any) -> Answer:
        """Send a browser to the consent page."""
        target = f"/oauth/authorize?{urlencode(self.request(**changes))}"
        return await self.site.get(target, accept_language=accept_language, **({"cookie": cookie} if cookie else {}))

    async def allowed(self, decision: str = "allow", code: str | None = None, **changes: Any) -> Answer:
        """Let Alice decide, signing in on the way with a new link or with ``code``."""
        link = grant.sign_in_link(self.site.kit, self.site.alice)[0] if code is None else code
        return await send_form(
            self.site, "/oauth/authorize", {**self.request(**changes), "decision": decision, "code": link}
        )

    async def code(self, **changes: Any) -> str:
        """Return an authorization code of Alice's."""
        return learned(await self.allowed(**changes))["code"]

    async def exchange(self, code: str, /, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
        """Exchange a code for a token."""
        fields = {
            "grant_type": "authorization_code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "code": code, "code_verifier": VERIFIER, "client_secret": self.secret or None, **changes,
        }  # fmt: skip
        return await send_form(
            self.site, "/oauth/token", {name: v for name, v in fields.items() if v is not None}, headers or {}
        )

    async def token(self, **changes: Any) -> str:
        """Return a token of Alice's."""
        answer = await self.exchange(await self.code(**changes))
        assert answer.status == 200, answer.text
        return str(answer.json["access_token"])

    async def revoke(self, token: str, **changes: str) -> Answer:
        """Revoke a token."""
        fields = {"client_id": self.client_id, "token": token, "client_secret": self.secret, **changes}
        return await send_form(self.site, "/oauth/revoke", fields, {})


def learned(answer: Answer, uri: str = CALLBACK) -> dict[str, str]:
    """Return what an app learns from the redirect to it, after checking where that goes."""
    assert answer.status == 303, answer.text
    location = answer.header("location")
    assert location.startswith(f"{uri}?")
    assert answer.header("cache-control") == "no-store"
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}


def refused_with(answer: Answer, status: int, code: str) -> None:
    """Check that an app is refused with a code of its standard, and why, and that nobody caches it."""
    assert (answer.status, answer.json["error"]) == (status, code)
    assert answer.json["error_description"]
    assert answer.header("cache-control") == "no-store"


async def app_at(site: Site, **metadata: Any) -> App:
    """Register an app; return it."""
    answer = await register(site, **metadata)
    assert answer.status == 201, answer.text
    made = answer.json
    return App(
        site=site,
        client_id=made["client_id"],
        secret=made.get("client_secret", ""),
        redirect_uri=made["redirect_uris"][0],
    )


async def publish(site: Site, token: str) -> Answer:
    """Post a note with a token."""
    headers = [("content-type", ACTIVITY_JSON), ("authorization", f"Bearer {token}")]
    return await ask(site.app, "POST", "/users/alice/outbox", headers, json.dumps(NOTE).encode())

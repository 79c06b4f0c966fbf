"""A small S3-compatible store over loopback that checks every signature (AWS Signature Version 4) for itself."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS, SECRET, REGION = "AKIATEST", "s3cret+key/with=signs", "eu-test-1"
SERVICE = "s3"


@dataclass(slots=True)
class S3:
    """What the store holds and was asked; ``broken`` is a status that it answers everything with."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: int = 0

    @property
    def endpoint(self) -> str:
        """Return its origin."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **changes: str) -> dict[str, str]:
        """Return the settings of a gateway that uses the bucket ``media``."""
        return {
            "media_bucket": "media", "media_endpoint": self.endpoint, "media_region": REGION,
            "media_access_key": ACCESS, "media_secret_key": SECRET, **changes,
        }  # fmt: skip


def _signature(method: str, target: str, headers: dict[str, str], signed: str, body_hash: str) -> str:
    """Return what a request that we got must be signed with (AWS documentation, "Create a signed request")."""
    parts = urlsplit(target)
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in parse_qsl(parts.query, True))
    canonical = "\n".join(
        [
            method, quote(unquote(parts.path), safe="/-_.~"), "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")), "", signed, body_hash,
        ]
    )  # fmt: skip
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{REGION}/{SERVICE}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _handler(store: S3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _is_signed(self, body: bytes) -> bool:
            given = self.headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ")
            fields = dict(part.strip().partition("=")[::2] for part in given.split(","))
            headers = {name.lower(): value for name, value in self.headers.items()}
            claimed = headers.get("x-amz-content-sha256", "")
            if claimed not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
                return False
            if not fields.get("Credential", "").startswith(f"{ACCESS}/"):
                return False
            right = _signature(self.command, self.path, headers, fields["SignedHeaders"], claimed)
            return hmac.compare_digest(right, fields["Signature"])

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            store.asked.append((self.command, self.path))
            key = unquote(urlsplit(self.path).path).removeprefix("/media/")
            if store.broken:
                self._answer(store.broken)
            elif not self._is_signed(body):
                self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
            elif self.command == "PUT":
                store.objects[key] = body
                self._answer(200, etag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
            elif self.command == "POST" and urlsplit(self.path).query == "delete":
                named = re.findall(rb"<Key>([^<]+)</Key>", body)
                for each in named:
                    store.objects.pop(each.decode(), None)
                gone = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % each for each in named)
                self._answer(200, b"<DeleteResult>%s</DeleteResult>" % gone)
            elif key not in store.objects:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            else:
                found = store.objects[key]
                etag = hashlib.md5(found, usedforsecurity=False).hexdigest()
                self._answer(200, found, etag=f'"{etag}"', last_modified="Sun, 29 Nov 2026 12:00:00 GMT")

        do_GET = do_PUT = do_POST = do_HEAD = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def s3() -> Iterator[S3]:
    """Serve an empty store."""
    store = S3()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

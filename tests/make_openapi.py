"""Writes schemas/openapi.json anew from the route table (``make schemas``); a test holds it to today's."""

from __future__ import annotations

import json

from gateway.runtime import schemas_directory
from gateway.web import app, openapi

BASE = "https://gw.example"

if __name__ == "__main__":
    text = json.dumps(openapi.document(app.ROUTES, BASE), indent=2, ensure_ascii=False)
    (schemas_directory() / "openapi.json").write_text(f"{text}\n", "utf-8")

"""The only way out."""

from __future__ import annotations

import ast
from pathlib import Path

import gateway

DOORS = ("net/", "cli/serve.py")
WAYS_OUT = ("socket", "httpx", "httpcore", "aiohttp", "urllib.request", "http.client", "requests", "urllib3", "ftplib",
            "smtplib", "telnetlib", "xmlrpc.client", "anyio", "asyncio.streams", "ssl")  # fmt: skip
CALLS = frozenset({"open_connection", "create_connection", "sock_connect", "open_unix_connection", "urlopen"})
ROOT = Path(gateway.__file__).parent


def imported(tree: ast.AST) -> set[str]:
    """Return every module that a file imports at run time (type checking aside), at any depth."""
    types_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in types_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_nothing_but_net_reaches_the_network() -> None:
    """No module outside net (and the listener) imports anything that could open a connection, or opens one."""
    offenders = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(DOORS):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        ways = {module for module in imported(tree) if any(module == w or module.startswith(f"{w}.") for w in WAYS_OUT)}
        ways |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in CALLS}
        ways |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__import__"}
        offenders += [(name, way) for way in ways]
    assert offenders == []


def test_the_doors_are_where_they_are_said_to_be() -> None:
    """The scan sees imports where there are some: a door without one would mean that it is blind."""
    seen = {
        name: imported(ast.parse((ROOT / name).read_text("utf-8")))
        for name in ("net/guard.py", "net/client.py", "cli/serve.py")
    }
    assert {"socket", "httpcore"} <= seen["net/guard.py"]
    assert "httpx" in seen["net/client.py"]
    assert "socket" in seen["cli/serve.py"]

"""The table of entry points is whole, its entries lead out, and there is no other way.

``test_ssrf.py`` shows that nothing forbidden is contacted; here is why that means something.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS, EntryPoint
from attacks.internet import PUBLIC_4, SECRET
from attacks.ssrf_vectors import turning

import gateway
from gateway.errors import AddressRefused
from gateway.net import guard
from gateway.net.client import Answer
from gateway.net.purpose import PURPOSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
ROOT = Path(gateway.__file__).parent
NO_WAY_ON = {"delivery_redirect"}  # where nothing is followed, guard or not


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of a client's get and send in the gateway: of ``kit.client`` or whatever is called so."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on = ast.unparse(node.func.value)
            if node.func.attr in ("get", "send") and on.rpartition(".")[2] in ("client", "_client"):
                yield path.relative_to(ROOT).as_posix(), node


def test_every_request_has_a_purpose() -> None:
    """Whoever asks another server names a row of the table, or was handed one."""
    rows = {name for name in vars(gateway.net.purpose) if name.isupper() and name[0] != "_"} - {"PURPOSES", "MIB"}
    assert rows == {purpose.name.upper() for purpose in PURPOSES}
    found = list(calls())
    assert {name for name, _ in found} >= {"flows/fetch.py", "flows/deliver.py", "flows/surface.py"}  # the scan sees
    for name, call in found:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("purpose", "").rpartition(".")[2] in rows | {"purpose"}, f"{name}:{call.lineno}"


def test_a_client_is_used_by_its_two_verbs_alone() -> None:
    """Nothing outside of net has a client besides the kit's, or asks it for anything but get, send and close."""
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("net/"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("kit.client")
        }
        assert used <= {"get", "send", "close"}, name
        made = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).endswith("Client")]
        assert made == [] or name == "runtime.py", name


def test_every_purpose_has_an_entry_point() -> None:
    """No row of the gateway's table of ways out is without a way in (that each is used, the control cases show)."""
    assert {purpose.name for entry in ENTRY_POINTS.values() for purpose in entry.purposes} == {p.name for p in PURPOSES}


@pytest.mark.anyio
@pytest.mark.parametrize("entry", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
async def test_without_the_guard_every_entry_point_leads_inside(
    entry: EntryPoint, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every address permitted, the same attempts reach the machine inside: the guard is what stops them."""
    monkeypatch.setattr(guard.AddressPolicy, "permits", lambda *_: True)
    reached = []
    for answers in ([["10.0.0.1"]], [[PUBLIC_4], ["10.0.0.1"]], [[PUBLIC_4], [PUBLIC_4], ["10.0.0.1"]]):
        scene.start_again()
        scene.internet.names["evil.example"] = turning(*answers)
        await entry.attempt(scene, "http://evil.example/x")
        reached += scene.internet.inside
    assert bool(reached) == (entry.name not in NO_WAY_ON)


@pytest.mark.anyio
async def test_the_machine_inside_answers_whoever_gets_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway without its guard would read the secret; with it, it does not."""
    refused = await scene.get("http://10.0.0.1/")
    assert isinstance(refused, AddressRefused)
    assert scene.internet.inside == []
    monkeypatch.setattr(guard.AddressPolicy, "permits", lambda *_: True)
    answer = await scene.get("http://10.0.0.1/")
    assert isinstance(answer, Answer)
    assert answer.body == SECRET
    assert scene.internet.forbidden() == [("10.0.0.1", 80)]

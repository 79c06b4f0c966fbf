"""Every regular expression of the gateway against long strings made from itself: none takes more than 50 ms of CPU."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks.web_scene import Case, cases
from starlette.routing import Mount, Route

import gateway
from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    Pattern = re.Pattern[Any]

pytestmark = pytest.mark.anyio

LENGTH = 10_000
CPU_SECONDS = 0.05
GIVE_UP_SECONDS = 2.0
ROOT = Path(gateway.__file__).parent
FUNCTIONS = frozenset({"compile", "match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn"})
ALL_WAYS = frozenset({"match", "fullmatch", "search"})
# Expressions that are put together while the gateway runs: what they are made of, as an example.
DYNAMIC = {
    "flows/surface.py": (r"https://gw\.example/posts/([2-7a-z]{13})", "findall"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """An expression, where it stands and how it is asked."""

    where: str
    pattern: Pattern
    ways: frozenset[str]


def _modules() -> list[tuple[str, Any, ast.Module]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(("gateway", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        if not name.endswith("__main__"):
            found.append((name, importlib.import_module(name), ast.parse(path.read_text("utf-8"))))
    return found


def _named(tree: ast.Module, name: str) -> frozenset[str]:
    """Return the methods by which a module asks one of its own expressions."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    ways = {
        call.attr
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == name
    }
    return frozenset(ways & FUNCTIONS) or ALL_WAYS


def _inside(value: object, depth: int = 3) -> Iterator[Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        yield from itertools.chain.from_iterable(_inside(one, depth - 1) for one in (*value, *value.values()))
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        yield from itertools.chain.from_iterable(_inside(one, depth - 1) for one in value)


def _called(module: Any, tree: ast.Module, path: str) -> Iterator[Found]:
    """Yield the expressions that are written into a call of ``re``."""
    for node in ast.walk(tree):
        call = node.func if isinstance(node, ast.Call) else None
        if not (isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "re"):
            continue
        assert isinstance(node, ast.Call)
        if call.attr not in FUNCTIONS:
            continue
        where = f"{path}:{node.lineno}"
        try:
            text = eval(compile(ast.Expression(node.args[0]), where, "eval"), dict(vars(module)))  # noqa: S307 - our own code
        except NameError:
            text, way = DYNAMIC[path]
            assert way == call.attr, where
        flags = [ast.unparse(part) for part in (*node.args[1:], *(key.value for key in node.keywords))]
        chosen = sum({getattr(re, flag[3:]) for flag in flags if re.fullmatch(r"re\.[A-Z]+", flag)})
        if call.attr != "compile":
            yield Found(where, re.compile(text, chosen), frozenset({call.attr.removesuffix("n")}))


@cache
def expressions() -> list[Found]:
    """Return every expression of the gateway: globals, calls of ``re``, and the addresses of the route table."""
    routes = [route for route in ROUTES if isinstance(route, (Route, Mount))]
    assert len(routes) == len(ROUTES)
    found = [Found(f"route {route.path}", route.path_regex, frozenset({"match"})) for route in routes]
    compiled = 0
    for name, module, tree in _modules():
        path = name.removeprefix("gateway.").replace(".", "/") + ".py"
        found += _called(module, tree, path)
        for known, value in vars(module).items():
            for pattern in _inside(value):
                found.append(Found(f"{path} {known}", pattern, _named(tree, known)))
        compiled += ast.unparse(tree).count("re.compile(")
    own = {found.pattern.pattern for found in found if " " in found.where}
    assert len(own) >= compiled, "an expression is compiled where nobody finds it"
    return list({(one.pattern, one.ways, one.where): one for one in found}.values())


def _characters(item: list[tuple[Any, Any]]) -> list[str]:
    """Return a few characters of a set."""
    matcher = [str(kind) for kind, _ in item]
    if "NEGATE" in matcher:
        return ["a", " ", "<"]
    found: list[str] = []
    for kind, value in item:
        if str(kind) == "LITERAL":
            found.append(chr(value))
        elif str(kind) == "RANGE":
            found.append(chr(value[0]))
        else:
            found.append({"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "1", "CATEGORY_NOT_SPACE": "a"}.get(str(value), "a"))
    return found[:3]


def samples(parsed: Any) -> list[str]:
    """Return a few strings that match a parsed expression, or nearly."""
    made = [""]
    for kind, value in parsed:
        made = [start + end for start in made for end in _sample(str(kind), value)][:6]
    return made


def _sample(kind: str, value: Any) -> list[str]:
    if kind == "LITERAL":
        return [chr(value)]
    if kind in ("NOT_LITERAL", "ANY"):
        return ["a" if kind == "ANY" or value != ord("a") else "b"]
    if kind == "IN":
        return _characters(value)
    if kind == "BRANCH":
        return [one for branch in value[1] for one in samples(branch)[:2]]
    if kind == "SUBPATTERN":
        return samples(value[3])
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, _, inner = value
        return [one * max(least, 1) for one in samples(inner)]
    if kind == "ATOMIC_GROUP":
        return samples(value)
    return [""]


def _parts(kind: str, value: Any) -> list[Any]:
    """Return the expressions inside a piece of one."""
    if kind.endswith("_REPEAT"):
        return [value[2]]
    if kind == "BRANCH":
        return list(value[1])
    return [value[3]] if kind == "SUBPATTERN" else [value] if kind == "ATOMIC_GROUP" else []


def repeated(parsed: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield what is repeated in an expression, with what has to stand before it."""
    for kind, value in parsed:
        name = str(kind)
        if name.endswith("_REPEAT"):
            yield from ((before, one) for one in samples(value[2]) if one)
        for one in _parts(name, value):
            yield from repeated(one, before)
        before += _sample(name, value)[0]


def probes(pattern: Pattern) -> list[str]:
    """Return long strings that a careless expression takes long to refuse."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    parsed = importlib.import_module("re._parser").parse(text, flags)
    whole = [one for one in samples(parsed) if one]
    pieces = {*" \t\na1A<>\"'\\/:;,=.-@#&%[](){}|_+*?!\0\u00e9", *(one for one in text if ord(one) < 0x100), *whole}
    pieces |= {one[:-1] for one in whole} | {one[1:] for one in whole}
    loops = list(repeated(parsed))
    pieces |= {one for _, one in loops} | {first + second for (_, first), (_, second) in itertools.pairwise(loops)}
    starts = {"", *(before for before, _ in loops), *whole}
    made = {start + piece * (LENGTH // len(piece)) for start in starts for piece in pieces if piece}
    return sorted({one[:LENGTH] + end for one in made for end in ("", "\n!", "\0")})


@contextmanager
def bounded() -> Iterator[None]:
    """Stop what takes too much CPU: an expression without end must not stop the tests."""

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, GIVE_UP_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def asked(pattern: Pattern, way: str, given: Any) -> None:
    """Ask an expression once."""
    if way == "sub":
        pattern.sub(given[:0], given)
    elif way == "finditer":
        list(pattern.finditer(given))
    else:
        getattr(pattern, way)(given)


def cost(pattern: Pattern, way: str, probe: str) -> float:
    """Return the seconds of CPU that one question takes; the least of three when it looks like too much."""
    given = probe.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else probe
    best = GIVE_UP_SECONDS
    for _again in range(3):
        began = time.process_time()
        try:
            with bounded():
                asked(pattern, way, given)
        except TimeoutError:
            return GIVE_UP_SECONDS
        best = min(best, time.process_time() - began)
        if best <= CPU_SECONDS:
            break
    return best


def slowest(found: Found, seconds: float = CPU_SECONDS) -> tuple[str, str, float] | None:
    """Return the first question that takes an expression longer: how, with what, how many seconds."""
    for way, probe in itertools.product(sorted(found.ways), probes(found.pattern)):
        spent = cost(found.pattern, way, probe)
        if spent > seconds:
            return way, probe[:40], spent
    return None


@pytest.mark.parametrize("found", expressions(), ids=lambda one: one.where)
@cases("WEB-XSS-025")
def test_no_expression_runs_away(case: Case, found: Found) -> None:
    """Ten thousand characters made from an expression's own pieces are answered within 50 ms of CPU."""
    assert slowest(found) is None
    case.proves("each_ms_le:50")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (r"\s+$", "search"),
        (r"a*b?a*x", "match"),
        (r"(a|a)*b", "match"),
        (r"(\w+\s?)+:", "match"),
        (r"<[^>]*>", "findall"),
    ],
)
def test_the_probes_find_a_runaway(text: str, way: str) -> None:
    """Expressions known to be slow are caught, on a fast machine too, and those that never end."""
    assert slowest(Found("here", re.compile(text), frozenset({way})), CPU_SECONDS / 10) is not None


def test_expressions_are_found_wherever_they_stand() -> None:
    """Globals, calls and routes are all looked at."""
    where = {one.where for one in expressions()}
    for known in ("activitypub/sanitise.py _WORD", "jsonld/strict.py _STRING", "urls.py _LABEL", "route /@{name}.atom"):
        assert known in where
    assert any(one.startswith("activitypub/sanitise.py:") for one in where)
    assert len(where) > 80

"""The rooms whose tests are tested, in four groups: their files and the tests that must notice a change."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WANTED = 80  # per cent of the mutants, in every group
ORIGINS = ("gateway/urls.py", "gateway/signatures/owner.py", "gateway/activitypub/understand.py")
_PATTERNS = {
    "preferences": ("gateway/preferences/*.py",),
    "origins": ORIGINS,
    "guard": ("gateway/net/guard.py",),
    "signatures": ("gateway/signatures/*.py",),
}
_TESTS = {
    "preferences": ("tests/preferences",),
    "origins": ("tests/test_urls.py", "tests/signatures/test_owner.py", "tests/activitypub/test_understand.py"),
    "guard": ("tests/net/test_guard.py",),
    "signatures": ("tests/signatures",),
}
GROUPS = tuple(_PATTERNS)


def files(group: str) -> list[str]:
    """Return the files of a group, relative to the root; every file is in one group."""
    found = sorted(str(path.relative_to(ROOT)) for pattern in _PATTERNS[group] for path in ROOT.glob(pattern))
    return [path for path in found if group == "origins" or path not in ORIGINS]


def tests(group: str, path: str) -> list[str]:
    """Return the tests for a file: first those that mirror it, then all of its group."""
    parts = Path(path).with_suffix("").parts[1:]
    mirror = "/".join(("tests", *parts[:-1], f"test_{parts[-1]}.py"))
    others = (str(found.relative_to(ROOT)) for place in _TESTS[group] for found in sorted(_modules(ROOT / place)))
    return list(dict.fromkeys([mirror, *others] if (ROOT / mirror).exists() else others))


def _modules(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.glob("test_*.py"))

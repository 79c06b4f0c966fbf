"""The mutants that we make ourselves: what is changed, and that nothing is left changed."""

from __future__ import annotations

from typing import Any

import pytest
from mutation import cuts, groups

SOURCE = '''
"""Words."""
from __future__ import annotations

LIMIT = 5
NETWORKS = ("10.0.0.0/8",)
NAMES = {"a", "b"}

def plain(x: int) -> bool:
    """More words."""
    if x > LIMIT:
        raise ValueError("too much")
    print(x)
    return x > 1 and "word" in NAMES

class Thing:
    @property
    def size(self) -> int:
        return 7
'''


def _all(source: str = SOURCE) -> list[cuts.Mutant]:
    return list(cuts.mutants(source, "thing.py"))


def _loaded(mutant: cuts.Mutant) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(mutant.code, names)  # noqa: S102 - that is the point
    return names


def test_what_is_changed() -> None:
    """Constants and tables outside of functions change, statements go, answers turn round; words stay."""
    assert [(mutant.kind, mutant.before, mutant.after) for mutant in _all()] == [
        ("constant", "5", "6"),
        ("constant", "5", "4"),
        ("network", "'10.0.0.0/8'", "'10.0.0.0/9'"),
        ("network", "'10.0.0.0/8'", "'10.0.0.0/7'"),
        ("entry 'a' cut out", "{'a', 'b'}", "{'b'}"),
        ("entry 'b' cut out", "{'a', 'b'}", "{'a'}"),
        ("cut out", "raise ValueError('too much')", "pass"),
        ("cut out", "print(x)", "pass"),
        ("returned", "return x > 1 and 'word' in NAMES", "return not (x > 1 and 'word' in NAMES)"),
        ("returned", "return 7", "return None"),
        ("constant", "7", "8"),
        ("constant", "7", "6"),
    ]


def test_each_mutant_runs_with_its_own_change() -> None:
    """A mutant has its change and no other."""
    found = _all()
    assert [_loaded(mutant)["LIMIT"] for mutant in found] == [6, 4, *[5] * 10]
    assert [_loaded(mutant)["NAMES"] for mutant in found[4:6]] == [{"b"}, {"a"}]
    assert [_loaded(mutant)["Thing"]().size for mutant in found[-4:]] == [7, None, 8, 6]


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        '"""Only words."""',
        "if TYPE_CHECKING:\n    X = 5",
        "__all__ = ['a', 'b']",
        "class Thing:\n    '''Words.'''\n    x: int\n    __slots__ = ('a', 'b')",
        "def plain(x):\n    return None",
        "@staticmethod\ndef plain(x=1):\n    y = x + 5",
    ],
)
def test_what_says_nothing_is_left_alone(source: str) -> None:
    """Imports, words, types, and what mutmut changes make no mutants here."""
    assert _all(source) == []


def test_a_branch_is_cut_out_unless_it_only_raises() -> None:
    """A branch that does something goes as a whole; of one that raises, the raising goes."""
    found = _all("def plain(x):\n    if x:\n        y = 1\n    if not x:\n        raise ValueError")
    assert [mutant.kind for mutant in found] == ["branch cut out", "cut out"]


def test_every_room_is_in_one_group_and_has_tests() -> None:
    """No file is counted twice, every file is there, and the tests that mirror it come first."""
    everything = [path for group in groups.GROUPS for path in groups.files(group)]
    assert len(everything) == len(set(everything)) >= 24
    assert all((groups.ROOT / path).is_file() for path in everything)
    assert groups.tests("signatures", "gateway/signatures/cavage.py")[0] == "tests/signatures/test_cavage.py"
    assert groups.tests("origins", "gateway/urls.py")[0] == "tests/test_urls.py"
    for group in groups.GROUPS:
        for path in groups.files(group):
            assert all((groups.ROOT / test).is_file() for test in groups.tests(group, path)), path

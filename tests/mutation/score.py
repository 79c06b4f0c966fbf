"""Says how many mutants of each module died, for each group, and fails when a group has too few dead ones.

Reads what ``mutmut run`` and rest.py left in mutants/; ``--survivors`` lists those of rest.py (``mutmut results``
and ``mutmut show NAME`` do so for the others).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mutation import groups

FOLDER = groups.ROOT / "mutants"
SURVIVED = (0, 5, 33)  # mutmut's words for: every test passes, no test was found, no test runs this function


def of_mutmut(path: str) -> Counter[bool]:
    """Return how many of mutmut's mutants of a module were killed (True) and survived; those not run do not count."""
    meta = FOLDER / f"{path}.meta"
    if not meta.exists():
        return Counter()
    codes = json.loads(meta.read_text("utf-8"))["exit_code_by_key"].values()
    return Counter(code not in SURVIVED for code in codes if code is not None)


def main() -> int:
    """Print the table; return 1 when a group is below what is wanted, or was not run."""
    rest = json.loads((FOLDER / "rest.json").read_text("utf-8"))
    poor = False
    for group in groups.GROUPS:
        whole: Counter[bool] = Counter()
        for path in groups.files(group):
            found = of_mutmut(path) + Counter(row["killed"] for row in rest.get(group, ()) if row["path"] == path)
            whole += found
            if found:
                print(f"{path:42} {_figures(found)}")
        print(f"{group:42} {_figures(whole)}\n")
        poor = poor or _share(whole) < groups.WANTED
    if "--survivors" in sys.argv:
        for row in (row for rows in rest.values() for row in rows if not row["killed"]):
            print(f"{row['path']}:{row['line']}: {row['kind']}: {row['before']} -> {row['after']}")
    return int(poor)


def _share(found: Counter[bool]) -> float:
    return 100 * found[True] / max(found.total(), 1)


def _figures(found: Counter[bool]) -> str:
    return f"{found.total():5} mutants {found[True]:5} killed {_share(found):6.1f} %"


if __name__ == "__main__":
    sys.exit(main())

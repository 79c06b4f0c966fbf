"""Coverage-guided fuzzing of one target: ``python tests/fuzz/run.py NAME --runs N``.

What is found on the way goes to a folder that is thrown away (``--keep`` names one that stays), never into
the kept corpus. A failing input is made small, written into ``--failures`` and printed; then the exit code
is not 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
HANG = 20  # seconds for one input
MEMORY = 2048  # MiB


def main() -> int:
    """Run one target in a process of its own, which its engine ends without cleaning up."""
    given = _parsed()
    if given.inside is not None:
        _fuzz(given)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return subprocess.run([sys.executable, *sys.argv, "--inside", folder], check=False).returncode


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of targets.TARGETS; any other name runs what is broken on purpose")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--failures", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _fuzz(given: argparse.Namespace) -> None:
    sys.path[0] = str(TESTS)  # the folder of this file holds names that others have, too
    import atheris  # noqa: PLC0415 - not on every machine, and needed before what it watches

    with atheris.instrument_imports(include=["gateway", "http_sf", "idna"]):
        from fuzz.changes import CORPUS, MAX_LENGTH, smallest  # noqa: PLC0415
        from fuzz.targets import BROKEN, TARGETS, WORDS  # noqa: PLC0415

    target = TARGETS.get(given.name, BROKEN)

    def watched(data: bytes) -> None:
        try:
            target(data)
        except Exception:
            small = smallest(target, data)
            (given.failures / f"{given.name}.small").write_bytes(small)
            print(f"{given.name} fails on {small!r}", file=sys.stderr)
            raise

    words = given.inside / "words"
    spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS.get(given.name, (b"=",)))
    words.write_text("".join(f'"{word}"\n' for word in spelled), "ascii")
    found = given.keep or given.inside / "found"
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={given.runs}", f"-seed={given.seed}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", f"-dict={words}",
        f"-max_len={MAX_LENGTH}", f"-artifact_prefix={given.failures}/{given.name}.", "-print_final_stats=1",
        *map(str, (found, CORPUS / given.name) if given.name in TARGETS else (found,)),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], watched)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())

"""Processor time in milliseconds of one machine, so that a limit means the same on a slower or a busy one.

A limit such as "half a second of processor time" was set where ``work`` takes ``REFERENCE_SECONDS``. Where it takes
twice as long (an older processor, a neighbour on the same core) a bomb may take twice as long, too.
"""

from __future__ import annotations

import json
import re
import sys
import time

REFERENCE_SECONDS = 0.0012
# What the tracer of the coverage adds to a line of ours, and not to one of this file.
TRACED = 2.0
DOCUMENT = json.dumps([{"id": f"https://a.example/{n}", "tag": ["a", "b"], "content": "<p>é</p>"} for n in range(200)])


def milliseconds(began: float) -> float:
    """Return how much processor time went by since ``began`` (of ``time.process_time``), in that machine's ms."""
    return 1000 * (time.process_time() - began) / slowness()


def slowness() -> float:
    """Return how many times longer than there the same work takes here and now; never less than 1."""
    took = min(_took() for _ in range(3))
    return max(1.0, took / REFERENCE_SECONDS) * (TRACED if sys.gettrace() else 1.0)


def _took() -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def work() -> int:
    """Do a little of what the gateway does most: read JSON, walk through it, look for patterns, write it."""
    found = 0
    for item in json.loads(DOCUMENT):
        for name, value in item.items():
            found += len(name) + len(re.sub(r"<[^>]*>", "", value) if isinstance(value, str) else value)
    return found + len(json.dumps([found, DOCUMENT]))

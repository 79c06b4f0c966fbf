"""Looking at documents in a process that is stopped when it takes too long, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonld.loading import pinned
from processes import eventually

from gateway.flows import bounded
from gateway.flows.bounded import TOO_COMPLEX, look
from gateway.jsonld.contexts import AS2
from gateway.jsonld.requested import VIEWS

pytestmark = pytest.mark.anyio

NOTE: dict[str, Any] = {"@context": AS2, "id": "https://peer.example/1", "type": "Note", "content": "日本語"}
RING: dict[str, Any] = {
    "@context": {"p": "urn:p"},
    "@graph": [{"@id": f"_:{i}", "p": [{"@id": f"_:{j}"} for j in range(9) if j != i]} for i in range(9)],
}


def _request(document: object, *views: str) -> dict[str, Any]:
    return {"document": document, "contexts": {AS2: pinned().documents[AS2]}, "views": list(views or VIEWS)}


def _lookers() -> set[str]:
    """Return the ids of our own processes that look at documents now."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            ours = f"\nPPid:\t{os.getpid()}\n" in (path.parent / "status").read_text()
            if ours and b"gateway.flows.bounded" in path.read_bytes():
                found.add(path.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def _nobody_lives_on() -> Any:
    before = _lookers()
    yield
    assert _lookers() - before == set()


async def test_every_view_comes_back() -> None:
    """The answers of the other process are those of the same work done here."""
    found = await look(_request(NOTE))
    assert found.keys() == set(VIEWS)
    assert all("value" in view for view in found.values())
    assert found["expanded"]["value"][0][f"{AS2}#content"] == [{"@value": "日本語"}]


async def test_a_problem_is_an_answer() -> None:
    """What is no JSON-LD is told for each view."""
    found = await look(_request({**NOTE, "@context": "https://unknown.example/"}))
    assert all("loading document failed" in view["problem"] for view in found.values())


async def test_what_takes_too_long_is_stopped_and_the_rest_is_there() -> None:
    """Quick views are answered, the one without end is stopped, within a second or so."""
    started = time.monotonic()
    found = await look(_request(RING))
    assert found["nquads"] == {"problem": TOO_COMPLEX}
    assert all("value" in found[view] for view in ("expanded", "compact", "coverage"))
    assert time.monotonic() - started < 5


async def test_only_what_was_asked_for_is_answered() -> None:
    """A bomb harms nobody who does not want it canonical."""
    assert "value" in (await look(_request(RING, "expanded")))["expanded"]


async def test_a_large_answer_comes_through() -> None:
    """An answer of megabytes is one line like any other."""
    found = await look(_request({**NOTE, "content": "x" * 900_000}, "expanded"))
    assert len(json.dumps(found["expanded"])) > 900_000


async def test_whoever_stops_waiting_takes_the_process_along() -> None:
    """A cancelled look leaves nothing running."""
    before = _lookers()
    task = asyncio.create_task(look(_request(RING)))
    while not _lookers() - before:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    eventually(lambda: not _lookers() - before, "nobody looks any more")


async def test_many_at_once_do_not_disturb_each_other() -> None:
    """Bombs beside honest documents: each gets its own answer."""
    documents: list[dict[str, Any]] = [{**NOTE, "content": "one"}, RING, {**NOTE, "content": "two"}]
    found = await asyncio.gather(*(look(_request(document, "expanded", "nquads")) for document in documents))
    assert found[1]["nquads"] == {"problem": TOO_COMPLEX}
    assert [f'"{text}"' in found[index]["nquads"].get("value", "") for index, text in ((0, "one"), (2, "two"))]


async def test_a_process_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that does not start is waited for, for a while."""
    monkeypatch.setattr(bounded, "START_SECONDS", 0.05)
    found = await look(_request(NOTE, "expanded"))
    assert found == {"expanded": {"problem": TOO_COMPLEX}}


async def test_a_process_that_dies_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the other process ends early, what it did not say has a reason."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = await look(_request(NOTE, "expanded"))
    assert found["expanded"]["problem"]

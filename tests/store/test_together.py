"""Group commit: one sync for what is written at the same time, and nobody's failure is another's."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import StoreError
from gateway.store import together as module
from gateway.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
MANY = module.PATIENT // module.HEAVY


def write(store: Store, key: str, value: str = "x") -> str:
    """Write one row and return its key."""
    store.database.run("INSERT INTO meta VALUES (:key, :value)", key=key, value=value)
    return key


def keys(store: Store) -> set[str]:
    """Return the keys that are there."""
    return {row["key"] for row in store.database.rows("SELECT key FROM meta WHERE key LIKE 'k%'")}


def commits(store: Store, patch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with every commit."""
    seen: list[str] = []
    commit = store.database._commit

    def counted() -> None:
        seen.append("COMMIT")
        commit()

    patch.setattr(store.database, "_commit", counted)
    return seen


async def test_what_is_ready_shares_one_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred writers at a time are durable after one commit, each with its own value."""
    seen = commits(store, monkeypatch)
    found = await asyncio.gather(*(store.together(functools.partial(write, store, f"k{n}")) for n in range(100)))
    assert found == [f"k{n}" for n in range(100)]
    assert seen == ["COMMIT"]


async def test_it_is_durable_when_it_returns(store: Store, where: Path | str) -> None:
    """Another connection sees a row as soon as whoever wrote it is told."""
    await store.together(lambda: write(store, "k1"))
    other = Store(where)
    assert keys(other) == {"k1"}
    other.close()


async def test_a_failure_takes_back_its_own_rows_only(store: Store) -> None:
    """One that raises leaves nothing behind; those before and after it in the same commit are kept."""

    def half() -> None:
        write(store, "k half")
        raise ZeroDivisionError

    found = await asyncio.gather(
        store.together(lambda: write(store, "k1")), store.together(half), store.together(lambda: write(store, "k2")),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(one) for one in found] == [str, ZeroDivisionError, str]
    assert keys(store) == {"k1", "k2"}


async def test_a_commit_that_fails_is_everybodys(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the sync fails nobody is told that it worked, and the next ones are tried again."""

    def full() -> Any:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store.database, "transaction", full)
        found = await asyncio.gather(*(store.together(lambda: "never") for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [StoreError] * 3
    assert await store.together(lambda: write(store, "k1")) == "k1"


async def test_who_is_gone_keeps_nobody_waiting(store: Store) -> None:
    """A writer that was cancelled is written all the same, and the others hear of theirs."""
    gone = asyncio.create_task(store.together(lambda: write(store, "k1")))
    stays = asyncio.create_task(store.together(lambda: write(store, "k2")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "k2"
    assert keys(store) == {"k1", "k2"}


async def test_one_commit_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than may share a commit take several, in their order."""
    monkeypatch.setattr(module, "MOST", 10)
    seen = commits(store, monkeypatch)
    await asyncio.gather(*(store.together(functools.partial(write, store, f"k{n:02}")) for n in range(25)))
    assert seen == ["COMMIT"] * 3
    assert len(keys(store)) == 25


async def turned(store: Store, key: str, after: int) -> str:
    """Write patiently after some turns of the loop."""
    for _ in range(after):
        await asyncio.sleep(0)
    return await store.together(functools.partial(write, store, key), patient=module.HEAVY)


async def test_the_patient_gather_while_each_turn_brings_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patient writers that are ready one turn after the other share a commit, and a lone one gets its own."""
    seen = commits(store, monkeypatch)
    await asyncio.gather(*(turned(store, f"k{n}", n) for n in range(MANY)))
    assert seen == ["COMMIT"]
    assert await turned(store, "k alone", 0) == "k alone"
    assert seen == ["COMMIT"] * 2


async def test_the_patient_go_along_with_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is waited for takes patient ones along, no more than their number; the rest of them follows."""
    seen = commits(store, monkeypatch)
    many = MANY + 1
    await asyncio.gather(
        *(turned(store, f"k{n:02}", 0) for n in range(many)), store.together(functools.partial(write, store, "k"))
    )
    assert seen == ["COMMIT"] * 2
    assert len(keys(store)) == many + 1


async def test_light_ones_gather_in_greater_numbers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many more light pieces than heavy ones share a commit as they are less work."""
    seen = commits(store, monkeypatch)
    pieces = (store.together(functools.partial(write, store, f"k{n}"), patient=module.LIGHT) for n in range(100))
    await asyncio.gather(*pieces)
    assert seen == ["COMMIT"] * 2
    assert len(keys(store)) == 100


async def test_a_patient_failure_is_its_own(store: Store) -> None:
    """A patient piece that raises takes back its own rows; those that went with it are kept."""

    def half() -> None:
        write(store, "k half")
        raise ZeroDivisionError

    found = await asyncio.gather(
        turned(store, "k1", 0), store.together(half, patient=module.HEAVY), return_exceptions=True
    )
    assert [type(one) for one in found] == [str, ZeroDivisionError]
    assert keys(store) == {"k1"}


async def passing(store: Store, turns: int) -> None:
    """Be urgent for some turns of the loop."""
    with store.together.urgent():
        for _ in range(turns):
            await asyncio.sleep(0)


@pytest.mark.parametrize(("urgent", "before"), [(2, True), (50, False)])
async def test_the_patient_give_way_for_a_while(store: Store, urgent: int, *, before: bool) -> None:
    """A patient piece waits until what is urgent is over, and no longer than its turns."""
    order: list[str] = []

    async def noted(what: str, turns: int) -> None:
        await (passing(store, turns) if what == "urgent" else turned(store, "k", 0))
        order.append(what)

    await asyncio.gather(noted("urgent", urgent), noted("patient", 0))
    assert order == (["urgent", "patient"] if before else ["patient", "urgent"])


async def test_who_gives_way_gives_some_turns(store: Store) -> None:
    """Giving way is one turn of the loop when nothing is urgent, and as many as a request takes when something is."""
    loop = asyncio.get_running_loop()

    async def turns_given() -> int:
        seen = 0
        is_over = False

        def count() -> None:
            nonlocal seen
            seen += 1
            if not is_over:
                loop.call_soon(count)

        loop.call_soon(count)
        await store.together.give_way()
        is_over = True
        return seen

    assert await turns_given() == 1
    with store.together.urgent():
        assert await turns_given() == module.TURNS

"""How much waits: never said to be less than it is, and not counted for every request."""

from __future__ import annotations

from gateway.store.backlog import COUNT_AFTER, Backlog


class Queue:
    """A queue that can be counted."""

    def __init__(self) -> None:
        self.waiting = 0
        self.counts = 0

    def count(self, _key: str, most: int) -> int:
        self.counts += 1
        return min(self.waiting, most)


def admit(backlog: Backlog, queue: Queue, most: int) -> bool:
    """Let one in when there is room."""
    if backlog.is_full("x", most):
        return False
    queue.waiting += 1
    return True


def test_no_more_than_the_bound_is_let_in() -> None:
    """However it is asked, exactly as many are let in as there is room for."""
    queue = Queue()
    backlog = Backlog(queue.count)
    assert sum(admit(backlog, queue, 100) for _ in range(300)) == 100


def test_it_is_seldom_counted() -> None:
    """Far from the bound it is counted once in many requests."""
    queue = Queue()
    backlog = Backlog(queue.count)
    for _ in range(10 * COUNT_AFTER):
        assert admit(backlog, queue, 1_000_000)
    assert queue.counts <= 11


def test_what_was_done_makes_room() -> None:
    """When the queue was worked off there is room at once."""
    queue = Queue()
    backlog = Backlog(queue.count)
    while admit(backlog, queue, 50):
        pass
    queue.waiting = 0
    assert admit(backlog, queue, 50)


def test_what_others_add_is_seen() -> None:
    """What other processes let in is counted, too, after some requests."""
    queue = Queue()
    backlog = Backlog(queue.count)
    assert admit(backlog, queue, 1_000)
    queue.waiting = 1_000
    assert not all(admit(backlog, queue, 1_000) for _ in range(COUNT_AFTER + 1))


def test_it_is_bounded() -> None:
    """Only so many are remembered."""
    backlog = Backlog(Queue().count, cap=5)
    for number in range(20):
        backlog.is_full(str(number), 10)
    assert len(backlog._known) == 5

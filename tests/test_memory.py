"""A budget of memory that threads share."""

import threading
import time

import pytest

from clipfg.errors import ItemError
from clipfg.memory import MemoryBudget, in_words, machine_memory


def test_this_machine_has_memory() -> None:
    assert 1 << 28 < machine_memory() < 1 << 46


def test_threads_never_take_more_than_there_is() -> None:
    budget = MemoryBudget(10)
    most: list[int] = []

    def work(size: int) -> None:
        for _ in range(20):
            with budget.room(size):
                most.append(budget.used)
                time.sleep(0.0002)

    threads = [threading.Thread(target=work, args=(size,)) for size in (3, 4, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(most) == 80
    assert max(most) == 10
    assert budget.used == 0


def test_more_than_the_whole_is_refused_at_once() -> None:
    budget = MemoryBudget(3 << 20)
    with pytest.raises(ItemError, match=r"decoded in 3 MiB.* takes 2\.0 GiB; shrink"):
        budget.room(2 << 30).__enter__()


def test_room_is_given_back_after_an_error() -> None:
    budget = MemoryBudget(10)
    with pytest.raises(KeyError), budget.room(10):
        raise KeyError
    assert budget.used == 0
    assert in_words(512 << 20) == "512 MiB"

"""Items in order, errors where they belong, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from facelab.training import Prefetch


class _Counting:
    def __init__(self, length: int, breaks_at: int = -1) -> None:
        self.length, self.breaks_at, self.made = length, breaks_at, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.length):
            if number == self.breaks_at:
                raise OSError("disk gone")
            self.made += 1
            yield number


def test_every_item_in_order_and_again() -> None:
    batches = Prefetch(_Counting(20))
    assert list(batches) == list(range(20)) == list(batches)


def test_runs_ahead_but_not_far() -> None:
    source = _Counting(50)
    iterator = iter(Prefetch(source, ahead=3))
    next(iterator)
    time.sleep(0.3)
    assert 2 <= source.made <= 5


def test_an_error_comes_after_the_items_before_it() -> None:
    iterator = iter(Prefetch(_Counting(5, breaks_at=2)))
    assert [next(iterator), next(iterator)] == [0, 1]
    with pytest.raises(OSError, match="disk gone"):
        next(iterator)


def test_no_thread_is_left_when_the_reader_stops() -> None:
    before = threading.active_count()
    for number in Prefetch(_Counting(1000), ahead=1):
        if number == 2:
            break
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before
    with pytest.raises(ValueError, match="ahead: expected at least 1, got 0"):
        Prefetch(_Counting(1), ahead=0)

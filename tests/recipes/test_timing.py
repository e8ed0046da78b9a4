"""Times of one thread: what counts, and that the threads come back."""

import time
from collections.abc import Iterator

import pytest
import torch

from facelab.recipes import timing
from facelab.recipes.timing import median_milliseconds, milliseconds, one_thread


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_there_is_one_thread_inside_and_as_many_as_before_afterwards() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_threads_come_back_after_an_error() -> None:
    with pytest.raises(RuntimeError, match="stopped"), one_thread():
        raise RuntimeError("stopped")
    assert torch.get_num_threads() == 2


def _busy() -> None:
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass


def test_waiting_counts_for_nothing_and_work_for_what_it_takes() -> None:
    assert milliseconds(lambda: time.sleep(0.05)) < 20
    assert 20 <= milliseconds(_busy) < 40 and 20 <= median_milliseconds(_busy, 2) < 40


class _Clock:
    """Stands still but when a call lets it go on."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, 0

    def thread_time(self) -> float:
        return self.now

    def call(self) -> None:
        """The first takes a minute, those after it 1, 2, 3 ... milliseconds."""
        self.now += 0.001 * self.calls if self.calls else 60.0
        self.calls += 1


@pytest.mark.parametrize(("calls", "median"), [(1, 1.0), (2, 1.5), (5, 3.0)])
def test_the_median_leaves_out_the_first_call(calls: int, median: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr(timing, "time", clock)
    assert median_milliseconds(clock.call, calls) == pytest.approx(median)
    assert clock.calls == calls + 1


def test_a_median_needs_a_call() -> None:
    with pytest.raises(ValueError, match="calls: expected at least one, got 0"):
        median_milliseconds(_busy, 0)

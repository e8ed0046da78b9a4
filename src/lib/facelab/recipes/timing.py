"""How long something takes on one thread, whatever else the machine does."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch has one thread inside, and afterwards as many as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def milliseconds(call: Callable[[], object]) -> float:
    """Processor time of this thread for one call."""
    started = time.thread_time()
    call()
    return 1000 * (time.thread_time() - started)


def median_milliseconds(call: Callable[[], object], calls: int) -> float:
    """The median over some calls. One before them does not count: it finds its operands out of the cache.

    Raises:
        ValueError: if there is no call.
    """
    if calls < 1:
        raise ValueError(f"calls: expected at least one, got {calls}")
    call()
    return statistics.median(milliseconds(call) for _ in range(calls))

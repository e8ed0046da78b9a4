"""What a run costs: seconds on the clock, seconds of processor, memory, and how busy the machine was besides."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

EVERY = 0.2  # seconds between two looks at the memory


@dataclass
class Cost:
    """What was measured between entering and leaving `metered`.

    Attributes:
        seconds: on the clock, the start of the kernel included.
        processor_seconds: user and system time of the kernel and of all processes it started and waited for.
        peak_mb: largest resident memory, in millions of bytes, of all processes below this one that began since,
            looked at every 0.2 seconds, each from the second look on, and added up. A page of memory that two of them
            share counts twice.
        others: cores that other work kept busy meanwhile, on average.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_mb: float = 0.0
    others: float = 0.0


@contextmanager
def metered() -> Iterator[Cost]:
    """Measures the processes that are started inside; the numbers are there when the block ends, also by an error."""
    cost, ended = Cost(), threading.Event()
    started, begun = time.monotonic(), time.time()
    busy, own, children = _busy(), _own(), _children()
    watch = threading.Thread(target=_watch, args=(cost, begun, ended), daemon=True)
    watch.start()
    try:
        yield cost
    finally:
        ended.set()
        watch.join()
        cost.seconds = time.monotonic() - started
        cost.processor_seconds = _children() - children
        ours = _own() - own + cost.processor_seconds
        cost.others = max(0.0, _busy() - busy - ours) / cost.seconds


def _watch(cost: Cost, begun: float, ended: threading.Event) -> None:
    here, before = psutil.Process(), set[int]()
    while True:
        resident = _resident(here, begun)
        # A process begins with the memory of the one that it was forked from: it counts from the second look on.
        cost.peak_mb = max(cost.peak_mb, sum(size for number, size in resident.items() if number in before) / 1e6)
        before = set(resident)
        if ended.wait(EVERY):
            return


def _resident(here: psutil.Process, begun: float) -> dict[int, int]:
    """Bytes of each process below `here` that started since `begun`, by its number."""
    found = {}
    for process in here.children(recursive=True):
        try:
            if process.create_time() >= begun - 1:  # its clock ticks a hundred times a second
                found[process.pid] = process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _busy() -> float:
    """Seconds that all cores together have worked since the machine was started."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)

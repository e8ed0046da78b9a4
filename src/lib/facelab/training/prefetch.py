"""Batches made ahead of time in a thread, while the network learns from the one before."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Goes through ``source`` in a background thread, at most ``ahead`` items before they are asked for.

    PyTorch lets go of the interpreter lock inside its operations, so on two cores preparing a batch and learning from
    one take the time of the longer. An error of the source is raised where the item would have come. If the reader
    stops early, the thread ends with it.
    """

    def __init__(self, source: Iterable[T], ahead: int = 4) -> None:
        if ahead < 1:
            raise ValueError(f"Prefetch ahead: expected at least 1, got {ahead}")
        self.source, self.ahead = source, ahead

    def __iter__(self) -> Iterator[T]:
        made: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(self.ahead)
        stopped = threading.Event()
        thread = threading.Thread(target=self._make, args=(made, stopped), daemon=True)
        thread.start()
        try:
            while True:
                item, error = made.get()
                if isinstance(error, _End):
                    return
                if error is not None:
                    raise error
                yield item  # type: ignore[misc]
        finally:
            stopped.set()
            thread.join()

    def _make(self, made: "queue.Queue[tuple[T | None, BaseException | None]]", stopped: threading.Event) -> None:
        def put(item: T | None, error: BaseException | None = None) -> None:
            while not stopped.is_set():
                try:
                    return made.put((item, error), timeout=0.1)
                except queue.Full:
                    continue

        # A new thread has OpenMP's own number of threads, whatever the reader chose: more of them than cores spin.
        torch.set_num_threads(1)
        try:
            for item in self.source:
                put(item)
                if stopped.is_set():
                    return
            put(None, _End())
        except BaseException as error:
            put(None, error)


class _End(Exception):
    """After the last item."""

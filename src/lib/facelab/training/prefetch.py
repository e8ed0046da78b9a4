"""Batches made ahead of time in a thread, while the network learns from the one before."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Protocol

import torch


class Source(Sized, Iterable[Any], Protocol):
    """Has a length and can be gone through many times."""


class Prefetch:
    """Goes through ``source`` in a background thread, at most ``ahead`` items before they are asked for.

    PyTorch lets go of the interpreter lock inside its operations, so on two cores preparing a batch and learning from
    one take the time of the longer. An error of the source is raised where the item would have come. If the reader
    stops early, the thread ends with it.
    """

    def __init__(self, source: Source, ahead: int = 4) -> None:
        if ahead < 1:
            raise ValueError(f"Prefetch ahead: expected at least 1, got {ahead}")
        self.source, self.ahead = source, ahead

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Any]:
        made: queue.Queue[tuple[str, Any]] = queue.Queue(self.ahead)
        stopped = threading.Event()
        thread = threading.Thread(target=self._make, args=(made, stopped), daemon=True)
        thread.start()
        try:
            while True:
                kind, value = made.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise value
                yield value
        finally:
            stopped.set()

    def _make(self, made: "queue.Queue[tuple[str, Any]]", stopped: threading.Event) -> None:
        def put(kind: str, value: Any) -> None:
            while not stopped.is_set():
                try:
                    return made.put((kind, value), timeout=0.1)
                except queue.Full:
                    continue

        # A new thread has OpenMP's own number of threads, whatever the reader chose: more of them than cores spin.
        torch.set_num_threads(1)
        try:
            for item in self.source:
                put("item", item)
                if stopped.is_set():
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

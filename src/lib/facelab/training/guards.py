"""What stops a run before harm is done: bad numbers, and a wish of the user."""

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import torch
from torch import Tensor

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what a cluster sends before it takes the machine away


class Interrupted(KeyboardInterrupt):
    """A run was stopped on purpose, and saved where it has a folder."""


class StopRequests:
    """Notes Ctrl-C and SIGTERM, for the loop to stop between two steps; the second one stops at once.

    Attributes:
        asked: whether there was one. Outside of the main thread signals cannot be caught, and it stays false.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class Watch:
    """Looks at the losses, some steps at a time where looking makes a device wait.

    Args:
        every: steps from one look to the next. samples: names the samples of a step.
        gradients: whether the norm of the gradient must be finite too; with fp16 it need not be, since that is how the
            scale of its loss is found.
    Attributes:
        stopped: whether a process was asked to stop, in a step that was looked at.
    """

    def __init__(self, every: int, samples: Callable[[int], object], gradients: bool) -> None:
        self.every, self.samples, self.gradients = every, samples, gradients
        self.stopped = False
        self._pending: list[tuple[int, Tensor]] = []

    def add(self, step: int, numbers: Tensor) -> list[tuple[float, float]]:
        """Takes loss, norm of the gradient and requests to stop of a step, ``(3,)``; looks if it is time."""
        self._pending.append((step, numbers))
        return self.look() if (step + 1) % self.every == 0 else []

    def look(self) -> list[tuple[float, float]]:
        """Loss and norm of the steps since the last look.

        Raises:
            FloatingPointError: with the step and its samples, if one is not finite.
        """
        seen, self._pending = self._pending, []
        rows = torch.stack([numbers for _, numbers in seen]).tolist() if seen else []
        for (step, _), (loss, norm, asked) in zip(seen, rows, strict=True):
            if not math.isfinite(loss):
                raise FloatingPointError(f"loss is {loss} in step {step}, samples {self.samples(step)}")
            if self.gradients and not math.isfinite(norm):
                raise FloatingPointError(f"gradient is {norm} in step {step}, samples {self.samples(step)}")
            self.stopped = self.stopped or asked > 0
        return [(loss, norm) for loss, norm, _ in rows]

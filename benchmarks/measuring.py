"""How a time is taken, and what a line of the table holds."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Runs = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Settings:
    """Sizes of what is timed, for one device.

    Attributes:
        device: ``"cpu"`` or ``"cuda"``.
        repeats, seconds: each figure is the median of so many runs, or of fewer (but three) when time is up.
        stacks, width, side: of the FANs, and pixels a side of their pictures. mobilenets: factors on their channels.
        repvgg, repvgg_side: the trunk of CLN, and pixels a side of its pictures.
        batches: pictures in a forward pass. step_batch: in a training step.
        maps: faces whose heatmaps are decoded; a quarter of them are encoded.
        meshes: faces reconstructed together. errors: faces in the metrics.
    """

    device: str = "cpu"
    repeats: int = 15
    seconds: float = 8.0
    stacks: tuple[int, ...] = (1, 4)
    width: int = 256
    side: int = 256
    mobilenets: tuple[float, ...] = (1.0, 0.5)
    repvgg: str = "a0"
    repvgg_side: int = 224
    batches: tuple[int, ...] = (1, 8)
    step_batch: int = 4
    maps: int = 64
    meshes: tuple[int, ...] = (1, 32)
    errors: int = 2000


CUDA = Settings(device="cuda", batches=(1, 32), step_batch=64, maps=1024, meshes=(1, 1024), errors=20_000)
TINY = Settings(
    repeats=1, seconds=0.0, stacks=(1,), width=32, side=64, mobilenets=(0.25,), repvgg="short x0.25", repvgg_side=64,
    batches=(2,), step_batch=2, maps=4, meshes=(2,), errors=10,
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One figure.

    Attributes:
        name: of what was done. milliseconds: a call. against: whose time it is held against; empty if nobody's.
        ratio: of our time to theirs. measured: theirs in the same run; else it is quoted, and ``against`` says whence.
        note: anything else a reader must know, such as an error.
    """

    name: str
    milliseconds: float
    against: str = ""
    ratio: float | None = None
    measured: bool = True
    note: str = ""

    def __str__(self) -> str:
        text = f"  {self.name:58s} {self.milliseconds:10.3f} ms"
        if self.ratio is not None:
            text += f"  {self.ratio:6.3f} of {self.against}{'' if self.measured else ' (quoted)'}"
        return text + (f"  {self.note}" if self.note else "")


def medians(runs: Runs, settings: Settings) -> dict[str, float]:
    """Median time of each call in milliseconds.

    All calls take turns, since other work on a shared machine comes and goes: a ratio of two of these is worth more
    than either. Each is called once before, unmeasured.
    """
    now = clock(settings.device)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    ends = time.perf_counter() + settings.seconds
    for turn in range(settings.repeats):
        if turn >= 3 and time.perf_counter() > ends:
            break
        for name, run in runs.items():
            started = now()
            run()
            times[name].append(1000 * (now() - started))
    return {name: statistics.median(taken) for name, taken in times.items()}


def clock(device: str) -> Callable[[], float]:
    """Seconds of the thread's own work where there is one thread, so that other work does not count; else of the wall.

    On CUDA the clock waits until the card has done what it was given.
    """
    if device == "cuda":
        return _wall_of_cuda
    return time.thread_time if torch.get_num_threads() == 1 else time.perf_counter


def _wall_of_cuda() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()

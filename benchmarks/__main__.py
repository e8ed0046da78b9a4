"""How fast the parts are on this machine: one line each, the median of repeated runs after a warm-up.

Run with ``make bench`` or ``python -m benchmarks``.
"""

import platform
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from benchmarks import rendering
from facelab.data import decode_heatmaps, encode_heatmaps
from facelab.losses import stacked_heatmap_l2
from facelab.metrics import nme
from facelab.models import FAN

REPEATS = 7


def milliseconds(run: Callable[[], object]) -> float:
    """Median wall time of one call."""
    run()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def heatmaps() -> Iterator[tuple[str, float]]:
    """Encoding and decoding 68 maps of 64 x 64 for 16 faces, and the NME of 2,000."""
    points = 8 + 48 * torch.rand(16, 68, 2)
    maps = encode_heatmaps(points, 64, 64)
    yield "encode 16 x 68 heatmaps of 64 x 64", milliseconds(lambda: encode_heatmaps(points, 64, 64))
    for method in ("argmax", "quarter", "log-parabola"):
        yield f"decode 16 x 68 heatmaps, {method}", milliseconds(lambda method=method: decode_heatmaps(maps, method))
    faces = torch.rand(2000, 68, 2)
    yield "NME of 2,000 faces", milliseconds(lambda: nme(faces + 0.01, faces))


def networks() -> Iterator[tuple[str, float]]:
    """FAN of one stack: inference at full size, and a training step of the quick profile's network."""
    layout = torch.channels_last
    network = FAN(stacks=1).eval().to(memory_format=layout)
    picture = torch.rand(1, 3, 256, 256).contiguous(memory_format=layout)
    with torch.inference_mode():
        yield "FAN, 1 stack, inference at 256 px, batch 1", milliseconds(lambda: network(picture))
    small = FAN(stacks=1, width=64, depth=2).to(memory_format=layout)
    optimizer = torch.optim.AdamW(small.parameters())
    pictures = torch.rand(16, 3, 64, 64).contiguous(memory_format=layout)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        stacked_heatmap_l2(small(pictures), torch.zeros(16, 68, 16, 16)).backward()
        optimizer.step()

    yield "FAN, 1 small stack, training step at 64 px, batch 16", milliseconds(step)


def main() -> None:
    """Prints the machine, then each part's time as soon as it is known."""
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, median of {REPEATS}")
    for line in rendering.report():
        print(line, flush=True)
    for part in (heatmaps, networks):
        for name, time_ms in part():
            print(f"{name:55s} {time_ms:9.2f} ms", flush=True)


if __name__ == "__main__":
    main()

"""Landmarks to heatmaps and back, beside face-alignment and mmpose where they can be imported.

The peers come from PyPI: ``face-alignment==1.5.0`` (and scikit-image, which it imports), ``mmpose==1.3.2``,
``mmcv-lite==2.1.0`` (all with ``--no-deps``), ``mmengine`` and ``munkres``. Where they are absent the table quotes
their times on one core of an AMD EPYC of 2022 (Zen 4), taken with these versions and sizes.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import Line, Settings, medians
from facelab.data import DECODERS, decode_heatmaps, encode_heatmaps

LANDMARKS, SIDE, SIGMA = 68, 64, 2.0
# Milliseconds a face in batches of 16 (encoding) and 64 (decoding).
QUOTED = {"draw_gaussian": 10.8 / 16, "get_preds_fromhm": 3.0 / 64, "DARK": 189.0 / 64}


def report(settings: Settings) -> Iterator[Line]:
    """Lines on encoding, then on decoding."""
    generator = torch.Generator().manual_seed(0)
    points = 8 + (SIDE - 16) * torch.rand(settings.maps, LANDMARKS, 2, generator=generator)
    points = points.to(settings.device)
    yield _encoding(points[: max(1, settings.maps // 4)], settings)
    yield from _decoding(points, generator, settings)


def _encoding(points: Tensor, settings: Settings) -> Line:
    runs: dict[str, Callable[[], object]] = {"ours": lambda: encode_heatmaps(points, SIDE, SIDE, SIGMA)}
    if settings.device == "cpu" and (draw := _draw_gaussian(points)) is not None:
        runs["draw_gaussian"] = draw
    taken = medians(runs, settings)
    return _beside(f"encode {_size(points)}", taken, "draw_gaussian", "face-alignment's draw_gaussian", points)


def _decoding(points: Tensor, generator: torch.Generator, settings: Settings) -> Iterator[Line]:
    maps = 0.8 * encode_heatmaps(points, SIDE, SIDE, SIGMA)
    maps += 0.02 * torch.randn(maps.shape, generator=generator).to(maps.device)
    runs: dict[str, Callable[[], object]] = {
        name: lambda name=name: decode_heatmaps(maps, name)  # type: ignore[misc]
        for name in DECODERS
    }
    peers = _peer_decoders(maps) if settings.device == "cpu" else {}
    taken = medians({**runs, **peers}, settings)
    for name in DECODERS:
        peer, label = ("DARK", "mmpose's DARK") if name.startswith("log") else ("get_preds_fromhm", "face-alignment's")
        error = float((decode_heatmaps(maps, name) - points).norm(dim=2).mean())
        mine = {"ours": taken[name], **({peer: taken[peer]} if peer in taken else {})}
        yield _beside(f"decode {_size(points)}, {name}", mine, peer, label, points, f"error {error:.3f} px")
    if "DARK" in peers:
        error = float((torch.as_tensor(peers["DARK"]()) - points).norm(dim=2).mean())
        yield Line(f"decode {_size(points)}, mmpose's DARK", taken["DARK"], note=f"error {error:.3f} px")


def _beside(name: str, taken: dict[str, float], peer: str, label: str, points: Tensor, note: str = "") -> Line:
    """A line against a peer that was timed, or else its quoted time; on CUDA against nobody."""
    if points.is_cuda:
        return Line(name, taken["ours"], note=note)
    theirs = taken.get(peer, QUOTED[peer] * len(points))
    return Line(name, taken["ours"], label, taken["ours"] / theirs, peer in taken, note)


def _size(points: Tensor) -> str:
    return f"{len(points)} x {LANDMARKS} maps of {SIDE} x {SIDE}"


def _draw_gaussian(points: Tensor) -> Callable[[], object] | None:
    try:
        from face_alignment.utils import draw_gaussian
    except ImportError:
        return None
    where = points.numpy()

    def draw() -> None:
        maps = np.zeros((*where.shape[:2], SIDE, SIDE), np.float32)
        for face in range(len(where)):
            for landmark in range(LANDMARKS):
                maps[face, landmark] = draw_gaussian(maps[face, landmark], where[face, landmark], SIGMA)

    return draw


def _peer_decoders(maps: Tensor) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    values = maps.numpy()
    try:
        from face_alignment.utils import get_preds_fromhm

        found["get_preds_fromhm"] = lambda: get_preds_fromhm(values)
    except ImportError:
        pass
    try:
        from mmpose.codecs import MSRAHeatmap

        codec = MSRAHeatmap((SIDE, SIDE), (SIDE, SIDE), SIGMA, unbiased=True)
        found["DARK"] = lambda: np.concatenate([codec.decode(face)[0] for face in values])
    except ImportError:
        pass
    return found

"""The benchmark on real photographs: the points that all methods and all labels share."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from facelab.data import FaceSample, landmark_box, open_dataset
from facelab.face3d.contour import JAW
from facelab.markups import convert
from facelab.metrics import nme, normalizer_lengths
from facelab.recipes.benchmark import POINTS
from facelab.recipes.transfer import Photograph, photographs


def all_photographs(folder: str | Path | None = None) -> list[Photograph]:
    """Those of :func:`facelab.recipes.transfer.photographs`, and those of WFLW with their 98 points read as 68.

    Raises:
        FileNotFoundError: without a folder, or if it holds no such sample.
    """
    found = photographs(folder)
    path = Path(folder or os.environ["FACELAB_DATA"]) / "real" / "WFLW"
    if not path.is_dir():
        return found
    faces = open_dataset("WFLW", path, strict=False, split="test")
    samples = (faces[index].converted("68") for index in range(len(faces)))
    boxed = (replace(sample, box=landmark_box(sample.landmarks)) for sample in samples)
    return found + [Photograph(sample, "WFLW", "2d") for sample in boxed]


def errors_on_photographs(find: Callable[[FaceSample], Tensor], real: Sequence[Photograph]) -> tuple[Tensor, Tensor]:
    """Errors ``(N,)`` of the inner 49 points, which all labels have in common, and of all 66.

    Both count the points that are labelled, over the root of the area of the box of all of these. The jaw is found by
    the 3D rule, whatever rule the label follows.

    Args:
        find: from a batch of one to the 66 points ``(1, 66, 2 or 3)`` in its pixels.
    """
    pairs = [_errors(find, face.sample) for face in real]
    return torch.stack([inner for inner, _ in pairs]), torch.stack([whole for _, whole in pairs])


def _errors(find: Callable[[FaceSample], Tensor], sample: FaceSample) -> tuple[Tensor, Tensor]:
    found = find(FaceSample.stack([sample]))[..., :2]
    target = convert(sample.landmarks[None, :, :2], "68", POINTS)
    present = target.isfinite().all(2)
    lengths = normalizer_lengths(target, "bbox", visible=present)
    inner = present.clone()
    inner[:, :JAW] = False
    parts = (nme(found, target, lengths, visible=seen)[0] for seen in (inner, present))
    return next(parts), next(parts)

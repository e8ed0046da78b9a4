"""From points to an error, and from errors to the area under their curve."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import simpson
from torch import Tensor

from benchmarks.measuring import Line, Settings, medians
from facelab.metrics import auc, nme

THRESHOLD = 0.1
STEP = 1e-4  # of the curve that PIPNet and STAR draw
# ms a face: mmpose 1.3.2, one core of an AMD EPYC of 2022 (Zen 4)
QUOTED_NME, QUOTED_AUC = 4.97 / 2000, 159 / 2000


def report(settings: Settings) -> Iterator[Line]:
    """Lines on NME and on AUC."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(settings.errors, 68, 2, generator=generator)
    predicted = target + 0.04 * torch.randn(target.shape, generator=generator)
    predicted, target = predicted.to(settings.device), target.to(settings.device)
    errors, faces = nme(predicted, target), f"{settings.errors:,d} faces"
    of_points, of_errors = f"NME of {faces}", f"AUC of {faces} from their errors"
    from_points = f"AUC of {faces} from their points"
    if settings.device == "cuda":
        taken = medians({"nme": lambda: nme(predicted, target), "auc": lambda: auc(errors, THRESHOLD)}, settings)
        yield Line(of_points, taken["nme"])
        yield Line(of_errors, taken["auc"])
        return
    peers = _mmpose(predicted, target)
    yield _beside(
        of_points, lambda: nme(predicted, target), peers.get("nme"), QUOTED_NME, "mmpose's keypoint_nme", settings
    )
    yield _by_simpson(of_errors, errors, settings)
    yield _beside(
        from_points, lambda: auc(nme(predicted, target), THRESHOLD), peers.get("auc"), QUOTED_AUC,
        "mmpose's keypoint_auc", settings, "theirs is the mean share of landmarks, not faces, at 20 thresholds",
    )  # fmt: skip


def _beside(
    name: str, ours: Callable[[], object], theirs: Callable[[], object] | None, quoted: float, label: str,
    settings: Settings, note: str = "",
) -> Line:  # fmt: skip
    """A line against a peer that is timed, or else against its quoted time, ``quoted`` ms a face."""
    taken = medians({"ours": ours} if theirs is None else {"ours": ours, "theirs": theirs}, settings)
    against = taken.get("theirs", quoted * settings.errors)
    return Line(name, taken["ours"], label, taken["ours"] / against, "theirs" in taken, note)


def _by_simpson(name: str, errors: Tensor, settings: Settings) -> Line:
    values = errors.numpy()
    taken = medians({"ours": lambda: auc(errors, THRESHOLD), "theirs": lambda: area_by_simpson(values)}, settings)
    apart = abs(area_by_simpson(values) - auc(errors, THRESHOLD))
    return Line(name, taken["ours"], "Simpson's rule on a curve of steps of 1e-4", taken["ours"] / taken["theirs"],
                note=f"apart by {apart:.0e}")  # fmt: skip


def area_by_simpson(errors: NDArray[np.float64]) -> float:
    """The area as PIPNet and STAR take it: the curve point by point, then Simpson's rule."""
    thresholds = np.arange(0, THRESHOLD + STEP / 2, STEP)
    shares = [np.count_nonzero(errors <= threshold) / len(errors) for threshold in thresholds]
    return float(simpson(shares, x=thresholds) / THRESHOLD)


def _mmpose(predicted: Tensor, target: Tensor) -> dict[str, Callable[[], object]]:
    """The calls of mmpose, where it is installed."""
    try:
        from mmpose.evaluation.functional import keypoint_auc, keypoint_nme
    except ImportError:
        return {}
    points, truth, seen = predicted.numpy(), target.numpy(), np.ones(target.shape[:2], bool)
    scale = np.ptp(truth, 1).prod(1, keepdims=True) ** 0.5 * np.ones(2, np.float32)
    return {
        "nme": lambda: keypoint_nme(points, truth, seen, scale),
        "auc": lambda: keypoint_auc(points, truth, seen, THRESHOLD),
    }

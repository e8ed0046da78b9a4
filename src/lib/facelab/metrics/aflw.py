"""Points of 68 scored by the 21 of AFLW."""

from torch import Tensor

from facelab.markups import convert
from facelab.metrics.landmark_error import nme
from facelab.metrics.normalizers import normalizer_lengths


def to_21(points: Tensor) -> Tensor:
    """The 21 landmarks of AFLW from the 68 of 300-W.

    Brows are their ends and middles; the centre of an eye is the mean of its six points, the centre of the mouth the
    mean of the eight of the inner lips; points 2 and 14 of the jaw stand for the lobes of the ears. AFLW's own points
    were clicked by people at places that the 68 do not have exactly, so even perfect 68 points are not scored 0.

    Args:
        points: ``(N, 68, D)``.
    Returns:
        ``(N, 21, D)``.
    Raises:
        ValueError: for another shape.
    Source: the evaluation of 3DDFA (Zhu et al. 2016), ``benchmark_aflw.py``.
    """
    if points.ndim != 3 or points.shape[1] != 68:
        raise ValueError(f"points: expected shape (N, 68, D), got {tuple(points.shape)}")
    return convert(points, "68", "21")


def nme_aflw(predicted: Tensor, target: Tensor, fitted: Tensor, visible: Tensor) -> Tensor:
    """The NME that tables of AFLW print for methods that find 68 points.

    The mean is over the visible ones of the 21 landmarks. The normaliser is the root of the area of the tight box of
    the 68 points that were fitted to the picture, not of the 21, which would be a smaller box.

    Args:
        predicted, fitted: ``(N, 68, 2)``. target: ``(N, 21, 2)``. visible: ``(N, 21)`` bool.
    Returns:
        ``(N,)`` float64 fractions.
    Raises:
        ValueError: as :func:`facelab.metrics.nme`.
    Source: as :func:`to_21`.
    """
    return nme(to_21(predicted), target, normalizer_lengths(fitted, "bbox"), visible=visible)

"""Mark-ups side by side on one face, and the two rules of the jaw."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from facelab.face3d.contour import JAW
from facelab.markups import convert, markup
from facelab.viz.figure import InteractiveFigure
from facelab.viz.meshes import landmark_names
from facelab.viz.slides import Overlay, slides
from facelab.viz.style import ACCENT, BASELINE, PREDICTION

# Half the thickness of a brow, as a share of the way from the middle of the eye up to the brow's middle.
_BROW = 0.16
_TELLING_YAW = 45.0  # degrees: the jaws have parted, and both are in view
_BROWS, _EYES = ((17, 22), (22, 27)), ((36, 42), (42, 48))


def markup_explorer(image: Tensor, landmarks: Tensor, schemes: Sequence[str], alt: str) -> InteractiveFigure:
    """A slider over mark-ups on one picture; pointing at a landmark tells its number and name.

    Args:
        image: ``(3, S, S)``. landmarks: ``(68, 2 or 3)`` pixels. schemes: names of mark-ups. alt: what is to be seen.
    """
    overlays = []
    for name in schemes:
        scheme = markup(name)
        texts = landmark_names(name)
        label = f"{scheme.points} points"
        overlays.append([Overlay(placed(landmarks[:, :2], name), scheme.edges(), ACCENT, label, texts)])
    return slides([image], overlays, list(schemes), alt, prefix="mark-up ")


def jaw_explorer(
    images: Sequence[Tensor], landmarks: Tensor, contours: Tensor, yaws: Sequence[float], alt: str
) -> InteractiveFigure:
    """A slider over yaw: both rules of the jaw on the pictures of one head as it turns.

    Args:
        images: ``(3, S, S)`` each. landmarks: ``(B, 68, 3)`` with the jaw of the 3D rule. contours: ``(B, 17, 2)``.
        yaws: degrees, one a picture. alt: what is to be seen.
    """
    edges = list(pairwise(range(JAW)))
    names = landmark_names()[:JAW]
    overlays = [
        [
            Overlay(points[:JAW, :2], edges, PREDICTION, "3D rule: places on the head", [f"{n}, 3D" for n in names]),
            Overlay(contour, edges, BASELINE, "2D rule: the outline in view", [f"{n}, 2D" for n in names]),
        ]
        for points, contour in zip(landmarks, contours, strict=True)
    ]
    labels = [f"{yaw:.0f}°" for yaw in yaws]
    telling = min(range(len(yaws)), key=lambda index: abs(yaws[index] - _TELLING_YAW))
    return slides(images, overlays, labels, alt, prefix="yaw ", start=telling)


def placed(landmarks: Tensor, name: str) -> Tensor:
    """Where the points of a mark-up lie on a face whose 68 points are known, for illustration.

    ``68``, ``66``, ``51``, ``21`` and ``19`` are exact (see :func:`facelab.markups.convert`). For ``98`` and ``29``
    the places are made up: along the curves of the 68 by arc length, pupils at the middle of the eye, and a brow as
    thick as a fixed share of its distance from the eye. No annotator would put them exactly there.

    Args:
        landmarks: ``(68, 2)`` pixels.
    Returns:
        ``(L, 2)``.
    Raises:
        ValueError: for a mark-up that can be neither converted nor made up.
    """
    if name == "98":
        return _placed_98(landmarks)
    if name == "29":
        return _placed_29(landmarks)
    return convert(landmarks, "68", name)


def along(curve: Tensor, count: int) -> Tensor:
    """``(count, D)`` places at equal steps of arc length along a polyline ``(N, D)``, both ends among them."""
    steps = (curve[1:] - curve[:-1]).norm(dim=1)
    passed = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
    wanted = torch.linspace(0, 1, count).to(passed) * passed[-1]
    left = (torch.searchsorted(passed, wanted, right=True) - 1).clamp(0, len(steps) - 1)
    share = (wanted - passed[left]) / steps[left].clamp_min(1e-9)
    return torch.lerp(curve[left], curve[left + 1], share[:, None])


def _placed_98(points: Tensor) -> Tensor:
    brows, lids = [], []
    for side in range(2):
        upper, lower = _brow_edges(points, side)
        # Along the upper edge from image left to right, back along the lower one; the tail is one point.
        back = (lower[1:] if side == 0 else lower[:-1]).flip(0)
        brows += [along(upper, 5), along(back, 4)]
        first = _EYES[side][0]
        lids += [along(points[first : first + 4], 5), along(points[[first + 3, first + 4, first + 5, first]], 5)[1:-1]]
    return torch.cat([along(points[:JAW], 33), *brows, points[27:36], *lids, points[48:68], *_pupils(points)])


def _placed_29(points: Tensor) -> Tensor:
    (upper_left, lower_left), (upper_right, lower_right) = (_brow_edges(points, side) for side in range(2))
    brows = [points[17], points[26], points[21], points[22], upper_left[2], lower_left[2], upper_right[2]]
    lids = [points[list(pair)].mean(0) for pair in ((37, 38), (40, 41), (43, 44), (46, 47))]
    rows = [
        *brows, lower_right[2], points[36], points[45], points[39], points[42], *lids,
        *torch.cat(_pupils(points)), points[31], points[35], points[30], points[33], points[48], points[54],
        points[51], points[62], points[66], points[57], points[8],
    ]  # fmt: skip
    return torch.stack(rows)


def _brow_edges(points: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Upper and lower edge ``(5, 2)`` of a brow; they meet at the tail and lie apart elsewhere."""
    brow, eye = points[slice(*_BROWS[side])], points[slice(*_EYES[side])]
    up = _BROW * (brow[2] - eye.mean(0))
    thick = torch.tensor([0.0, 0.7, 1.0, 1.0, 0.8]).to(up)[:, None]
    thick = thick if side == 0 else thick.flip(0)
    return brow + up * thick, brow - up * thick


def _pupils(points: Tensor) -> tuple[Tensor, Tensor]:
    left, right = (points[slice(*eye)].mean(0, keepdim=True) for eye in _EYES)
    return left, right

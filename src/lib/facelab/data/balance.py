"""Balance of poses: faces sorted into bins by the first component of their shapes, and drawn evenly from the bins."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data.sample import FaceSample, landmark_box
from facelab.geometry import similarity

SAMPLINGS = ("undersampled", "replicated")
_LEFT_OUT = -1  # the bin of a face without one
_ROUNDS = 200  # a handful is enough for faces
_SETTLED = 1e-7  # change of a shape between two rounds, in sizes of a face
_NO_POSE = 1e-4  # range of scores below which faces differ by rounding alone


class PoseScores(NamedTuple):
    """Shapes without position, size and roll, and where they lie along their first principal component.

    Attributes:
        aligned: ``(N, L, 2)`` float64, as :func:`procrustes` moves them; NaN where a point is missing, and in a face
            left out.
        mean: ``(L, 2)`` of the shapes without missing points. axis: ``(L, 2)``, their first component, of length 1.
        score: ``(N,)``, NaN of a face left out. explained: the component's share of the variance.
    """

    aligned: Tensor
    mean: Tensor
    axis: Tensor
    score: Tensor
    explained: float


def procrustes(shapes: Tensor) -> tuple[Tensor, Tensor]:
    """Moves shapes onto their mean by similarities, and the mean with them, until it stands still.

    Position and roll are those of the least squares; the size is such that a shape differs from the mean at a right
    angle to it. Least squares would shrink shapes the more, the more they differ, and the score of a face past 70
    degrees of yaw would turn back.

    Args:
        shapes: ``(N, L, 2)`` without missing points.
    Returns:
        The moved shapes ``(N, L, 2)`` and their mean ``(L, 2)`` in float64. The mean is centred and of size 1 (root
        mean square distance of its points from their centre), and as upright as the shapes are on average.
    Raises:
        ValueError: if the points of a shape coincide.
    Source: Gower 1975, "Generalized Procrustes analysis"; the size as in Cootes et al. 1995, "Active shape models",
        and its tangent space.
    """
    moved = _normalised(shapes.double())
    mean = _normalised(moved.mean(0))
    for _ in range(_ROUNDS):
        moved = similarity(moved, mean.expand_as(moved)).apply(moved)
        moved = moved * (mean.square().sum() / (moved * mean).sum((1, 2)))[:, None, None]
        before, mean = mean, _normalised(moved.mean(0))
        if float((mean - before).abs().max()) < _SETTLED:
            break
    return moved, mean


def pose_scores(landmarks: Tensor) -> PoseScores:
    """Aligns landmarks and finds the first principal component of the shapes; over faces of all poses it is yaw.

    Mean and component are those of the faces without missing points. A face that lacks some is scored by the points it
    has: position, roll, size and score together are the least squares of its points against mean and component. So
    data sets that do not label the far side of a face in profile keep their profiles. A face with less than half of
    its points is left out.

    The sign of the component: as the score grows, the points far from the centre of the face move to the right against
    those near it (down, if that is the larger movement). So the nose turns to the left of the picture: yaw grows.

    Args:
        landmarks: ``(N, L, 2)`` in pixels or any other unit, y down; NaN where missing.
    Raises:
        ValueError: on a wrong shape, fewer than three points, infinite or coinciding ones, or fewer than two faces
            without missing points.
    Source: Feng et al. 2018 (Wing), section 5. Missing points and the sign are treated by rules of ours.
    """
    present = _present(landmarks)
    whole = present.all(1)
    if int(whole.sum()) < 2:
        raise ValueError(f"landmarks: expected at least two faces without missing points, got {int(whole.sum())}")
    used = present.sum(1) >= max(3, landmarks.shape[1] / 2)
    _check_extent(landmarks.masked_fill(~present[:, :, None], torch.nan), used)
    moved, _ = procrustes(landmarks[whole])
    mean, axis, score, explained = _first_component(moved)
    aligned = torch.full(landmarks.shape, torch.nan, dtype=torch.float64)
    scores = torch.full(whole.shape, torch.nan, dtype=torch.float64)
    aligned[whole], scores[whole] = moved, score
    partial = used & ~whole
    aligned[partial], scores[partial] = _fitted(landmarks[partial].double(), present[partial], mean, axis)
    return PoseScores(aligned, mean, axis, scores, explained)


@dataclass(frozen=True, eq=False)
class PoseBins:
    """Which faces have nearly one pose.

    Attributes:
        bin: ``(N,)`` int64, 0 to G - 1 from the lowest scores to the highest; -1 of a face that lacks most points.
        score: ``(N,)`` float64. edges: ``(k + 1,)`` of the k bins of equal width. counts: ``(k,)`` faces of each.
        joined: for each of the G bins that are used, the numbers of those it was joined from.
        means: ``(G, L, 2)`` mean shape of each bin, in the coordinates of the landmarks as given, not aligned; NaN
            where all faces of a bin lack a point.
        minimum: faces that a bin has at least. explained: share of the variance along the score.
    """

    bin: Tensor
    score: Tensor
    edges: Tensor
    counts: Tensor
    joined: tuple[tuple[int, ...], ...]
    means: Tensor
    minimum: int
    explained: float

    def __len__(self) -> int:
        """Bins that are used, G."""
        return len(self.joined)

    @property
    def sizes(self) -> Tensor:
        """``(G,)``: faces of each bin that is used."""
        return torch.bincount(self.bin[self.bin >= 0], minlength=len(self))

    @property
    def mean(self) -> Tensor:
        """``(L, 2)``: the mean of the means of the bins, of which each counts alike."""
        return self.means.nanmean(0)

    @property
    def left_out(self) -> Tensor:
        """Numbers of the faces without a bin."""
        return (self.bin == _LEFT_OUT).nonzero()[:, 0]

    def __str__(self) -> str:
        """What was found, and what was done about bins with too few faces, in a few lines."""
        lines = [
            f"{len(self.bin)} faces, {len(self.counts)} bins of equal width: {_listed(self.counts.tolist())} faces",
            f"the score holds {self.explained:.0%} of the variance of the aligned shapes",
        ]
        for members, size in zip(self.joined, self.sizes.tolist(), strict=True):
            if len(members) > 1:
                numbers = _listed([number + 1 for number in members])
                lines.append(f"bins {numbers} are one of {size} faces: alone, some had fewer than {self.minimum}")
        if len(self.left_out):
            lines.append(f"faces left out, since they lack more than half of their points: {len(self.left_out)}")
        return "\n".join(lines)


def pose_bins(landmarks: Tensor, bins: int = 9, minimum: int = 8) -> PoseBins:
    """Sorts faces into bins of equal width by the score of :func:`pose_scores`.

    A bin with fewer faces than ``minimum`` is joined to its neighbour towards the middle, the outermost such bin first,
    until none is left; the middle bin goes to the smaller of its neighbours. No face is lost, and undersampling is
    not cut to a handful of faces by the rarest pose.

    Args:
        landmarks: ``(N, L, 2)``, NaN where missing; in the coordinates in which a network shall answer if the means
            are to be used as they are. bins: k. minimum: faces of a bin; 1 joins empty bins only.
    Raises:
        ValueError: on numbers below 1, fewer faces than ``minimum``, faces of one shape, or as :func:`pose_scores`.
    Source: Feng et al. 2018 (Wing), section 5; Rayhan et al. 2020, section 3.2, k = 9.
    """
    if bins < 1 or minimum < 1:
        raise ValueError(f"pose_bins: expected bins and minimum of at least 1, got {bins} and {minimum}")
    scores = pose_scores(landmarks)
    used = scores.score.isfinite()
    if int(used.sum()) < minimum:
        raise ValueError(f"pose_bins: expected at least {minimum} faces with their points, got {int(used.sum())}")
    known = scores.score[used]
    low, high = float(known.min()), float(known.max())
    if high - low < _NO_POSE:
        raise ValueError(f"pose_bins: all {len(known)} faces have one shape but for a similarity; no pose to balance")
    edges = torch.linspace(low, high, bins + 1, dtype=torch.float64)
    place = torch.bucketize(known, edges[1:-1], right=True)
    counts = torch.bincount(place, minlength=bins)
    joined = _joined(counts.tolist(), minimum)
    number = torch.tensor([new for new, members in enumerate(joined) for _ in members])
    bin_ = torch.full(used.shape, _LEFT_OUT)
    bin_[used] = number[place]
    means = _means(landmarks, bin_, len(joined))
    return PoseBins(bin_, scores.score, edges, counts, joined, means, minimum, scores.explained)


class PoseBalanced(Dataset[FaceSample]):
    """The faces of a set in even shares from all bins of pose, drawn anew every epoch.

    ``"undersampled"``: as many faces of each bin as the smallest has, without repetition. ``"replicated"``: as many as
    the largest has; each face of a smaller bin comes equally often, give or take one.

    The training engine asks for the faces of its epoch (``facelab.training.feed.Redrawn``). By itself, the set has the
    faces of epoch 0, bin after bin; any other loader takes ``whole`` and the indices of :meth:`drawn`.

    Args:
        faces: indexed samples. bins: of these faces, in their order. sampling: one of the two. seed: of the draws.
    Attributes:
        whole: ``faces``.
    Raises:
        ValueError: on an unknown sampling, or bins of another number of faces.
    Source: undersampled: Rayhan et al. 2020, section 3.2, drawing anew is our reading; replicated: Feng et al. 2018
        (Wing), section 5.
    """

    def __init__(
        self, faces: Dataset[FaceSample], bins: PoseBins, sampling: str = "undersampled", seed: int = 0
    ) -> None:
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling: expected one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        if len(faces) != len(bins.bin):  # type: ignore[arg-type]
            raise ValueError(f"bins: expected those of the {len(faces)} faces, got of {len(bins.bin)}")  # type: ignore[arg-type]
        self.whole, self.bins, self.sampling, self.seed = faces, bins, sampling, seed
        sizes = bins.sizes
        self._share = int(sizes.min() if sampling == "undersampled" else sizes.max())
        self._members = [(bins.bin == each).nonzero()[:, 0] for each in range(len(bins))]
        self._first = self.drawn(0)

    def __len__(self) -> int:
        """Faces an epoch."""
        return len(self._members) * self._share

    def drawn(self, epoch: int) -> Tensor:
        """Indices ``(len,)`` of the faces of an epoch, bin after bin; they depend on seed and epoch alone."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        turns = torch.arange(self._share)  # past the end of a bin it begins again
        shuffled = (members[torch.randperm(len(members), generator=generator)] for members in self._members)
        return torch.cat([members[turns % len(members)] for members in shuffled])

    def __getitem__(self, index: int) -> FaceSample:
        return self.whole[int(self._first[index])]


def collect_landmarks(faces: Iterable[FaceSample] | Dataset[FaceSample]) -> Tensor:
    """``(N, L, 2)`` landmarks of a set in pixels, NaN where missing; depths are left off. Reads every sample once.

    Raises:
        ValueError: if the set is empty, or of several mark-ups.
    """
    indexed: Any = faces
    samples = (indexed[index] for index in range(len(indexed)))
    rows = [(sample.markup, sample.landmarks[:, :2]) for sample in samples]
    markups = {markup for markup, _ in rows}
    if len(markups) != 1:
        raise ValueError(f"collect_landmarks: expected faces of one mark-up, got {sorted(markups) or 'none'}")
    return torch.stack([points for _, points in rows])


def _present(landmarks: Tensor) -> Tensor:
    """Which points are there, ``(N, L)``."""
    if landmarks.ndim != 3 or landmarks.shape[2] != 2 or not landmarks.is_floating_point():
        raise ValueError(
            f"landmarks: expected floating-point (N, L, 2), got {landmarks.dtype} {tuple(landmarks.shape)}"
        )
    if bool(landmarks.isinf().any()):
        raise ValueError("landmarks: expected finite points, or NaN where missing; some are infinite")
    if landmarks.shape[1] < 3:
        raise ValueError(f"landmarks: expected at least three points a face, got {landmarks.shape[1]}")
    return landmarks.isfinite().all(2)


def _check_extent(landmarks: Tensor, used: Tensor) -> None:
    box = landmark_box(landmarks[used])
    flat = used.nonzero()[:, 0][(box[:, :2] == box[:, 2:]).all(1)].tolist()
    if flat:
        raise ValueError(f"landmarks: expected faces with an extent; all points coincide in faces {_listed(flat[:10])}")


def _normalised(shapes: Tensor) -> Tensor:
    """Shapes ``(..., L, 2)`` about the origin, of size 1."""
    centred = shapes - shapes.mean(-2, keepdim=True)
    return centred / centred.square().sum(-1, keepdim=True).mean(-2, keepdim=True).sqrt()


def _first_component(aligned: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """Mean and axis ``(L, 2)``, score ``(N,)``, and the axis's share of the variance."""
    mean = aligned.mean(0)
    deviation = (aligned - mean).flatten(1)
    variances, axes = torch.linalg.eigh(deviation.T @ deviation)
    axis = axes[:, -1].unflatten(0, mean.shape)
    outward = (mean.square().sum(1, keepdim=True) * axis).sum(0)  # where far points go; the axis moves no centre
    if float(outward[outward.abs().argmax()]) < 0:
        axis = -axis
    share = variances[-1] / variances.sum().clamp_min(torch.finfo(torch.float64).tiny)
    return mean, axis, deviation @ axis.flatten(), float(share)


def _fitted(shapes: Tensor, present: Tensor, mean: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Shapes ``(N, L, 2)`` with missing points, moved onto the mean, and their scores.

    As complex numbers a shape is ``c0 + c1 mean + c2 axis``: c1 turns and scales, and c2 / c1 is the score. A face
    without missing points has the score of its principal component.
    """
    model = torch.stack([torch.ones_like(mean[:, 0]), _complex(mean), _complex(axis)], 1)
    basis = model * present[:, :, None]
    points = _complex(shapes.masked_fill(~present[:, :, None], 0))
    c = torch.linalg.solve(basis.mH @ basis, (basis.mH @ points[:, :, None])[:, :, 0])
    moved = torch.view_as_real((_complex(shapes) - c[:, :1]) / c[:, 1:2])
    return moved.masked_fill(~present[:, :, None], torch.nan), (c[:, 2] / c[:, 1]).real


def _complex(points: Tensor) -> Tensor:
    return torch.view_as_complex(points.contiguous())


def _means(landmarks: Tensor, bin_: Tensor, bins: int) -> Tensor:
    return torch.stack([landmarks[bin_ == each].nanmean(0) for each in range(bins)])


def _joined(counts: list[int], minimum: int) -> tuple[tuple[int, ...], ...]:
    """Numbers of the bins that are one, so that each has the minimum."""
    groups: list[tuple[int, ...]] = [(number,) for number in range(len(counts))]
    middle = (len(counts) - 1) / 2

    def size(group: tuple[int, ...]) -> int:
        return sum(counts[number] for number in group)

    def offset(group: tuple[int, ...]) -> float:
        return (group[0] + group[-1]) / 2 - middle

    while len(groups) > 1 and min(map(size, groups)) < minimum:
        at = max((i for i, group in enumerate(groups) if size(group) < minimum), key=lambda i: abs(offset(groups[i])))
        side = offset(groups[at])
        left = at - (side > 0 if side else size(groups[at - 1]) <= size(groups[at + 1]))
        groups[left : left + 2] = [groups[left] + groups[left + 1]]
    return tuple(groups)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))

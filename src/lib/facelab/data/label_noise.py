"""Labels as an annotator of limited accuracy leaves them."""

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor
from torch.utils.data import Dataset

from facelab.data.sample import FaceSample
from facelab.markups import Markup
from facelab.markups import markup as markup_named

_STEPS = 16  # of a piece of a contour between two landmarks, to measure its length
Points = NDArray[np.float64]


def shaken_landmarks(landmarks: Tensor, box: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Landmarks with independent normal noise in x and y.

    Args:
        landmarks: ``(B, L, 2 or 3)`` pixels. box: ``(B, 4)``. deviation: of each coordinate, as a share of the root of
            the area of the box. generator: on the CPU.
    Returns:
        The same shape; z, if there is one, is as it was.
    Raises:
        ValueError: on a negative deviation.
    """
    scale = _scale(box, deviation)
    noise = torch.randn(*landmarks.shape[:2], 2, generator=generator).to(landmarks)
    shaken = landmarks.clone()
    shaken[..., :2] += scale[:, None, None] * noise
    return shaken


def smeared_landmarks(
    landmarks: Tensor, markup: str | Markup, box: Tensor, deviation: float, generator: torch.Generator
) -> Tensor:
    """Landmarks that slid along their contours: an annotator sees where a line is, not where on it the point belongs.

    A point of a curve moves by a normal number along the smooth curve through the true points (:class:`Contour`), x, y
    and z together, and turns back at an open end. Corners and points of no curve stay; a point of several curves takes
    the first. Missing points (NaN) stay missing and the curve passes them by.

    Args:
        landmarks: ``(B, L, 2 or 3)`` pixels. markup: its name, or the mark-up. box: ``(B, 4)``. deviation: of the
            length slid in the picture, as a share of the root of the area of the box. generator: on the CPU.
    Returns:
        The same shape.
    Raises:
        ValueError: on a negative deviation, or a number of landmarks that is not the mark-up's.
    """
    scheme = markup_named(markup) if isinstance(markup, str) else markup
    if landmarks.ndim != 3 or landmarks.shape[1] != scheme.points:
        raise ValueError(
            f"smeared landmarks: expected (B, {scheme.points}, 2 or 3) of mark-up {scheme.name}, got "
            f"{tuple(landmarks.shape)}"
        )
    scale = _scale(box, deviation)
    slides = scale[:, None].cpu() * torch.randn(landmarks.shape[:2], generator=generator)
    if not deviation:
        return landmarks.clone()
    true = landmarks.detach().cpu().double().numpy()
    smeared, curves = true.copy(), _sliding(scheme)
    for slid, points, by in zip(smeared, true, slides.double().numpy(), strict=True):
        for curve, moving in curves:
            _slide(slid, points, by, curve, moving)
    return torch.from_numpy(smeared).to(landmarks)


class Contour:
    """A smooth curve through points, which knows its length: a natural cubic spline over the length of its chords.

    Length is that in the picture: of x and y alone. A point at the place of the one before it adds nothing.

    Args:
        points: ``(N, 2 or 3)``, in order, at two places of the picture at least. closed: the curve returns to its
            first point, which is not repeated.
    Attributes:
        arcs: ``(N,)`` how far along the curve the points are. length: of the whole curve.
    """

    def __init__(self, points: Points, closed: bool = False) -> None:
        self.closed = closed
        through = np.concatenate([points, points[:1]]) if closed else points
        knots = np.concatenate([[0.0], _distances(through).cumsum()])
        places, first = np.unique(knots, return_index=True)
        values = through[first]
        if closed:
            values[-1] = values[0]  # SciPy wants the very same; a point within rounding of the first may stand here
        self._spline = CubicSpline(places, values, bc_type="periodic" if closed else "natural")
        pieces = np.arange(len(places))
        self._fine = np.interp(np.arange(_STEPS * pieces[-1] + 1) / _STEPS, pieces, places)
        self._lengths = np.concatenate([[0.0], _distances(self._spline(self._fine)[:, :2]).cumsum()])
        self.length = float(self._lengths[-1])
        self.arcs = np.interp(knots[: len(points)], self._fine, self._lengths)

    def at(self, arcs: Points) -> Points:
        """Points ``(M, 2 or 3)`` so far along the curve; round and round if it is closed, back from an open end."""
        once = self.length
        within = arcs % once if self.closed else once - np.abs(once - arcs % (2 * once))
        return self._spline(np.interp(within, self._lengths, self._fine))


class NoisyLabels(Dataset[FaceSample], ABC):
    """A set of faces with noise in the labels: the same noise each time a face is taken, as in a file of labels.

    Box, visibility, pose and parameters are those of the true face.

    Args:
        faces: indexed samples. deviation: as a share of the root of the area of the box. seed: of the noise.
    """

    def __init__(self, faces: Dataset[FaceSample], deviation: float, seed: int = 0) -> None:
        self.faces, self.deviation, self.seed = faces, deviation, seed
        self._labels: dict[int, Tensor] = {}  # of the faces taken so far: splines take longer than reading a face

    def __len__(self) -> int:
        return len(self.faces)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> FaceSample:
        sample, number = self.faces[index], index % len(self)
        if number not in self._labels:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
            self._labels[number] = self._noisy(sample, generator)
        return replace(sample, landmarks=self._labels[number])

    @abstractmethod
    def _noisy(self, sample: FaceSample, generator: torch.Generator) -> Tensor:
        """Its landmarks with noise."""


class ShakenLabels(NoisyLabels):
    """Labels off in every direction, see :func:`shaken_landmarks`.

    The mean distance of a label from the truth is ``deviation * sqrt(pi / 2)`` of the box, which is the NME of the
    labels.
    """

    def _noisy(self, sample: FaceSample, generator: torch.Generator) -> Tensor:
        return shaken_landmarks(sample.landmarks[None], sample.box[None], self.deviation, generator)[0]


class SmearedLabels(NoisyLabels):
    """Labels off along their contours, see :func:`smeared_landmarks`."""

    def _noisy(self, sample: FaceSample, generator: torch.Generator) -> Tensor:
        return smeared_landmarks(sample.landmarks[None], sample.markup, sample.box[None], self.deviation, generator)[0]


def _scale(box: Tensor, deviation: float) -> Tensor:
    """The deviation in pixels, ``(B,)``."""
    if deviation < 0:
        raise ValueError(f"deviation: expected a share of the box, not negative, got {deviation}")
    return deviation * (box[:, 2:] - box[:, :2]).prod(1).sqrt()


def _sliding(scheme: Markup) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Each curve, and those of its landmarks that slide along it."""
    taken, found = set(scheme.corners), []
    for curve in scheme.curves:
        moving = tuple(index for index in dict.fromkeys(curve) if index not in taken)
        taken.update(moving)
        if moving:
            found.append((curve, moving))
    return found


def _slide(slid: Points, true: Points, by: Points, curve: tuple[int, ...], moving: tuple[int, ...]) -> None:
    """Moves those of one face along one curve; where its points are at one place of the picture there is none."""
    present = [index for index in dict.fromkeys(curve) if np.isfinite(true[index]).all()]
    points = true[present]
    if not _distances(points[:, :2]).any():
        return
    contour = Contour(points, closed=curve[0] == curve[-1])
    arcs = dict(zip(present, contour.arcs, strict=True))
    there = [index for index in moving if index in arcs]
    slid[there] = contour.at(np.array([arcs[index] + by[index] for index in there]))


def _distances(points: Points) -> Points:
    """From each point to the next."""
    steps = points[1:] - points[:-1]
    lengths: Points = np.sqrt((steps * steps).sum(1))
    return lengths

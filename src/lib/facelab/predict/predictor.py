"""From a photograph to the landmarks of its faces."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from facelab.data import FaceSample
from facelab.markups import markup
from facelab.places import data_folder
from facelab.predict.detection import check_photograph, detect_faces, landmark_box_of_detection
from facelab.recipes.fan import FanRecipe
from facelab.recipes.runs import told, trained
from facelab.training.keeper import MODEL

MARKUP = "68"
_POINTS, _DEPTH = "fan", "fan-depth"  # folders of the networks that come with the book
# Of the book's network: on 14 photographs the faces had 0.74 to 0.88, 26 random squares beside them 0.27 to 0.62.
_LEAST_PEAK = 0.5
_MADE_BY = {_POINTS: ("run", "fan-photographs"), _DEPTH: ("depth", "fan-depth")}  # option and recipe
Recipe = TypeVar("Recipe", covariant=True)


@runtime_checkable
class DepthRecipe(Protocol):
    """What adds depths to landmarks, as :class:`facelab.recipes.fan_depth.FanDepthRecipe` does."""

    def depths(self, model: nn.Module, batch: FaceSample, points: Tensor) -> Tensor:
        """``(B, 68)`` in pixels of the pictures, larger is nearer to the viewer, mean 0, for points ``(B, 68, 2)``."""
        ...


@dataclass(frozen=True)
class Origin:
    """Which run a network comes from."""

    recipe: str
    profile: str
    seed: int | None


@dataclass(frozen=True)
class Network(Generic[Recipe]):
    """A trained network and the recipe that knows how to use it; no ``origin`` where it comes from no folder."""

    recipe: Recipe
    model: nn.Module
    origin: Origin | None = None


@dataclass(frozen=True)
class PredictedFace:
    """A face of a photograph.

    Attributes:
        landmarks: ``(68, 3)`` x, y, z in pixels of the photograph: centre of its top-left pixel (0, 0), z larger
            nearer to the viewer and of mean 0; ``(68, 2)`` without a depth network.
        box: ``(4,)`` x0, y0, x1, y1 in which the landmarks were looked for.
        detected: whether the detector found the box; else it was given.
        peak: mean height of the peaks of the heatmaps, about 1 for a network that is sure.
    """

    landmarks: Tensor
    box: Tensor
    detected: bool
    peak: float


@dataclass(frozen=True)
class Predictor:
    """Trained networks that take a photograph to the landmarks of its faces.

    Attributes:
        points: finds x and y. depth: adds z; none for x and y alone.
        decoder: of heatmaps, see :func:`facelab.data.decode_heatmaps`.
        mirror: add the heatmaps of the mirrored picture, mirrored back.
        least_peak: what the detector finds is no face if its heatmaps have lower peaks, see :class:`PredictedFace`.
            Boxes that are given are not judged.
    """

    points: Network[FanRecipe]
    depth: Network[DepthRecipe] | None = None
    decoder: str = "log-quadratic"
    mirror: bool = True
    least_peak: float = 0.0

    @staticmethod
    def load(run: str | Path | None = None, depth: str | Path | None = None) -> "Predictor":
        """The networks of finished runs, or those that come with the book.

        Args:
            run: folder of a run that finds landmarks, as ``fan``; the book's if not given.
            depth: of one that adds z, as ``fan-depth``; the book's if not given. Where the book is not at hand, a run
                alone gives x and y alone.
        Raises:
            FileNotFoundError: if a folder holds no finished run. ValueError: if a file in it is damaged, or the run is
                of a recipe that does something else.
        """
        there = _shipped(_POINTS) if run is None else Path(run)
        least_peak = _LEAST_PEAK if run is None else 0.0
        recipe, model, origin = _run(there)
        if not isinstance(recipe, FanRecipe):
            raise ValueError(f"{there}: expected a run that finds landmarks, as fan; got one of {origin.recipe}")
        points = Network[FanRecipe](recipe, model, origin)
        if depth is None:
            try:
                depth = _shipped(_DEPTH)
            except FileNotFoundError:
                if run is None:
                    raise
                return Predictor(points, least_peak=least_peak)
        recipe, model, origin = _run(depth)
        if not isinstance(recipe, DepthRecipe):
            raise ValueError(f"{depth}: expected a run that finds depths, as fan-depth; got one of {origin.recipe}")
        return Predictor(points, Network[DepthRecipe](recipe, model, origin), least_peak=least_peak)

    def faces(self, image: Tensor, boxes: Iterable[Tensor] | None = None) -> tuple[PredictedFace, ...]:
        """All faces that :func:`facelab.predict.detect_faces` finds, the largest first, or those in the given boxes.

        Args:
            image: ``(3, H, W)`` RGB in [0, 1]. boxes: each ``(4,)`` x0, y0, x1, y1 in pixels, tight around the 68
                landmarks from the brows to the chin; in this order.
        Returns:
            None at all if the detector finds none.
        Raises:
            ValueError: on an image of wrong shape or dtype, or a box that is empty or outside the image.
        """
        if boxes is not None:
            return tuple(self._face(image, box, detected=False) for box in boxes)
        places = map(landmark_box_of_detection, detect_faces(image))
        found = (self._face(image, box, detected=True) for box in places)
        return tuple(face for face in found if face.peak >= self.least_peak)

    def _face(self, image: Tensor, box: Tensor, detected: bool) -> PredictedFace:
        batch = photograph(image, box)  # one at a time: each in a batch would hold its own copy of the photograph
        with torch.inference_mode():
            points, peaks = self.points.recipe.landmarks_with_peaks(
                self.points.model.eval(), batch, decoder=self.decoder, mirror=self.mirror
            )
            if self.depth is not None:
                depths = self.depth.recipe.depths(self.depth.model.eval(), batch, points)
                points = torch.cat([points, depths[..., None].to(points)], 2)
        return PredictedFace(points[0].clone(), batch.box[0], detected, float(peaks.mean()))


def photograph(image: Tensor, box: Tensor, name: str = "photograph") -> FaceSample:
    """A batch of one: a photograph without labels (landmarks and pose are NaN) and the box of its face.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1]. box: ``(4,)`` x0, y0, x1, y1 around where the landmarks will be.
    Raises:
        ValueError: on a wrong shape or dtype, or a box that is empty or outside the photograph.
    """
    check_photograph(image)
    _check_box(image, box)
    points = markup(MARKUP).points
    sample = FaceSample(
        image=image,
        landmarks=torch.full((points, 2), torch.nan),
        visible=torch.ones(points, dtype=torch.bool),
        box=box.float(),
        pose=torch.full((3,), torch.nan),
        parameters=torch.full((62,), torch.nan),
        name=name,
        markup=MARKUP,
    )
    return FaceSample.stack([sample])


def landmarks_of_photograph(recipe: FanRecipe, model: nn.Module, image: Tensor, box: Tensor) -> Tensor:
    """Landmarks ``(68, 2)`` in the photograph's pixels, heatmaps of the picture and of its mirror image added."""
    (face,) = Predictor(Network(recipe, model)).faces(image, [box])
    return face.landmarks


def _shipped(name: str) -> Path:
    """The folder of a network that comes with the book."""
    option, recipe = _MADE_BY[name]
    advice = f"give --{option} FOLDER, as made by: python -m facelab train {recipe} --output FOLDER"
    try:
        folder = data_folder() / "checkpoints" / name
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or {advice}") from error
    if not (folder / MODEL).is_file():
        raise FileNotFoundError(f"{folder}: no trained network there; {advice}")
    return folder


def _run(folder: str | Path) -> tuple[object, nn.Module, Origin]:
    recipe, model = trained(folder)
    what = told(folder)
    return recipe, model, Origin(what["recipe"], what["profile"], what.get("seed"))


def _check_box(image: Tensor, box: Tensor) -> None:
    if box.shape != (4,):
        raise ValueError(f"box: expected (4,) x0, y0, x1, y1, got {tuple(box.shape)}")
    x0, y0, x1, y1 = box.tolist()
    told = f"{x0:g} {y0:g} {x1:g} {y1:g}"
    if not bool(box.isfinite().all()) or x0 >= x1 or y0 >= y1:
        raise ValueError(f"box: expected finite x0 < x1 and y0 < y1 in pixels, got {told}")
    height, width = image.shape[1:]
    if x0 > width - 1 or y0 > height - 1 or x1 < 0 or y1 < 0:
        raise ValueError(f"box {told}: lies outside the photograph of {width} x {height} pixels")

"""From a photograph to the landmarks of its faces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from facelab.data import FaceSample
from facelab.face3d import builtin_face
from facelab.face3d.parameters import project
from facelab.markups import markup
from facelab.places import data_folder
from facelab.predict.detection import check_photograph, detect_faces, landmark_box_of_detection
from facelab.recipes.direct import DirectRecipe
from facelab.recipes.fan import FanRecipe
from facelab.recipes.fan_depth import centred
from facelab.recipes.runs import told, trained
from facelab.recipes.settings import nearest
from facelab.training.keeper import MODEL

MARKUP = "68"  # of the box in which a face is looked for
_DEPTH = "fan-depth"
# Method to the folder of its network that comes with the book, and the recipe that made it.
METHODS: Mapping[str, tuple[str, str]] = {
    "two_stage": ("two-stage", "two-stage-photographs"),
    "fan": ("fan", "fan-photographs"),
    "anisotropic": ("anisotropic", "anisotropic-photographs"),
    "tddfa": ("tddfa", "tddfa-photographs"),
    "cln": ("cln", "cln-photographs"),
}
# Of the book's FAN: on 14 photographs the faces had 0.74 to 0.88, 26 random squares beside them 0.27 to 0.62.
_LEAST_PEAK = 0.5
Recipe = TypeVar("Recipe", covariant=True)


@runtime_checkable
class PointsRecipe(Protocol):
    """What finds landmarks in pictures, as the recipes of all five methods do."""

    @property
    def markup(self) -> str:
        """The name of the mark-up of its landmarks."""
        ...

    def landmarks(self, model: Any, batch: FaceSample, *, mirror: bool) -> Tensor:
        """``(B, L, 2)`` or ``(B, L, 3)`` in pixels of the pictures, in whose boxes the faces are."""
        ...


@runtime_checkable
class MeshRecipe(PointsRecipe, Protocol):
    """What finds the 62 parameters of faces, as :class:`facelab.recipes.parametric.ParametricFaces` does."""

    def parameters(self, model: Any, batch: FaceSample) -> Tensor:
        """``(B, 62)`` with cameras to the pixels of the pictures."""
        ...


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
        landmarks: ``(L, 3)`` x, y, z in pixels of the photograph: centre of its top-left pixel (0, 0), z larger
            nearer to the viewer and of mean 0; ``(L, 2)`` where no depth is known.
        box: ``(4,)`` x0, y0, x1, y1 in which the landmarks were looked for.
        detected: whether the detector found the box; else it was given.
        markup: name of the mark-up of the landmarks.
        peak: mean height of the peaks of FAN's heatmaps, about 1 for a network that is sure; None of other methods.
        parameters: the 62 of the face, with the camera to the photograph's pixels, of methods that find them.
    """

    landmarks: Tensor
    box: Tensor
    detected: bool
    markup: str = MARKUP
    peak: float | None = None
    parameters: Tensor | None = None

    def mesh(self) -> tuple[Tensor, Tensor]:
        """The whole face: vertices ``(V, 3)`` in pixels as the landmarks, and triangles ``(F, 3)``.

        It is that of the picture as it is, also where landmarks are a mean with those of the mirrored picture.

        Raises:
            ValueError: of a method that finds landmarks only.
        """
        if self.parameters is None:
            raise ValueError("mesh: expected a method that finds the 62 parameters: tddfa or cln")
        face = builtin_face()
        vertices = project(face, self.parameters[None])[0]
        vertices[:, 2] -= vertices[face.landmarks, 2].mean()
        return vertices, face.triangles


@dataclass(frozen=True)
class Predictor:
    """Trained networks that take a photograph to the landmarks of its faces.

    Attributes:
        points: finds x and y, or all three. depth: adds z to x and y of 68 landmarks; none for those alone.
        decoder: of FAN's heatmaps, see :func:`facelab.data.decode_heatmaps`.
        mirror: take what is found in the mirrored picture into account.
        least_peak: what the detector finds is no face if its heatmaps have lower peaks, see :class:`PredictedFace`.
            Boxes that are given are not judged, nor is what comes without heatmaps.
    """

    points: Network[PointsRecipe]
    depth: Network[DepthRecipe] | None = None
    decoder: str = "log-quadratic"
    mirror: bool = True
    least_peak: float = 0.0

    @staticmethod
    def load(run: str | Path | None = None, depth: str | Path | None = None, method: str = "fan") -> "Predictor":
        """The networks of finished runs, or those that come with the book.

        Args:
            run: folder of a run that finds landmarks, as ``fan``; the book's of the method if not given.
            depth: of one that adds z, as ``fan-depth``; the book's if not given and ``run`` finds x and y of 68
                landmarks. Where the book is not at hand, a run alone gives x and y alone.
            method: one of ``METHODS``, if ``run`` is not given.
        Raises:
            FileNotFoundError: if a folder holds no finished run. ValueError: if a file in it is damaged, or the run is
                of a recipe that does something else; for an unknown method.
        """
        shipped, made_by = nearest("method", method.replace("-", "_"), METHODS)
        there = _shipped(shipped, "run", made_by) if run is None else Path(run)
        recipe, model, origin = _run(there)
        if not isinstance(recipe, PointsRecipe):
            raise ValueError(f"{there}: expected a run that finds landmarks, as fan; got one of {origin.recipe}")
        predictor = Predictor(Network[PointsRecipe](recipe, model, origin))
        if isinstance(recipe, FanRecipe) and run is None:
            predictor = replace(predictor, least_peak=_LEAST_PEAK)
        if depth is None:
            return predictor._with_the_books_depth(needed=run is None) if _lacks_depth(recipe) else predictor
        if not _lacks_depth(recipe):
            raise ValueError(f"{depth}: expected no depth network; {origin.recipe} finds z itself, or other landmarks")
        return predictor._with_depth(depth)

    def _with_depth(self, folder: str | Path) -> "Predictor":
        recipe, model, origin = _run(folder)
        if not isinstance(recipe, DepthRecipe):
            raise ValueError(f"{folder}: expected a run that finds depths, as fan-depth; got one of {origin.recipe}")
        return replace(self, depth=Network[DepthRecipe](recipe, model, origin))

    def _with_the_books_depth(self, needed: bool) -> "Predictor":
        try:
            return self._with_depth(_shipped(_DEPTH, "depth", _DEPTH))
        except FileNotFoundError:
            if needed:
                raise
            return self

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
        return tuple(face for face in found if face.peak is None or face.peak >= self.least_peak)

    def _face(self, image: Tensor, box: Tensor, detected: bool) -> PredictedFace:
        batch = photograph(image, box)  # one at a time: each in a batch would hold its own copy of the photograph
        recipe, model = self.points.recipe, self.points.model.eval()
        with torch.inference_mode():
            points, peak = self._points(batch)
            if self.depth is not None:
                depths = self.depth.recipe.depths(self.depth.model.eval(), batch, points)
                points = torch.cat([points, depths[..., None].to(points)], 2)
            elif points.shape[2] == 3:
                points = torch.cat([points[..., :2], centred(points[..., 2])[..., None]], 2)
            parameters = recipe.parameters(model, batch)[0].clone() if isinstance(recipe, MeshRecipe) else None
        return PredictedFace(points[0].clone(), batch.box[0], detected, recipe.markup, peak, parameters)

    def _points(self, batch: FaceSample) -> tuple[Tensor, float | None]:
        recipe, model = self.points.recipe, self.points.model.eval()
        if not isinstance(recipe, FanRecipe):
            return recipe.landmarks(model, batch, mirror=self.mirror), None
        points, peaks = recipe.landmarks_with_peaks(model, batch, decoder=self.decoder, mirror=self.mirror)
        return points, float(peaks.mean())


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


def _lacks_depth(recipe: object) -> bool:
    """Whether it finds x and y alone, of the landmarks that depth networks know."""
    return isinstance(recipe, (FanRecipe, DirectRecipe))


def _shipped(name: str, option: str, recipe: str) -> Path:
    """The folder of a network that comes with the book.

    Args:
        option, recipe: how to name and make one without it, for messages.
    """
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

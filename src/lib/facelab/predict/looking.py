"""What several methods found in one face, side by side: landmarks, heatmaps, and meshes in the photograph's colours."""

import math
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from IPython.display import FileLinks
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from facelab.data import crop_window
from facelab.face3d import MorphableModel, builtin_face, write_obj, write_ply
from facelab.face3d.parameters import project, unpack
from facelab.face3d.texture import uv_texture
from facelab.geometry import Affine
from facelab.geometry.affine import sampled
from facelab.markups import convert
from facelab.predict.predictor import PredictedFace, Predictor, photograph
from facelab.predict.signals import SHARED
from facelab.recipes.fan import FanRecipe
from facelab.recipes.parametric import MESH
from facelab.recipes.two_stage import TwoStageRecipe
from facelab.viz import ACCENT, ON_SKIN, draw_landmarks, show_image, style

_COLUMNS = 3
_PANEL = 192  # pixels of a crop in a picture
_TEXELS = 256
_CROP = "snug"


class HeatmapView(NamedTuple):
    """A face cut out, and heatmaps over it.

    Attributes:
        image: ``(3, S, S)``. maps: ``(66, h, h)`` over the same square, in shares of the highest peak of all.
        peak: that one, as the network drew it. points: ``(66, 2)``, the landmarks in pixels of ``image``.
    """

    image: Tensor
    maps: Tensor
    peak: float
    points: Tensor


class PaintedMesh(NamedTuple):
    """A face to turn: ``(V, 3)`` cm with y up, ``(F, 3)``, colours ``(V, 3)`` in [0, 1]."""

    vertices: Tensor
    triangles: Tensor
    colours: Tensor


def face_crop(image: Tensor, box: Tensor, size: int) -> tuple[Tensor, Affine]:
    """The face in a square ``(3, size, size)``, and the map of pixels of the photograph to those of the square."""
    affine = Affine.crop(*crop_window(box[None].float(), _CROP), size)
    return affine.warp(image[None], size, size)[0], affine


def draw_methods(image: Tensor, faces: Mapping[str, PredictedFace]) -> Figure:
    """The face with its box, then with the landmarks of each method.

    Args:
        image: ``(3, H, W)`` RGB in [0, 1]. faces: by method, of one box.
    """
    box = next(iter(faces.values())).box
    picture, affine = face_crop(image, box, _PANEL)
    rows = math.ceil((1 + len(faces)) / _COLUMNS)
    with style():
        figure, axes = plt.subplots(rows, _COLUMNS, figsize=(6.6, 2.35 * rows), squeeze=False, layout="constrained")
        for ax in axes.flat:
            ax.axis("off")
        show_image(axes.flat[0], picture, "the box")
        (x0, y0), (x1, y1) = affine.apply(box.reshape(1, 2, 2))[0].tolist()
        axes.flat[0].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=ACCENT, linewidth=1.5))
        for ax, (name, face) in zip(axes.flat[1:], faces.items(), strict=False):
            show_image(ax, picture, name)
            points = affine.apply(face.landmarks[None, :, :2])[0]
            draw_landmarks(ax, points, ON_SKIN, face.markup, size=2.2, edge="black")
    return figure


def heatmap_view(predictor: Predictor, image: Tensor, box: Tensor, size: int = 160, fine: int = 40) -> HeatmapView:
    """The heatmaps of FAN or of the two-stage method over a face; both by one rule, so that they can be compared.

    Args:
        predictor: of the method. image: ``(3, H, W)``. box: ``(4,)`` pixels.
        size: pixels of the cut-out. fine: of the maps, which are sampled anew.
    Raises:
        ValueError: of a method without heatmaps.
    """
    recipe, batch = predictor.points.recipe, photograph(image, box)
    model = predictor.points.model.eval()
    with torch.inference_mode():
        if isinstance(recipe, FanRecipe):
            maps, crop = recipe.heatmaps(model, batch)
            maps = convert(maps.flatten(2), "68", SHARED).unflatten(2, maps.shape[2:])
        elif isinstance(recipe, TwoStageRecipe):
            crop, _, found = recipe.cascade.maps(model.cascade, batch)  # type: ignore[arg-type]
            assert found is not None
            maps = found
        else:
            raise ValueError("heatmap_view: expected a method that draws heatmaps: fan or two_stage")
        (face,) = predictor.faces(image, [box])
    picture, affine = face_crop(image, box, size)
    places = (torch.arange(fine) + 0.5) * size / fine - 0.5
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).reshape(1, -1, 2)
    in_crop = crop.affine.apply(affine.inverse().apply(grid))
    in_maps = (in_crop + 0.5) * maps.shape[3] / crop.image.shape[3] - 0.5
    over = sampled(maps.float(), in_maps.reshape(1, fine, fine, 2))[0].clamp_min(0)
    peak = float(maps.amax())
    points = affine.apply(convert(face.landmarks[:, :2], face.markup, SHARED)[None])[0]
    return HeatmapView(picture, (over / max(peak, 1e-6)).clamp_max(1), peak, points.clone())


@cache
def mask() -> MorphableModel:
    """The part of the built-in face that a photograph shows: without ears, neck and hair, which nobody looked for."""
    return builtin_face().subset([name for name in MESH if name != "ears"])


def painted_mesh(face: PredictedFace, image: Tensor) -> PaintedMesh:
    """The mask of a face, upright and from the front, in the colours of the photograph.

    What the photograph does not show has the colour of its mirror point.

    Raises:
        ValueError: of a method that finds landmarks only.
    """
    if face.parameters is None:
        raise ValueError("painted_mesh: expected a method that finds the 62 parameters: tddfa or cln")
    model, numbers = mask(), face.parameters[None]
    _, identity, expression = unpack(numbers)
    coat = uv_texture(image[None], project(model, numbers), model, size=_TEXELS, fill=True).colour
    rows_down = model.uv.new_tensor([1.0, -1.0])
    places = model.uv * rows_down * _TEXELS + model.uv.new_tensor([-0.5, _TEXELS - 0.5])
    colours = sampled(coat, places[None, None])[0, :, 0].T
    return PaintedMesh(model.vertices(identity, expression)[0], model.triangles, colours)


def save_meshes(meshes: Mapping[str, PaintedMesh], folder: str | Path) -> FileLinks:
    """Writes each mesh as ``NAME.obj`` and ``NAME.ply``; on Colab the browser downloads them, too.

    Args:
        folder: made if it is not there.
    Returns:
        Links to the files, for a notebook to show.
    Raises:
        ValueError: if there is a file of the folder's name.
    """
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise ValueError(f"{place}: expected a folder, or a name for a new one; there is a file of that name")
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, mesh in meshes.items():
        written += [
            write_obj(place / f"{name}.obj", mesh.vertices, mesh.triangles),
            write_ply(place / f"{name}.ply", *mesh),
        ]
    if find_spec("google") is not None and find_spec("google.colab") is not None:
        for path in written:
            import_module("google.colab.files").download(str(path))
    return FileLinks(str(place), included_suffixes=[".obj", ".ply"])

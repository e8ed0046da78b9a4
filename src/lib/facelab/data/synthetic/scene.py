"""What stands before the camera, drawn at random, and its picture."""

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from facelab.data.draws import Draws
from facelab.data.synthetic.appearance import Palette, coats, grain_strengths, sample_palettes
from facelab.data.synthetic.background import Backdrop, sample_backdrops
from facelab.data.synthetic.composition import compose
from facelab.data.synthetic.light import Light, cast_shadow, sample_light, shade
from facelab.data.synthetic.paint import lay
from facelab.data.synthetic.wear import sample_styles
from facelab.face3d import MorphableModel, vertex_normals
from facelab.face3d.contour import visible_contour
from facelab.geometry import WeakPerspective, rasterize, rotation_matrix

_FINE = 2  # every pixel is the mean of 2 x 2 finer ones: edges without steps
_ACTIVITY = 0.22  # share of the expression modes in use: several at once, as in photographs
_GLOSS = {
    "lips": 0.5, "face": 0.13, "neck": 0.06, "scalp": 0.2, "ears": 0.08, "hair": 0.12, "lenses": 0.5,
    "glasses": 0.5, "upper teeth": 0.3, "lower teeth": 0.2, "tongue": 0.3,
}  # fmt: skip


_SPARKLE = {"eyes": 1.6, "lenses": 0.6, "glasses": 0.5, "lips": 0.08, "upper teeth": 0.2}


@dataclass(frozen=True)
class SceneRanges:
    """What may vary. Angles in degrees, ``(low, high)``.

    Attributes:
        yaw, roll: uniform. pitch: uniform in ``pitch`` for half of the faces, in half of that range for the others.
        margin: side of the picture over the longer side of the landmark box, uniform.
        shift: the face leaves the centre by up to this share of the picture.
        expression: amplitude of the expressions, 1 for the natural range of each.
    """

    yaw: tuple[float, float] = (-90.0, 90.0)
    pitch: tuple[float, float] = (-45.0, 45.0)
    roll: tuple[float, float] = (-30.0, 30.0)
    margin: tuple[float, float] = (1.5, 1.8)
    shift: float = 0.04
    expression: float = 1.0

    def __post_init__(self) -> None:
        for name in ("yaw", "pitch", "roll", "margin"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"scene {name}: expected (low, high) with low <= high, got ({low}, {high})")
        if self.margin[0] <= 0 or not 0 <= self.shift < 0.5 or self.expression < 0:
            raise ValueError("scene: expected margin > 0, 0 <= shift < 0.5 and expression >= 0")


@dataclass(frozen=True)
class Scene:
    """A batch of scenes, ready to be drawn.

    Attributes:
        identity ``(B, Ki)``, expression ``(B, Ke)``, style ``(B, Ks)``: raw coefficients of the face.
        pose: ``(B, 3)`` radians. camera, palette, light, background: of the batch. size: side of the pictures in
            pixels.
    """

    identity: Tensor
    expression: Tensor
    style: Tensor
    pose: Tensor
    camera: WeakPerspective
    palette: Palette
    light: Light
    background: Backdrop
    size: int

    def to(self, device: torch.device | str) -> "Scene":
        """The same scenes on another device."""
        return _moved(self, device)


class Picture(NamedTuple):
    """Pictures of a batch of scenes and their exact labels.

    Attributes:
        image: ``(B, 3, size, size)`` float32 in [0, 1]. landmarks: ``(B, 68, 3)`` pixels. visible: ``(B, 68)`` bool.
        contour: ``(B, 17, 2)`` pixels, the jaw by the rule of the visible outline.
    """

    image: Tensor
    landmarks: Tensor
    visible: Tensor
    contour: Tensor


def _moved(value: Any, device: torch.device | str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _moved(getattr(value, field.name), device) for field in fields(value)})
    return value.to(device) if isinstance(value, Tensor) else value


def sample_scene(
    model: MorphableModel, count: int, size: int, ranges: SceneRanges, generator: torch.Generator
) -> Scene:
    """Draws ``count`` scenes on the CPU; the same generator gives the same scenes."""
    draws = Draws(count, generator)
    identity, expression = model.sample(count, generator, expression_scale=ranges.expression, activity=_ACTIVITY)
    pose = _sample_pose(draws, ranges)
    rotation = rotation_matrix(*pose.unbind(1))
    landmarks = _neutral_landmarks(model, identity, expression) @ rotation.transpose(1, 2)
    return Scene(
        identity=identity,
        expression=expression,
        style=sample_styles(model, draws),
        pose=pose,
        camera=_frame(landmarks, rotation, size, ranges, draws),
        palette=sample_palettes(draws),
        light=sample_light(draws),
        background=sample_backdrops(draws),
        size=size,
    )


def _neutral_landmarks(model: MorphableModel, identity: Tensor, expression: Tensor) -> Tensor:
    """The 68 landmarks ``(B, 68, 3)`` without making the other vertices."""
    return model.landmark_model().vertices(identity, expression)


def _sample_pose(draws: Draws, ranges: SceneRanges) -> Tensor:
    calm = 1 - 0.5 * draws.chance(0.5).float()
    pitch = calm * draws.uniform(*ranges.pitch)
    return torch.stack([pitch, draws.uniform(*ranges.yaw), draws.uniform(*ranges.roll)], 1).deg2rad()


def _frame(landmarks: Tensor, rotation: Tensor, size: int, ranges: SceneRanges, draws: Draws) -> WeakPerspective:
    """The camera that puts turned landmarks ``(B, 68, 3)``, y up, into a picture of ``size`` pixels."""
    low, high = landmarks[..., :2].amin(1), landmarks[..., :2].amax(1)
    scale = size / (draws.uniform(*ranges.margin) * (high - low).amax(1))
    shift = ranges.shift * size * draws.uniform(-1, 1, 2)
    centre = (low + high) / 2 * landmarks.new_tensor([1.0, -1.0])
    return WeakPerspective(scale, rotation, (size - 1) / 2 + shift - scale[:, None] * centre)


def render_scene(model: MorphableModel, scene: Scene) -> Picture:
    """Draws a batch of scenes, on the device that the model and the scenes are on.

    On the CPU the parts run in Numba, threads over the faces; on CUDA they are batched PyTorch.
    """
    size = scene.size
    vertices = model.vertices(scene.identity, scene.expression, scene.style)
    points = scene.camera.project(vertices)
    turned = vertices @ scene.camera.rotation.transpose(1, 2)
    normals = vertex_normals(turned, model.triangles)
    lit = cast_shadow(turned, model.triangles, scene.light.direction)
    albedo = lay(model, coats(scene.palette))
    colours = shade(albedo, normals, scene.light, lit, _gloss(model))
    colours = _expose(colours, albedo, normals, _face_vertices(model), scene.light)
    fine = torch.cat([(points[..., :2] + 0.5) * _FINE - 0.5, points[..., 2:]], 2)
    raster = rasterize(fine, model.triangles, _FINE * size, _FINE * size)
    image = compose(model, raster, colours, scene.background.paint(size), grain_strengths(scene.palette)).clamp(0, 1)
    landmarks = model.landmarks_of(points)
    contour = visible_contour(model, points, scene.camera)
    return Picture(image, landmarks, _visible(landmarks, raster.depth), contour)


@lru_cache(maxsize=8)
def _gloss(model: MorphableModel) -> Tensor:
    """``(V, 2)`` how much each vertex shines, softly and sharply."""
    gloss = [(_GLOSS.get(name, 0.0), _SPARKLE.get(name, 0.0)) for name in model.region_names]
    return torch.tensor(gloss, device=model.mean.device)[model.region]


@lru_cache(maxsize=8)
def _face_vertices(model: MorphableModel) -> Tensor:
    wanted = [number for number, name in enumerate(model.region_names) if name in ("face", "lips")]
    chosen = torch.isin(model.region, model.region.new_tensor(wanted)).nonzero()[:, 0]
    return (chosen if len(chosen) else torch.arange(len(model.region), device=model.region.device))[::8]


def _expose(colours: Tensor, albedo: Tensor, normals: Tensor, face: Tensor, light: Light) -> Tensor:
    """Colours as a camera stores them: the skin gets its wanted mean brightness, highlights bend before they clip.

    What counts is the skin that the camera sees, by its share of the picture. Dark skin stays darker than light skin,
    but no face is exposed into blackness.
    """
    seen = normals[:, face, 2].clamp_min(0) + 1e-3
    seen = seen / seen.sum(1, keepdim=True)
    tone, lit = ((values[:, face].mean(2) * seen).sum(1) for values in (albedo, colours))
    gain = light.exposure * (0.45 + 0.55 * tone / 0.6) / lit.clamp_min(1e-3)
    exposed = colours * gain[:, None, None]
    return exposed / (1 + exposed.square().square()).sqrt().sqrt()


def _visible(landmarks: Tensor, depth: Tensor) -> Tensor:
    """A landmark is seen if nothing near its pixel lies clearly in front of it.

    The farthest of the 3 x 3 fine pixels decides, so that points on an outline count as seen; "clearly" is 4 % of the
    face's height, more than the depth of a lid or a lip.
    """
    batch, size = depth.shape[:2]
    farthest = -torch.nn.functional.max_pool2d(-depth[:, None], 3, stride=1, padding=1)[:, 0]
    at = ((landmarks[..., :2] + 0.5) * _FINE - 0.5).round().long()
    inside = ((at >= 0) & (at < size)).all(2)
    x, y = at.clamp(0, size - 1).unbind(2)
    surface = farthest[torch.arange(batch, device=depth.device)[:, None], y, x]
    height = landmarks[..., 1].amax(1) - landmarks[..., 1].amin(1)
    return inside & (landmarks[..., 2] > surface - 0.04 * height[:, None])

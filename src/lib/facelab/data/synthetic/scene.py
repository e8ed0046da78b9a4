"""What stands before the camera, drawn at random, and its picture."""

from dataclasses import dataclass

import torch
from torch import Tensor

from facelab.data.synthetic.appearance import sample_albedo
from facelab.data.synthetic.background import random_background
from facelab.face3d import MorphableModel, vertex_normals
from facelab.geometry import WeakPerspective, interpolate, rasterize, rotation_matrix

_FINE = 2  # every pixel is the mean of 2 x 2 finer ones: edges without steps


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
    """A batch of scenes, ready to be drawn at ``size`` x ``size`` pixels.

    Attributes:
        identity ``(B, Ki)``, expression ``(B, Ke)``: raw coefficients of the face. pose: ``(B, 3)`` radians.
        camera: of the batch. albedo: ``(B, V, 3)``. light: ``(B, 3)`` unit vectors to the light, model axes.
        ambient: ``(B,)`` share of light from everywhere. tint: ``(B, 3)`` colour of the light.
        background: ``(B, 3, size, size)``.
    """

    identity: Tensor
    expression: Tensor
    pose: Tensor
    camera: WeakPerspective
    albedo: Tensor
    light: Tensor
    ambient: Tensor
    tint: Tensor
    background: Tensor


def _uniform(low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((), generator=generator)


def _random_pose(ranges: SceneRanges, generator: torch.Generator) -> Tensor:
    calm = 0.5 if torch.rand((), generator=generator) < 0.5 else 1.0
    pitch = calm * _uniform(*ranges.pitch, generator)
    return torch.stack([pitch, _uniform(*ranges.yaw, generator), _uniform(*ranges.roll, generator)]).deg2rad()


def _frame(landmarks: Tensor, size: int, ranges: SceneRanges, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scale and translation that put turned landmarks ``(L, 3)`` in cm, y up, into a picture of ``size`` pixels."""
    low, high = landmarks[:, :2].amin(0), landmarks[:, :2].amax(0)
    scale = size / (_uniform(*ranges.margin, generator) * (high - low).max())
    shift = ranges.shift * size * (2 * torch.rand(2, generator=generator) - 1)
    centre = (low + high) / 2 * landmarks.new_tensor([1.0, -1.0])
    return scale, (size - 1) / 2 + shift - scale * centre


def sample_scene(model: MorphableModel, size: int, ranges: SceneRanges, generators: list[torch.Generator]) -> Scene:
    """Draws one scene from each generator, so that a scene does not depend on its neighbours in the batch."""
    columns: list[list[Tensor]] = []
    for generator in generators:
        identity, expression = model.sample(1, generator, expression_scale=ranges.expression)
        pose = _random_pose(ranges, generator)
        turned = model.landmarks_of(model.vertices(identity, expression))[0] @ rotation_matrix(*pose).T
        scale, translation = _frame(turned, size, ranges, generator)
        light = torch.randn(3, generator=generator) * torch.tensor([1.0, 0.7, 0.5]) + torch.tensor([0.0, 0.4, 0.9])
        columns.append(
            [
                *(identity[0], expression[0], pose, scale, translation),
                sample_albedo(model, generator),
                torch.nn.functional.normalize(light, dim=0),
                _uniform(0.3, 0.8, generator),
                0.9 + 0.2 * torch.rand(3, generator=generator),
                random_background(size, generator),
            ]
        )
    identity, expression, pose, scale, translation, albedo, light, ambient, tint, background = (
        torch.stack(column) for column in zip(*columns, strict=True)
    )
    camera = WeakPerspective(scale, rotation_matrix(*pose.unbind(1)), translation)
    return Scene(identity, expression, pose, camera, albedo, light, ambient, tint, background)


def shade(albedo: Tensor, normals: Tensor, light: Tensor, ambient: Tensor, tint: Tensor) -> Tensor:
    """Lambert's law with an ambient share, and a sky that is a little brighter than the ground.

    Args:
        albedo: ``(B, V, 3)``. normals: ``(B, V, 3)`` unit, turned with the head. light: ``(B, 3)`` unit.
        ambient: ``(B,)``. tint: ``(B, 3)``.
    Returns:
        ``(B, V, 3)`` colours in [0, 1].
    """
    direct = (normals @ light[:, :, None]).clamp_min(0)  # (B, V, 1)
    sky = 0.85 + 0.15 * normals[..., 1:2]
    share = ambient[:, None, None]
    return (albedo * tint[:, None] * (share * sky + 1.15 * (1 - share) * direct)).clamp(0, 1)


def render_scene(model: MorphableModel, scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures of a batch of scenes and their exact labels.

    Returns:
        images ``(B, 3, size, size)`` float32 in [0, 1]; landmarks ``(B, 68, 3)`` pixels; visible ``(B, 68)`` bool.
    """
    size = scene.background.shape[2]
    vertices = model.vertices(scene.identity, scene.expression)
    points = scene.camera.project(vertices)
    normals = vertex_normals(vertices, model.triangles) @ scene.camera.rotation.transpose(1, 2)
    colours = shade(scene.albedo, normals, scene.light, scene.ambient, scene.tint)
    fine_points = torch.cat([(points[..., :2] + 0.5) * _FINE - 0.5, points[..., 2:]], 2)
    raster = rasterize(fine_points, model.triangles, _FINE * size, _FINE * size)
    behind = torch.nn.functional.interpolate(scene.background, scale_factor=_FINE, mode="nearest")
    picture = interpolate(raster, model.triangles, colours, behind.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    landmarks = model.landmarks_of(points)
    return torch.nn.functional.avg_pool2d(picture, _FINE), landmarks, _visible(landmarks, raster.depth)


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
    surface = farthest[torch.arange(batch)[:, None], y, x]
    height = landmarks[..., 1].amax(1) - landmarks[..., 1].amin(1)
    return inside & (landmarks[..., 2] > surface - 0.04 * height[:, None])
